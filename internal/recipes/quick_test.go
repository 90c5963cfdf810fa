//go:build recipes

package recipes

import (
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"github.com/tenfold-ml/tenfold/storage"
)

// TestRecipesQuick trains the small form of every recipe and checks the direction
// of its claim.
func TestRecipesQuick(t *testing.T) {
	for _, f := range forms {
		t.Run(f.recipe, func(t *testing.T) {
			t.Parallel()
			spec, err := Load(f.file())
			if err != nil {
				t.Fatal(err)
			}
			if missing := f.find(&spec); missing != "" {
				t.Skip(missing)
			}
			f.small(&spec)
			dir := filepath.ToSlash(t.TempDir())
			store, err := storage.Open(t.Context(), (&url.URL{Scheme: "file", Path: dir}).String())
			if err != nil {
				t.Fatal(err)
			}
			begun := time.Now()
			outcomes, err := Train(t.Context(), store, spec)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d trials in %.1f s", len(outcomes), time.Since(begun).Seconds())
			if err := WriteTable(t.Context(), t.Output(), store, outcomes); err != nil {
				t.Fatal(err)
			}
			f.check(t, trained{spec: spec, store: store, outcomes: outcomes})
		})
	}
}
