package file_test

import (
	"path/filepath"
	"testing"

	"github.com/tenfold-ml/tenfold/storage/backend"
	"github.com/tenfold-ml/tenfold/storage/file"
	"github.com/tenfold-ml/tenfold/storage/storagetest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	storagetest.Run(t, func(t *testing.T) backend.Backend {
		return open(t, filepath.Join(t.TempDir(), "store"))
	})
}

func open(t testing.TB, dir string) *file.Backend {
	t.Helper()
	b, err := file.Open(t.Context(), dir)
	if err != nil {
		t.Fatalf("Open(%s): %v", dir, err)
	}
	return b
}
