//go:build (linux || darwin) && (amd64 || arm64)

package cpu

import (
	"errors"
	"testing"
)

func TestMissingOpenBLASIsAnError(t *testing.T) {
	t.Parallel()
	_, err := dlopenFirst([]string{"libthere-is-no-such-blas.so.0"})
	if !errors.Is(err, ErrNoOpenBLAS) {
		t.Errorf("error %v, want %v", err, ErrNoOpenBLAS)
	}
}

func TestOpenBLASVersion(t *testing.T) {
	t.Parallel()
	for config, want := range map[string]string{
		"OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH SkylakeX MAX_THREADS=64": "0.3.21", "OpenBLAS": "", "": "",
	} {
		if got := openBLASVersion(config); got != want {
			t.Errorf("version of %q is %q, want %q", config, got, want)
		}
	}
}
