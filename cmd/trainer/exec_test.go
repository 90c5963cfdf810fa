package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/sweeps"
)

// newExecFixture is a store with one trial of recipes/custom-trainer.
func newExecFixture(t *testing.T, epochs int) fixture {
	t.Helper()
	f := fixture{url: (&url.URL{Scheme: "file", Path: t.TempDir()}).String(), epochs: epochs}
	trial := sweeps.Trial{
		Config: sweeps.Config{
			Seed: 1, Train: sweeps.Train{Epochs: epochs},
			Custom: map[string]any{"hidden": 8, "rate": 0.05, "momentum": 0.9, "data_seed": 7},
		},
		Trainer: "command:[]",
	}
	var err error
	if f.store, err = storage.Open(t.Context(), f.url); err != nil {
		t.Fatal(err)
	}
	if f.id, err = trial.ID(); err != nil {
		t.Fatal(err)
	}
	if err := f.store.PutTrial(t.Context(), f.id, trial); err != nil {
		t.Fatal(err)
	}
	return f
}

// execPython is the recipe's trainer, run by the adapter.
func execPython(t *testing.T, f fixture, attempt int) *exec.Cmd {
	t.Helper()
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("there is no python3")
	}
	script, err := filepath.Abs("../../recipes/custom-trainer/train.py")
	if err != nil {
		t.Fatal(err)
	}
	return f.command(attempt, "exec", "--scratch", t.TempDir(), "--", "python3", script)
}

// Python that is stopped by SIGTERM and by SIGKILL, once each, ends in the same result as
// when it was left alone.
func TestExecPython(t *testing.T) {
	t.Parallel()
	// However fast the machine, at some length both signals come in time.
	for epochs := 40; ; epochs *= 4 {
		f := newExecFixture(t, epochs)
		terminated := signalAt(t, execPython(t, f, 1), `"epoch": 3,`, syscall.SIGTERM)
		killed := signalAt(t, execPython(t, f, 2), `"event":"stored"`, syscall.SIGKILL)
		if terminated == 0 || killed == 0 {
			if epochs > 10_000 {
				t.Fatal("no signal comes in time")
			}
			continue
		}
		if terminated != 75 {
			t.Errorf("exit code %d after SIGTERM, want 75", terminated)
		}
		code, stdout, stderr := run(t, execPython(t, f, 3))
		if code != 0 {
			t.Fatalf("exit code %d: %s%s", code, stdout, stderr)
		}
		if strings.Contains(stdout, `"epoch": 1,`) {
			t.Error("it began anew")
		}
		alone := newExecFixture(t, epochs)
		if code, _, stderr := run(t, execPython(t, alone, 1)); code != 0 {
			t.Fatalf("exit code %d: %s", code, stderr)
		}
		if diff := cmp.Diff(essence(t, alone), essence(t, f)); diff != "" {
			t.Errorf("the result of an interrupted run (-alone +interrupted):\n%s", diff)
		}
		for _, f := range []fixture{alone, f} {
			r := essence(t, f)
			for _, a := range []sweeps.Artifact{r.Checkpoint, r.ValidationPredictions, r.TestPredictions, r.ValidationLabels, r.TestLabels} {
				if err := f.store.VerifyArtifact(t.Context(), a); err != nil {
					t.Error(err)
				}
			}
		}
		return
	}
}

// signalAt signals a command when it prints something, and returns its exit code: -1
// after SIGKILL.
func signalAt(t *testing.T, cmd *exec.Cmd, what string, sig syscall.Signal) int {
	t.Helper()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		if strings.Contains(lines.Text(), what) {
			_ = cmd.Process.Signal(sig) // it may have ended
			what = "\n"                 // in no line
		}
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code >= 0 {
		return code
	}
	return -1
}

// The command dies with the adapter, whatever that dies of.
func TestExecKilled(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux kills the children of a killed process")
	}
	f := newExecFixture(t, 1)
	cmd := f.command(1, "exec", "--scratch", t.TempDir(), "sh", "-c", "echo running; trap '' TERM; while :; do sleep 0.01; done")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	died, stderr, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = died.Close() }()
	cmd.Stderr = stderr
	err = cmd.Start()
	_ = stderr.Close()
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	for running := false; !running && lines.Scan(); {
		running = lines.Text() == "running"
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	// The command holds our end of standard error open as long as it lives.
	_ = cmd.Wait()
	if n, err := died.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("read %d bytes, %v; want the end", n, err)
	}
}

// TestExecCommandLine is what the exit code and the last line of standard error say.
func TestExecCommandLine(t *testing.T) {
	t.Parallel()
	f := newExecFixture(t, 2)
	for name, tc := range map[string]struct {
		args []string
		code int
		says string
	}{
		"no command":      {nil, 64, "trainer: there is no command: trainer exec -- COMMAND [ARG…]; see trainer exec --help"},
		"unknown flag":    {[]string{"--lr", "3", "--", "true"}, 64, "trainer: unknown flag: --lr; see trainer exec --help"},
		"no such program": {[]string{"--", "tenfold-no-such-command"}, 64, `trainer: command "tenfold-no-such-command" not found: executable file not found in $PATH`},
		"grace":           {[]string{"--grace", "0s", "true"}, 64, "trainer: grace: 0s is not above 0"},
		"no result":       {[]string{"true"}, 64, "trainer: true has exited with 0 and left no result.json in $TENFOLD_OUT"},
		"its own words":   {[]string{"sh", "-c", "echo mine >&2; exit 65"}, 65, "mine"},
		"its own failure": {[]string{"sh", "-c", "echo mine >&2; exit 3"}, 3, "mine"},
		"its own flags":   {[]string{"sh", "-c", "echo $0 $1 >&2; exit 1", "--epochs", "-9"}, 1, "--epochs -9"},
		"a signal":        {[]string{"sh", "-c", "kill -9 $$"}, 137, "trainer: sh was ended by signal 9 (killed)"},
		"junk":            {[]string{"sh", "-c", `echo junk > "$TENFOLD_OUT/result.json"`}, 65, "trainer: result.json: line 1: is no JSON: invalid character 'j' looking for beginning of value"},
	} {
		code, _, stderr := run(t, f.command(1, append([]string{"exec"}, tc.args...)...))
		if code != tc.code || strings.TrimSuffix(stderr, "\n") != tc.says {
			t.Errorf("%s: code %d, standard error %q; want %d, %q", name, code, stderr, tc.code, tc.says)
		}
	}
}
