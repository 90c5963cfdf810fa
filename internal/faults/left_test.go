//go:build faults || cluster

package faults

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// one is what is in the one file of a folder that matches a pattern.
func one(t *testing.T, dir, pattern string) []byte {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(files) != 1 {
		t.Fatalf("%s matches %d files (%v), want one", pattern, len(files), err)
	}
	b, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// results maps each trial to the hashes of the final weights of its results.
func results(t *testing.T, dir string) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	root := filepath.Join(dir, "store", "trials")
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Base(filepath.Dir(path)) != "results" {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var r struct {
			Checkpoint struct {
				SHA256 string `json:"sha256"`
			} `json:"checkpoint"`
		}
		if err := json.Unmarshal(b, &r); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		trial := filepath.Base(filepath.Dir(filepath.Dir(path)))
		found[trial] = append(found[trial], r.Checkpoint.SHA256)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, shas := range found {
		slices.Sort(shas)
	}
	return found
}
