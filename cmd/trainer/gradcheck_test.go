package main

import (
	"bytes"
	"encoding/json"
	"os"
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
