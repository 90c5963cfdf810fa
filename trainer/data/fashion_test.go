package data

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/tenfold-ml/tenfold/sweeps"
)

func TestImportFashionFromSomewhereElse(t *testing.T) {
	t.Parallel()
	var bad *Error
	_, err := Import(t.Context(), newStore(), sweeps.Data{Name: "fashion-mnist"}, Source{FashionDir: writeSet(t, small())})
	if !errors.As(err, &bad) || !strings.Contains(err.Error(), "does not hold Fashion-MNIST") {
		t.Errorf("another data set: error = %v", err)
	}
	_, err = Import(t.Context(), newStore(), sweeps.Data{Name: "fashion-mnist"}, Source{FashionDir: "/does/not/exist"})
	if !errors.As(err, &bad) || !strings.Contains(err.Error(), "/does/not/exist: there is no such directory") || strings.Contains(err.Error(), "\n") {
		t.Errorf("no directory: error = %v", err)
	}
}

// The real data, where the package is installed, and what to do where it is not.
func TestImportFashion(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("inflates 55 MB; not with -short")
	}
	store := newStore()
	digest, err := Import(t.Context(), store, sweeps.Data{Name: "fashion-mnist"}, Source{})
	if _, missing := os.Stat(fashionDir); missing != nil {
		var bad *Error
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), "dataset-fashion-mnist") || !strings.Contains(err.Error(), "TENFOLD_FASHION_MNIST_DIR") || strings.Contains(err.Error(), "\n") {
			t.Errorf("error = %v, want one line that says what to do", err)
		}
		return
	}
	if err != nil || digest != FashionMNISTDigest {
		t.Fatalf("%s, %v", digest, err)
	}
	// In the store now, so that no directory is needed.
	if again, err := Import(t.Context(), store, sweeps.Data{Name: "fashion-mnist"}, Source{FashionDir: "/does/not/exist"}); err != nil || again != digest {
		t.Errorf("a second import gave %q, %v", again, err)
	}
}
