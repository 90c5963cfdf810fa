package cpu

import (
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"
)

func gonumLibrary() library {
	return library{name: Gonum, f32: gonum32{}, f64: gonum64{}}
}

// A product is computed in tiles of at most these sizes. Gonum itself cuts what is
// larger than three blocks of 64×64 into such blocks, but starts goroutines for
// them, up to GOMAXPROCS at a time; up to three blocks it computes where it is
// called. So the number of threads is ours to keep, nothing is allocated, and its
// inner loops, which run along a row of b or along k, are longer: measured
// 19 to 24 GFLOP/s instead of 14 to 16. Every element of a product is summed in
// an order that the sizes alone decide, whatever the number of threads.
const (
	tileM = 64
	tileN = 3 * 64
	tileK = 256
)

type gonum32 struct{}

func (gonum32) gemm(transA, transB bool, m, n, k int, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int) {
	tA, tB := transpose(transA), transpose(transB)
	for i := 0; i < m; i += tileM {
		for j := 0; j < n; j += tileN {
			scale := beta
			for l := 0; l < k; l += tileK {
				gonum.Implementation{}.Sgemm(tA, tB, min(tileM, m-i), min(tileN, n-j), min(tileK, k-l), 1,
					a[at(transA, i, l, lda):], lda, b[at(transB, l, j, ldb):], ldb, scale, c[i*ldc+j:], ldc)
				scale = 1
			}
		}
	}
}

type gonum64 struct{}

func (gonum64) gemm(transA, transB bool, m, n, k int, a []float64, lda int, b []float64, ldb int, beta float64, c []float64, ldc int) {
	tA, tB := transpose(transA), transpose(transB)
	for i := 0; i < m; i += tileM {
		for j := 0; j < n; j += tileN {
			scale := beta
			for l := 0; l < k; l += tileK {
				gonum.Implementation{}.Dgemm(tA, tB, min(tileM, m-i), min(tileN, n-j), min(tileK, k-l), 1,
					a[at(transA, i, l, lda):], lda, b[at(transB, l, j, ldb):], ldb, scale, c[i*ldc+j:], ldc)
				scale = 1
			}
		}
	}
}

func transpose(t bool) blas.Transpose {
	if t {
		return blas.Trans
	}
	return blas.NoTrans
}

// at is where element (i, j) of a matrix lies, transposed or not.
func at(trans bool, i, j, ld int) int {
	if trans {
		return j*ld + i
	}
	return i*ld + j
}
