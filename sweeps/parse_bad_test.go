package sweeps

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the expected results of testdata anew")

// golden compares got with a file, or writes it with -update.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", file, diff)
	}
}

func testdata(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("no test data at %s (%v)", pattern, err)
	}
	return files
}

// Each file of testdata/bad is refused with the text beside it.
func TestParseBadSpecs(t *testing.T) {
	t.Parallel()
	for _, file := range testdata(t, "bad/*.yaml") {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			spec, err := Parse(filepath.Base(file), src)
			var specError *SpecError
			if !errors.As(err, &specError) {
				t.Fatalf("Parse = %+v, %v; want a *SpecError", spec, err)
			}
			lines := strings.Split(string(src), "\n")
			for _, p := range specError.Problems {
				if p.Line < 1 || p.Line > max(len(lines), 1) || p.Column < 1 || p.Column > len(lines[p.Line-1])+1 {
					t.Errorf("%v is outside the file", p)
				}
				if p.Message == "" || strings.ContainsAny(p.String(), "\n\r") {
					t.Errorf("%q is not one line", p)
				}
			}
			golden(t, strings.TrimSuffix(file, ".yaml")+".txt", err.Error()+"\n")
		})
	}
}
