package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/trainer"
	"github.com/tenfold-ml/tenfold/trainer/data"
	"github.com/tenfold-ml/tenfold/trainer/model"
)

// writeTable writes a table of n cases of two features, of which only different
// ones differ, and returns its path.
func writeTable(t *testing.T, n, different int) string {
	t.Helper()
	var rows strings.Builder
	for i := range n {
		fmt.Fprintf(&rows, "%d,%d,%d\n", i%different, 3, i%different%2)
	}
	path := filepath.Join(t.TempDir(), "table.csv")
	if err := os.WriteFile(path, []byte(rows.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestDescribeRefusesLeakage(t *testing.T) {
	t.Parallel()
	table := writeTable(t, 60, 20)
	code, stdout, stderr := run(t, byHand("data", "describe", table))
	if code != trainer.ExitData || !strings.HasPrefix(stderr, "trainer: table.csv: leaks: ") || strings.Count(stderr, "\n") != 1 {
		t.Errorf("exit code %d, %q", code, stderr)
	}
	if !strings.Contains(stdout, "of the 2 features in the training split, 1 of them constant") {
		t.Errorf("what was found is not printed:\n%s", stdout)
	}
	code, stdout, stderr = run(t, byHand("data", "describe", table, "--allow-duplicates", "-o", "json"))
	var d data.Description
	if err := json.Unmarshal([]byte(stdout), &d); err != nil || code != 0 || stderr != "" {
		t.Fatalf("exit code %d, %v: %s%s", code, err, stdout, stderr)
	}
	// 50 training cases of 20 different ones, so 30 at least are there twice.
	if d.Duplicates == nil || d.Duplicates.Train < 30 || d.Duplicates.Across < 1 || d.Scale.Std.Lowest != 0 {
		t.Errorf("got %s", stdout)
	}
	if code, stdout, stderr = run(t, byHand("data", "describe", writeTable(t, 60, 60))); code != 0 || !strings.Contains(stdout, "twice    0 test cases in the training split; within it 0, within the test split 0") {
		t.Errorf("without duplicates: exit code %d: %s%s", code, stdout, stderr)
	}
}

// Of a table whose test cases are new, a validation case can still be a training case.
func TestDescribeRefusesLeakageIntoValidation(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, b := range map[string][]byte{
		"train-images-idx3-ubyte": append([]byte{0, 0, 8, 2, 0, 0, 0, 4, 0, 0, 0, 1}, 5, 5, 5, 5),
		"train-labels-idx1-ubyte": append([]byte{0, 0, 8, 1, 0, 0, 0, 4}, 0, 1, 0, 1),
		"t10k-images-idx3-ubyte":  append([]byte{0, 0, 8, 2, 0, 0, 0, 1, 0, 0, 0, 1}, 6),
		"t10k-labels-idx1-ubyte":  append([]byte{0, 0, 8, 1, 0, 0, 0, 1}, 0),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	spec := filepath.Join(t.TempDir(), "spec.yaml")
	text := fmt.Sprintf("version: 1\nname: few\ndata: {name: %q, validation: 2}\nmodel: {hidden: [3]}\ntrain: {epochs: 1}\n", dir)
	if err := os.WriteFile(spec, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"data", "describe", "--config", spec}
	code, stdout, stderr := run(t, byHand(args...))
	if code != trainer.ExitData || !strings.Contains(stderr, "leaks: 2 of 2 validation cases") {
		t.Errorf("exit code %d, %q", code, stderr)
	}
	if want := "network  14 parameters for 2 training cases: 0.143 cases per parameter\n"; !strings.Contains(stdout, want) {
		t.Errorf("no %q in\n%s", want, stdout)
	}
	if code, _, stderr := run(t, byHand(append(args, "--allow-duplicates")...)); code != 0 {
		t.Errorf("exit code %d, %q", code, stderr)
	}
	if code, _, stderr := run(t, byHand("data", "describe", dir)); code != 0 {
		t.Errorf("without a spec: exit code %d, %q", code, stderr)
	}
}

func TestDescribeCountsParameters(t *testing.T) {
	t.Parallel()
	swept := writeSpec(t, 1, "parameters: {model.hidden: {values: [[2], [64, 64]]}}")
	code, stdout, stderr := run(t, byHand("data", "describe", "--config", swept, "--trial", "1", "-o", "json"))
	var d struct{ Network describedNetwork }
	if err := json.Unmarshal([]byte(stdout), &d); err != nil || code != 0 {
		t.Fatalf("exit code %d, %v: %s%s", code, err, stdout, stderr)
	}
	n := 64*64 + 64 + 64*64 + 64 + 64*4 + 4
	if want := (describedNetwork{Parameters: n, TrainingCases: 500, ValidationCases: 100, CasesPerParameter: 500 / float64(n)}); d.Network != want {
		t.Errorf("got %+v, want %+v", d.Network, want)
	}
	for want, args := range map[string][]string{
		"the name of a data set, or --config FILE, is needed": {},
		"--trial is for the trials of --config FILE":          {"mnist", "--trial", "1"},
		"sweeps 2 trials":                       {"--config", swept},
		"accepts at most 1":                     {"mnist", "mnist"},
		"--store is needed to look up a digest": {"sha256:00"},
	} {
		cmd := byHand(append([]string{"data", "describe"}, args...)...)
		cmd.Env = append(cmd.Env, "TENFOLD_STORE=")
		if code, _, stderr := run(t, cmd); code != trainer.ExitConfig || !strings.Contains(stderr, want) {
			t.Errorf("%v: exit code %d, %q; want 64, %q", args, code, stderr, want)
		}
	}
}

func TestCountParametersOfAConvnet(t *testing.T) {
	t.Parallel()
	cfg := sweeps.Model{
		Kind: "convnet", Hidden: []int{5}, Activation: "relu", Init: sweeps.Init{Kind: "scaled", Scale: 1},
		Conv: []sweeps.ConvLayer{{Channels: 3, Kernel: 3, Stride: 1, Padding: 1, Pool: 2}},
	}
	o := model.Options{Inputs: 64, Shape: []int{8, 8}, Classes: 4, BatchSize: 2}
	got, err := model.CountParameters(cfg, o)
	if want := 3*9 + 3 + 4*4*3*5 + 5 + 5*4 + 4; err != nil || got != want {
		t.Errorf("got %d (%v), want %d", got, err, want)
	}
}

// A spec says which column has the labels, also one that is not the last.
func TestLabelOfATableFromTheSpec(t *testing.T) {
	t.Parallel()
	var rows strings.Builder
	for i := range 60 {
		fmt.Fprintf(&rows, "%s,%d.5,%d\n", []string{"cat", "dog", "eel"}[i%3], i, 1000+i)
	}
	dir := t.TempDir()
	table, spec := filepath.Join(dir, "animals.csv"), filepath.Join(dir, "spec.yaml")
	text := fmt.Sprintf("version: 1\nname: animals\ndata: {name: %q, header: absent, label: \"1\", validation: 10}\n", table)
	for path, content := range map[string]string{table: rows.String(), spec: text} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	code, stdout, stderr := run(t, byHand("data", "describe", "--config", spec, "-o", "json"))
	var d data.Description
	if err := json.Unmarshal([]byte(stdout), &d); err != nil || code != 0 || d.Classes != 3 || d.Train.Cases+d.Test.Cases != 60 || d.Scale.Features != 2 {
		t.Errorf("exit code %d, %v: %s%s", code, err, stdout, stderr)
	}
}

// Generated data and text are described by their names and sizes alone.
func TestDescribeGeneratedDataAndText(t *testing.T) {
	t.Parallel()
	book := filepath.Join(t.TempDir(), "book.txt")
	if err := os.WriteFile(book, []byte(strings.Repeat("to be or not to be\n", 200)), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"train    50 cases, by class [":                           {"parity", "--bits", "31", "--cases", "50", "--test", "10"},
		"classes  2, for each of the 12 labels of a case":         {"sorting", "--bits", "4", "--numbers", "3", "--cases", "100", "--test", "10"},
		"values   1 of each case\ntrain    50 cases, values from": {"adding", "--length", "5", "--cases", "50", "--test", "10"},
		"shape    8, of 9 symbols":                                {"copy", "--length", "4", "--cases", "50", "--test", "10"},
		"shape    19, of 8 symbols":                               {book, "--length", "19"},
	} {
		code, stdout, stderr := run(t, byHand(append([]string{"data", "describe"}, args...)...))
		if code != 0 || !strings.Contains(stdout, want) || !strings.Contains(stdout, "guessing ") {
			t.Errorf("%v: exit code %d, no %q in\n%s%s", args, code, want, stdout, stderr)
		}
	}
	// Of all the windows, which are alike, none is said to leak; that of a validation
	// window neither.
	spec := filepath.Join(t.TempDir(), "spec.yaml")
	text := fmt.Sprintf("version: 1\nname: book\ndata: {name: %q, length: 19}\nmodel: {kind: lstm, hidden: [3]}\n", book)
	if err := os.WriteFile(spec, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := run(t, byHand("data", "describe", "--config", spec))
	// The table, the recurrent weights and biases of four gates, and the outputs.
	n := 4*(8*3+3*3+3) + 3*8 + 8
	if want := fmt.Sprintf("network  %d parameters for 162 training cases: %.3g cases, %.3g labels per parameter\nheld out 18 validation cases, 18 of them", n, 162/float64(n), 19*162/float64(n)); code != 0 || !strings.Contains(stdout, want) {
		t.Errorf("exit code %d, no %q in\n%s%s", code, want, stdout, stderr)
	}
	if code, _, stderr := run(t, byHand("data", "describe", "parity", "--bits", "3")); code != trainer.ExitConfig || !strings.Contains(stderr, "there are 8 different cases of parity") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
	if code, _, stderr := run(t, byHand("data", "describe", book, "--length", "5000")); code != trainer.ExitData || !strings.Contains(stderr, "make 0 windows of 5000") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
}
