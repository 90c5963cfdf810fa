package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tenfold-ml/tenfold/trainer/data/datatest"
)

// Every kind of model is checked and trained on every kind of task, and what is shown
// fits the task.
func TestTasks(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("The quick brown fox jumps over the lazy dog.\n", 40)
	for name, c := range map[string]struct {
		spec    string
		allowed string
		says    []string
	}{
		"lstm on text": {
			"data: {name: ./text.txt, length: 10}\nmodel: {kind: lstm, hidden: [6, 5]}", "allowed: 1e-06\n",
			[]string{"  validation ", " bits ", "of the symbols wrong", "bits a character"},
		},
		"rnn on text": {
			"data: {name: ./text.txt, length: 6}\nmodel: {kind: rnn, hidden: [6], dropout: {hidden: 0.2}}", "allowed: 1e-06\n", []string{"bits a character"},
		},
		"relu rnn on values": {
			"data: {name: adding, length: 6, cases: 100, test: 20}\nmodel: {kind: rnn, hidden: [6], activation: relu}", "allowed: 1e-05, for",
			[]string{"of the variance unexplained, mean squared error "},
		},
		"lstm on values": {
			"data: {name: adding, length: 8, cases: 100, test: 20}\nmodel: {kind: lstm, hidden: [6]}", "allowed: 1e-06\n",
			[]string{"of the variance unexplained, mean squared error "},
		},
		"lstm on labels": {
			"data: {name: copy, length: 3, cases: 100, test: 20}\nmodel: {kind: lstm, hidden: [6]}", "allowed: 1e-06\n",
			[]string{"% of the labels wrong", "nats a label"},
		},
		"mlp on labels": {
			"data: {name: sorting, bits: 3, numbers: 3, cases: 100, test: 20}\nmodel: {hidden: [6], activation: sigmoid}", "allowed: 1e-06\n",
			[]string{"% of the labels wrong", "nats a label"},
		},
		"lstm on images": {
			"data: {name: ./small, validation: 100}\nmodel: {kind: lstm, hidden: [6]}", "allowed: 1e-06\n", []string{"% wrong", "nats a case"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			spec := filepath.Join(dir, "spec.yaml")
			c.spec = strings.NewReplacer("./small", datatest.Write(t, datatest.Small), "./text.txt", filepath.Join(dir, "text.txt")).Replace(c.spec)
			for path, content := range map[string]string{
				spec: "version: 1\nname: task\n" + c.spec + "\ntrain: {epochs: 2, batch_size: 16}\n", filepath.Join(dir, "text.txt"): text,
			} {
				if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			code, stdout, stderr := run(t, byHand("gradcheck", "--config", spec, "--entries", "12", "--cases", "3"))
			if code != 0 || !strings.Contains(stdout, c.allowed) {
				t.Errorf("gradcheck: exit code %d: %s%s", code, stdout, stderr)
			}
			code, stdout, stderr = run(t, byHand("train", "--config", spec, "--out", t.TempDir(), "--threads", "2"))
			for _, want := range c.says {
				if code != 0 || !strings.Contains(stdout, want) {
					t.Errorf("train: exit code %d, want %q in\n%s%s", code, want, stdout, stderr)
				}
			}
		})
	}
}
