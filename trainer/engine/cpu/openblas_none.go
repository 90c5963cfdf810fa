//go:build !((linux || darwin) && (amd64 || arm64))

package cpu

import "fmt"

func openOpenBLAS() (library, error) {
	return library{}, fmt.Errorf("%w: it cannot be loaded on this platform; choose gonum", ErrNoOpenBLAS)
}
