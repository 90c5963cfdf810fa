package cpu

import (
	"errors"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// backends returns a backend for each BLAS that is installed.
func backends(t *testing.T, threads int) []*Backend {
	t.Helper()
	var bs []*Backend
	for _, name := range []string{Gonum, OpenBLAS} {
		b, err := New(Options{Threads: threads, BLAS: name})
		if errors.Is(err, ErrNoOpenBLAS) {
			t.Logf("without OpenBLAS: %v", err)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := b.Close(); err != nil {
				t.Error(err)
			}
		})
		bs = append(bs, b)
	}
	return bs
}
