package cpu

import (
	"errors"
	"fmt"
)

// float is what kernels compute in.
type float interface{ float32 | float64 }

// multiplier computes row-major products in one thread, the caller's:
//
//	c = op(a)·op(b) + beta·c,  op(a) [m, k], op(b) [k, n], c [m, n]
//
// where op transposes if asked to and the leading dimensions are those of the
// stored matrices. m, n and k are at least 1.
type multiplier[T float] interface {
	gemm(transA, transB bool, m, n, k int, a []T, lda int, b []T, ldb int, beta T, c []T, ldc int)
}

// library is an implementation of the products.
type library struct {
	name string // with its version: "openblas 0.3.21", "gonum"
	f32  multiplier[float32]
	f64  multiplier[float64]
}

// Names of the libraries, for [Options].
const (
	// Auto is OpenBLAS where it is found, else gonum.
	Auto = "auto"
	// OpenBLAS is the shared library of that name; it is an error if there is none.
	OpenBLAS = "openblas"
	// Gonum is Go code, always there and about a tenth as fast.
	Gonum = "gonum"
)

// ErrNoOpenBLAS says that OpenBLAS is not on this machine.
var ErrNoOpenBLAS = errors.New("OpenBLAS is not found")

func openLibrary(name string) (library, error) {
	switch name {
	case Gonum:
		return gonumLibrary(), nil
	case OpenBLAS:
		return openOpenBLAS()
	case Auto:
		l, err := openOpenBLAS()
		if errors.Is(err, ErrNoOpenBLAS) {
			return gonumLibrary(), nil
		}
		return l, err
	default:
		return library{}, fmt.Errorf("unknown BLAS %q: want %s, %s or %s", name, Auto, OpenBLAS, Gonum)
	}
}
