package architecture

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/tenfold-ml/tenfold/"

// listed is the part of `go list -json` that the rules look at.
type listed struct {
	ImportPath string
	Imports    []string
	Deps       []string
}

func goList(t *testing.T, args ...string) []listed {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Imports,Deps"}, args...)...)
	cmd.Dir = "../.."
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	var packages []listed
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}

// within says whether path is one of the folders or below one of them.
func within(path string, folders ...string) bool {
	return slices.ContainsFunc(folders, func(f string) bool {
		return path == f || strings.HasPrefix(path, f+"/")
	})
}

// TestOwnImports checks which of our folders imports which: downwards only,
// cmd → workflows, activities → storage, trainer → sweeps.
func TestOwnImports(t *testing.T) {
	t.Parallel()
	rules := []struct {
		folder, why string
		may         []string
	}{
		{"sweeps", "the domain knows nobody", []string{"sweeps"}},
		{"storage", "the store keeps the domain's objects", []string{"storage", "sweeps"}},
		{"trainer", "a training run knows neither Temporal nor how it was launched", []string{"trainer", "storage", "sweeps"}},
		{"activities/contract", "workflows import it, so it must not act", []string{"sweeps"}},
		{"activities", "activities touch the world and decide nothing", []string{"activities", "storage", "trainer", "sweeps"}},
		{"workflows", "of the activities a workflow knows the declared inputs and outputs", []string{"workflows", "activities/contract", "sweeps"}},
		{"internal/devserver", "the embedded server serves anybody", []string{"internal/devserver", "internal/filelock"}},
		{"cmd/trainer", "the trainer's binary is fetched by nodes and stays small", []string{"cmd/trainer", "trainer", "storage", "sweeps"}},
	}
	for _, p := range goList(t, "./...") {
		path := strings.TrimPrefix(p.ImportPath, module)
		for _, rule := range rules {
			if !within(path, rule.folder) {
				continue
			}
			for _, imp := range p.Imports {
				own, ok := strings.CutPrefix(imp, module)
				if ok && !within(own, rule.may...) {
					t.Errorf("%s imports %s: %s", path, own, rule.why)
				}
				if ok && within(own, "cmd") {
					t.Errorf("%s imports the command %s", path, own)
				}
			}
			break // the first rule that fits is the most specific
		}
	}
}

// TestForeignImports keeps SDKs and I/O where they belong.
func TestForeignImports(t *testing.T) {
	t.Parallel()
	for _, p := range goList(t, "./...") {
		path := strings.TrimPrefix(p.ImportPath, module)
		for _, imp := range p.Imports {
			if within(imp, "go.temporal.io/server") && !within(path, "internal/devserver") {
				t.Errorf("%s imports %s: only internal/devserver embeds the server", path, imp)
			}
			if within(path, "sweeps") && !within(path, "sweeps/internal") &&
				within(imp, "os", "net", "syscall", "io/fs", "os/exec", "log", "log/slog", "math/rand", "crypto/rand", "context", "sync") {
				t.Errorf("%s imports %s: the domain is pure", path, imp)
			}
			if within(path, "workflows") && within(imp, "os", "net", "math/rand", "crypto/rand", "sync") {
				t.Errorf("%s imports %s: workflow code is deterministic", path, imp)
			}
		}
	}
}

// TestTrainerBinary checks everything that the trainer links, however deep.
func TestTrainerBinary(t *testing.T) {
	t.Parallel()
	for _, p := range goList(t, "./cmd/trainer") {
		for _, dep := range p.Deps {
			if within(dep, "go.temporal.io", "github.com/hashicorp/nomad") {
				t.Errorf("the trainer links %s", dep)
			}
		}
	}
}
