package sweeps

import (
	"os"
	"strings"
	"testing"
)

// TestReferenceIsComplete demands that docs/spec.md has each setting, and that its
// whole example is what the defaults are.
func TestReferenceIsComplete(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../docs/spec.md")
	if err != nil {
		t.Fatal(err)
	}
	for path := range rules {
		key := path[strings.LastIndex(path, ".")+1:]
		if !strings.Contains(string(b), "`"+path+"`") && !strings.Contains(string(b), key+":") {
			t.Errorf("docs/spec.md does not have %s", path)
		}
	}
	_, example, ok := strings.Cut(string(b), "```yaml\n")
	example, _, ok2 := strings.Cut(example, "```")
	if !ok || !ok2 {
		t.Fatal("docs/spec.md has no example")
	}
	got, err := Parse("docs/spec.md", []byte(example))
	if err != nil {
		t.Fatal(err)
	}
	want, err := Parse("minimal", []byte("{version: 1, name: mnist, parameters: {seed: {values: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]}}}"))
	if err != nil {
		t.Fatal(err)
	}
	if a, b := SweepID(got), SweepID(want); a != b {
		t.Errorf("the example is not the defaults:\n%+v\n%+v", got, want)
	}
}
