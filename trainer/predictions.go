package trainer

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
)

// encodeNPY writes a matrix as a NumPy .npy file, version 1.0: float32,
// little-endian, row-major. The bytes are a function of the arguments, unlike
// what libraries promise, since predictions are stored under their hash.
func encodeNPY(rows, columns int, values []float32) []byte {
	const prefix = 10 // magic, version, length of the header
	header := fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }", rows, columns)
	// The array begins at a multiple of 64 and the header ends in a newline.
	header += strings.Repeat(" ", (64-(prefix+len(header)+1)%64)%64) + "\n"
	out := make([]byte, 0, prefix+len(header)+4*len(values))
	out = append(out, "\x93NUMPY\x01\x00"...)
	out = binary.LittleEndian.AppendUint16(out, uint16(len(header)))
	out = append(out, header...)
	for _, v := range values {
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(v))
	}
	return out
}
