package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tenfold-ml/tenfold/trainer"
	"github.com/tenfold-ml/tenfold/trainer/data/datatest"
)

// writeSpec writes a spec for a small data set and returns its path. more is
// added at the end.
func writeSpec(t *testing.T, epochs int, more string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "small.yaml")
	text := fmt.Sprintf(`version: 1
name: small
seed: 7
data: {name: %q, validation: 100}
model: {hidden: [64, 64], dropout: {hidden: 0.3}}
train: {epochs: %d, batch_size: 32, learning_rate: 0.02, schedule: {kind: constant}}
%s
`, datatest.Write(t, datatest.Small), epochs, more)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// byHand is the trainer as a person calls it.
func byHand(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), asTrainer+"=1", "TENFOLD_THREADS=1")
	return cmd
}

var weightsLine = regexp.MustCompile(`(?m)^weights +(\S+)$`)

func TestTrainFromAFile(t *testing.T) {
	t.Parallel()
	spec, out := writeSpec(t, 5, ""), t.TempDir()
	code, stdout, stderr := run(t, byHand("train", "--config", spec, "--out", out))
	if code != 0 || stderr != "" {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	for _, want := range []string{"trained    5 epochs in ", "\nupdates    ", " of the weights; about 1e-03 is right\n", "small: 500 training and 100 validation cases", "epoch 5/5 ", "test ", "nothing was decided by them"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("the output does not have %q:\n%s", want, stdout)
		}
	}
	if n := strings.Count(stdout, "\nepoch "); n != 5 || strings.Contains(stdout, "\x1b") {
		t.Errorf("%d lines of epochs, want 5 and no control sequences:\n%s", n, stdout)
	}
	weights := weightsLine.FindStringSubmatch(stdout)
	if weights == nil {
		t.Fatalf("the output names no weights:\n%s", stdout)
	}
	if _, err := os.Stat(weights[1]); err != nil {
		t.Error(err)
	}
	code, again, stderr := run(t, byHand("train", "--config", spec, "--out", out))
	if code != 0 || !strings.Contains(again, "trained already") || !strings.Contains(again, weights[0]) {
		t.Errorf("once more: exit code %d: %s%s", code, again, stderr)
	}
	code, events, stderr := run(t, byHand("train", "--config", spec, "--out", t.TempDir(), "-o", "json"))
	if code != 0 || !strings.HasPrefix(events, `{"event":"start"`) {
		t.Errorf("as JSON: exit code %d: %s%s", code, events, stderr)
	}
}

// Ctrl-C, again and again, ends in the same weights as being left alone: their
// name has their hash.
func TestCtrlCSavesAndTheSameCommandGoesOn(t *testing.T) {
	t.Parallel()
	spec, out := writeSpec(t, 150, ""), t.TempDir()
	code, alone, stderr := run(t, byHand("train", "--config", spec, "--out", t.TempDir()))
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	interruptions := 0
	for {
		cmd := byHand("train", "--config", spec, "--out", out)
		var stdout lineWaiter
		stdout.seen = make(chan struct{})
		var errOut bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &errOut
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = cmd.Wait() // the exit code tells
		}()
		if interruptions < 3 {
			select {
			case <-stdout.seen:
				_ = cmd.Process.Signal(syscall.SIGINT) // it may have ended
			case <-time.After(time.Minute):
				t.Error("no epoch within a minute")
			}
		}
		<-done
		switch code := cmd.ProcessState.ExitCode(); code {
		case trainer.ExitPreempted:
			interruptions++
			if !strings.Contains(errOut.String(), "the same command goes on there") {
				t.Fatalf("it does not say how to go on: %s", errOut.String())
			}
			continue
		case 0:
		default:
			t.Fatalf("exit code %d: %s", code, errOut.String())
		}
		if interruptions == 0 {
			t.Error("no attempt was interrupted")
		} else if !strings.Contains(stdout.text.String(), "going on ") {
			t.Errorf("the last attempt began anew:\n%s", stdout.text.String())
		}
		a, b := weightsLine.FindStringSubmatch(alone), weightsLine.FindStringSubmatch(stdout.text.String())
		if a == nil || b == nil || filepath.Base(a[1]) != filepath.Base(b[1]) {
			t.Errorf("weights %v, and %v when left alone", b, a)
		}
		return
	}
}

// lineWaiter closes seen at the first line of an epoch.
type lineWaiter struct {
	text   bytes.Buffer
	seen   chan struct{}
	closed bool
}

func (w *lineWaiter) Write(b []byte) (int, error) {
	n, err := w.text.Write(b)
	if !w.closed && bytes.Contains(w.text.Bytes(), []byte("\nepoch ")) {
		w.closed = true
		close(w.seen)
	}
	return n, err
}

func TestTrainFromAFileRefuses(t *testing.T) {
	t.Parallel()
	swept := writeSpec(t, 2, "parameters: {seed: {values: [1, 2, 3]}}")
	plain := writeSpec(t, 2, "")
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"--config", swept, "--out", "x"}, "sweeps 3 trials: use sweep run"},
		{[]string{"--config", swept, "--out", "x", "--trial", "3"}, "has the trials 0 to 2"},
		{[]string{"--config", plain}, "--out DIR is needed"},
		{[]string{"--config", "missing.yaml", "--out", "x"}, "missing.yaml: there is no such file"},
		{[]string{"--config", plain, "--out", "x", "--attempt", "2"}, "--attempt is for a trial in a store"},
		{[]string{"--config", plain, "--out", "x", "--blas", "none"}, "none of auto"},
		{[]string{"--out", "x"}, "--config FILE is missing"},
		{[]string{"--config", t.TempDir(), "--out", "x"}, "is a folder"},
	} {
		cmd := byHand(append([]string{"train"}, test.args...)...)
		cmd.Dir = t.TempDir()
		code, _, stderr := run(t, cmd)
		if code != trainer.ExitConfig || !strings.Contains(stderr, test.want) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%v: exit code %d, %q; want 64 and %q", test.args, code, stderr, test.want)
		}
		if left, _ := os.ReadDir(cmd.Dir); len(left) > 0 {
			t.Errorf("%v: left %s behind", test.args, left[0].Name())
		}
	}
	if code, stdout, stderr := run(t, byHand("train", "--config", swept, "--out", t.TempDir(), "--trial", "1")); code != 0 {
		t.Errorf("--trial 1: exit code %d: %s%s", code, stdout, stderr)
	}
}

// A run that diverges says so once, with what can be done about it.
func TestDivergenceIsToldOnce(t *testing.T) {
	t.Parallel()
	for clip, want := range map[string]string{"0": ", or set train.clip_norm\n", "1e9": ", or a smaller train.clip_norm\n"} {
		spec := writeSpec(t, 3, "")
		text, err := os.ReadFile(spec)
		if err != nil {
			t.Fatal(err)
		}
		wild := strings.Replace(string(text), "learning_rate: 0.02", "learning_rate: 1e6, clip_norm: "+clip, 1)
		if err := os.WriteFile(spec, []byte(wild), 0o600); err != nil {
			t.Fatal(err)
		}
		code, stdout, stderr := run(t, byHand("train", "--config", spec, "--out", t.TempDir()))
		if code != 0 || strings.Count(stdout+stderr, "diverged") != 1 || !strings.HasSuffix(stdout, "try a smaller train.learning_rate"+want) {
			t.Errorf("clip_norm %s: exit code %d: %s%s", clip, code, stdout, stderr)
		}
	}
}

// One epoch is one epoch, and the losses of a text are all in bits.
func TestUnitsOfWhatIsShown(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text, spec := filepath.Join(dir, "text.txt"), filepath.Join(dir, "text.yaml")
	if err := os.WriteFile(text, []byte(strings.Repeat("so much depends upon a red wheel barrow. ", 60)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(spec, []byte("version: 1\nname: text\ndata: {name: "+text+", length: 10}\nmodel: {kind: rnn, hidden: [4]}\ntrain: {epochs: 1}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := run(t, byHand("train", "--config", spec, "--out", filepath.Join(dir, "out")))
	line := regexp.MustCompile(`epoch 1/1  rate \S+ +train ([0-9.]+) bits  validation ([0-9.]+) bits `).FindStringSubmatch(stdout)
	if code != 0 || stderr != "" || line == nil || !strings.Contains(stdout, "trained    1 epoch in") {
		t.Fatalf("exit code %d: %s%s", code, stdout, stderr)
	}
	// Guessing among 19 characters takes log2(19) = 4.2 bits and ln(19) = 2.9 nats.
	if loss, err := strconv.ParseFloat(line[1], 64); err != nil || loss < 3.5 {
		t.Errorf("a train loss of %s bits, %v", line[1], err)
	}
}

// Measures on cases that are trained on mislead, so the run begins with a warning.
func TestTrainWarnsOfLeakage(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		different int
		want      []string
	}{
		"leaks": {20, []string{" test cases have the inputs of training cases", " validation cases have the inputs of training cases"}},
		"sound": {240, nil},
	} {
		dir := t.TempDir()
		spec := filepath.Join(dir, "x.yaml")
		if err := os.WriteFile(spec, []byte("version: 1\nname: x\ndata: {name: "+writeTable(t, 240, c.different)+", validation: 40}\nmodel: {hidden: [4]}\ntrain: {epochs: 1}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		code, stdout, stderr := run(t, byHand("train", "--config", spec, "--out", filepath.Join(dir, "out")))
		if code != 0 || strings.Count(stderr, "trainer: warning: ") != len(c.want) || strings.Count(stderr, "\n") != len(c.want) {
			t.Errorf("%s: exit code %d: %s%s", name, code, stdout, stderr)
		}
		for _, want := range c.want {
			if !strings.Contains(stderr, want) {
				t.Errorf("%s: no warning with %q: %s", name, want, stderr)
			}
		}
	}
}

// On a terminal one line is redrawn, never wider than the terminal.
func TestProgressOnATerminal(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	now := time.Unix(0, 0)
	p := &progress{out: &out, name: "small", width: func() int { return 60 }, now: func() time.Time { return now }}
	write := func(line string) {
		if _, err := p.Write([]byte(line)); err != nil {
			t.Fatal(err)
		}
	}
	write(`{"event":"start","epochs":20,"train_cases":500,"validation_cases":100,"weights":10,"engine":"cpu"}`)
	now = now.Add(5 * time.Second)
	write(`{"event":"progress","epoch":1,"step":5,"steps":10,"train_loss":2.5,"learning_rate":0.1}`)
	if want := "\repoch  1/20  rate 0.1  train loss 2.5000  3m15s left\x1b[K"; !strings.HasSuffix(out.String(), want) {
		t.Errorf("got %q, want %q at the end", out.String(), want)
	}
	out.Reset()
	write(`{"event":"epoch","epoch":1,"train_loss":2,"learning_rate":0.1,"validation_error":0.25}`)
	if want := "\repoch  2/20  rate 0.1  train loss 2.0000  validation error \x1b[K"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
	p.clear()
	if !strings.HasSuffix(out.String(), "\r\x1b[K") {
		t.Errorf("the line stays: %q", out.String())
	}
}

// A table of numbers is a data set, and what is wrong with one is said in one line.
func TestTrainOnATable(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var rows strings.Builder
	for i := range 240 {
		fmt.Fprintf(&rows, "%d,%g,%s\n", i%7, 1e4*float64(i%2)+float64(i%5), []string{"odd", "even"}[i%2])
	}
	table := filepath.Join(dir, "table.csv")
	if err := os.WriteFile(table, []byte(rows.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	spec := filepath.Join(dir, "table.yaml")
	text := "version: 1\nname: table\ndata: {name: " + table + ", validation: 40}\nmodel: {hidden: [8]}\ntrain: {epochs: 10, batch_size: 16}\n"
	if err := os.WriteFile(spec, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	args := []string{"train", "--config", spec, "--out", filepath.Join(dir, "out")}
	code, stdout, stderr := run(t, byHand(args...))
	if code != 0 || !strings.Contains(stdout, "test       0.00 % wrong") {
		t.Errorf("exit code %d: %s%s", code, stdout, stderr)
	}
	if code, stdout, stderr := run(t, byHand("gradcheck", "--config", spec)); code != 0 {
		t.Errorf("gradcheck: exit code %d: %s%s", code, stdout, stderr)
	}
	rows.WriteString("1,NaN,odd\n")
	if err := os.WriteFile(table, []byte(rows.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	code, _, stderr = run(t, byHand(args...))
	if want := "trainer: " + table + ": has \"NaN\" in line 241, column 2, which is not a finite number\n"; code != trainer.ExitData || stderr != want {
		t.Errorf("exit code %d, %q; want 65, %q", code, stderr, want)
	}
}
