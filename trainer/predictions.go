package trainer

import "github.com/tenfold-ml/tenfold/trainer/data"

// encodeNPY writes a matrix as a NumPy .npy file of float32, row-major.
func encodeNPY(rows, columns int, values []float32) []byte {
	return data.EncodeNPY([]int{rows, columns}, values)
}
