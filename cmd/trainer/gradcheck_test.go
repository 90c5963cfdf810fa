package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tenfold-ml/tenfold/trainer"
	"github.com/tenfold-ml/tenfold/trainer/gradcheck"
)

func TestGradcheckCommand(t *testing.T) {
	t.Parallel()
	spec := writeSpec(t, 1, "")
	code, stdout, stderr := run(t, byHand("gradcheck", "--config", spec))
	if code != 0 || !strings.Contains(stdout, "dense2.bias") || !strings.Contains(stdout, "allowed: 1e-05, for the loss goes through relu") {
		t.Errorf("exit code %d: %s%s", code, stdout, stderr)
	}
	code, stdout, stderr = run(t, byHand("gradcheck", "--config", spec, "-o", "json", "--entries", "7", "--cases", "3"))
	var out struct {
		OK         bool
		Parameters []gradcheck.Row
	}
	if err := json.Unmarshal([]byte(stdout), &out); err != nil || code != 0 || !out.OK || len(out.Parameters) != 6 || out.Parameters[0].Checked+out.Parameters[0].Kinks != 7 {
		t.Errorf("exit code %d, %v: %s%s", code, err, stdout, stderr)
	}
	for _, args := range [][]string{{}, {"--config", "missing.yaml"}, {"--config", spec, "--cases", "0"}, {"--config", spec, "--trial", "1"}} {
		if code, _, stderr := run(t, byHand(append([]string{"gradcheck"}, args...)...)); code != trainer.ExitConfig || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%v: exit code %d: %s", args, code, stderr)
		}
	}
}

func TestGradcheckOfAConvnet(t *testing.T) {
	t.Parallel()
	spec := writeSpec(t, 1, "")
	text, err := os.ReadFile(spec)
	if err != nil {
		t.Fatal(err)
	}
	convnet := strings.Replace(string(text), "model: {", "model: {kind: convnet, conv: [{channels: 3, padding: 1, pool: 2}, {channels: 2, kernel: 2}], ", 1)
	if err := os.WriteFile(spec, []byte(convnet), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := run(t, byHand("gradcheck", "--config", spec))
	if code != 0 || !strings.Contains(stdout, "conv1.weight") {
		t.Errorf("exit code %d: %s%s", code, stdout, stderr)
	}
	if code, _, stderr := run(t, byHand("train", "--config", spec, "--out", t.TempDir())); code != 0 {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}

// Correct gradients pass where the loss bends sharply, as through many steps of tanh,
// and where they are so small that differences are mostly rounding.
func TestGradcheckSuitsTheNetwork(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text := filepath.Join(dir, "words.txt")
	var words strings.Builder
	for i := range 400 {
		fmt.Fprintf(&words, "%d times %d is %d. ", i%7, i%11, i%7*(i%11))
	}
	if err := os.WriteFile(text, []byte(words.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		spec  string
		noisy bool
	}{
		"bends": {"data: {name: copy, cases: 900, test: 100, validation: 300}\nmodel: {kind: rnn, hidden: [5, 4], dropout: {hidden: 0.4}}\n", false},
		"small": {"data: {name: " + text + ", length: 2, validation: 20}\nmodel: {kind: lstm, hidden: [8, 8], dropout: {hidden: 0.3}}\n", true},
	} {
		spec := filepath.Join(dir, name+".yaml")
		if err := os.WriteFile(spec, []byte("version: 1\nname: g\n"+c.spec), 0o600); err != nil {
			t.Fatal(err)
		}
		code, stdout, stderr := run(t, byHand("gradcheck", "--config", spec, "--entries", "20"))
		if code != 0 || strings.Contains(stdout, "; noisy, ") != c.noisy {
			t.Errorf("%s: exit code %d: %s%s", name, code, stdout, stderr)
		}
	}
}

// What is wrong is said in the table and in the exit code.
func TestGradcheckReportsWhatIsWrong(t *testing.T) {
	t.Parallel()
	rows := []gradcheck.Row{
		{Name: "a", Size: 3, Checked: 3, OK: true},
		{Name: "b", Size: 3, Checked: 3, Worst: 0.5, WorstEntry: 2, Gradient: 1, Numeric: 2},
		{Name: "c", Size: 3, Kinks: 3},
	}
	var out bytes.Buffer
	err := reportGradcheck(&out, "text", rows, gradcheck.Options{}, 5)
	if err == nil || trainer.ExitCode(err) != trainer.ExitFailure || !strings.Contains(err.Error(), "2 of 3 parameters") {
		t.Errorf("error = %v", err)
	}
	if !strings.Contains(out.String(), "WRONG: entry 2 is 1, by differences 2") || !strings.Contains(out.String(), "NOT CHECKED") {
		t.Errorf("got\n%s", out.String())
	}
}
