//go:build unix

package local_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tenfold-ml/tenfold/activities"
	"github.com/tenfold-ml/tenfold/activities/local"
	"github.com/tenfold-ml/tenfold/sweeps"
)

const timeout = 60 * time.Second

func newLauncher(t *testing.T, opts local.Options) *local.Launcher {
	t.Helper()
	if opts.Scratch == "" {
		opts.Scratch = t.TempDir()
	}
	l, err := local.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = l.Close(ctx) // says that it was in a hurry, if anything was left
	})
	return l
}

func key(name string) activities.JobKey {
	return activities.JobKey{Sweep: "s", Trial: sweeps.TrialID(name), Epochs: 1}
}

// run launches a command and watches it to its end.
func run(t *testing.T, l activities.Launcher, name string, update func(activities.JobUpdate), command ...string) activities.Exit {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	if _, err := l.Launch(ctx, activities.Job{Key: key(name), Attempt: 1, Command: command, Cores: 1}); err != nil {
		t.Fatal(err)
	}
	exit, err := l.Watch(ctx, key(name), update)
	if err != nil {
		t.Fatal(err)
	}
	return exit
}

func TestCommandThatCannotBeStarted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	l := newLauncher(t, local.Options{})
	for name, tc := range map[string]struct{ command, says string }{
		"not in PATH":    {"tenfold-no-such-command", `command "tenfold-no-such-command" not found`},
		"no such file":   {filepath.Join(dir, "none"), "not found"},
		"not executable": {file("plain", "#!/bin/sh\n", 0o644), "is not executable"},
		"a directory":    {dir, "is not executable"},
		"no interpreter": {file("script", "#!/no/such/interpreter\n", 0o755), "not found"},
		"not a program":  {file("garbage", "\x01\x02\x03", 0o755), "neither a program"},
	} {
		exit := run(t, l, name, nil, tc.command)
		if exit.Code != -1 || !exit.NotStarted || !strings.Contains(exit.Reason, tc.says) || exit.Attempt != 1 {
			t.Errorf("%s: exit %+v, want %q", name, exit, tc.says)
		}
	}
}

func TestScratchIsRemoved(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	l := newLauncher(t, local.Options{Scratch: root})
	var scratch string
	exit := run(t, l, "a", func(u activities.JobUpdate) {
		if u.Line != "" {
			scratch = u.Line
		}
	}, "sh", "-c", `cd "$TENFOLD_SCRATCH" && pwd -P && mkdir -p a/b && echo x >a/b/c && chmod 500 a/b && chmod 700 a/b`)
	if exit.Code != 0 || scratch == "" {
		t.Fatalf("exit %+v, scratch directory %q", exit, scratch)
	}
	if _, err := os.Stat(scratch); !os.IsNotExist(err) {
		t.Errorf("%s is still there: %v", scratch, err)
	}
	if err := l.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(root); err != nil || len(left) > 0 {
		t.Errorf("after Close %v is left (%v)", left, err)
	}
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	l := newLauncher(t, local.Options{
		Cores: 3, Dir: "/",
		Env: []string{"PATH=" + os.Getenv("PATH"), "OMP_NUM_THREADS=64", "TENFOLD_SCRATCH=/elsewhere", "HOME=/home/me"},
	})
	ctx := t.Context()
	job := activities.Job{
		Key: key("a"), Attempt: 1, Cores: 2, Env: map[string]string{"TENFOLD_TRIAL": "abc"},
		Command: []string{"sh", "-c", `echo "$OMP_NUM_THREADS $OPENBLAS_NUM_THREADS $TENFOLD_THREADS $TENFOLD_TRIAL $HOME $(pwd)"; case $TENFOLD_SCRATCH in /elsewhere) exit 1;; esac`},
	}
	if _, err := l.Launch(ctx, job); err != nil {
		t.Fatal(err)
	}
	var got string
	exit, err := l.Watch(ctx, key("a"), func(u activities.JobUpdate) { got += u.Line })
	if err != nil || exit.Code != 0 || got != "2 2 2 abc /home/me /" {
		t.Errorf("environment %q, exit %+v, %v", got, exit, err)
	}
}

func TestLongLinesAndGarbage(t *testing.T) {
	t.Parallel()
	l := newLauncher(t, local.Options{})
	const size = 10 << 20
	longest, last := 0, ""
	exit := run(t, l, "long", func(u activities.JobUpdate) {
		longest = max(longest, len(u.Line))
		if u.Line != "" {
			last = u.Line
		}
	}, "sh", "-c", fmt.Sprintf("head -c %d /dev/zero | tr '\\0' x; echo; echo last", size))
	if exit.Code != 0 || longest > 64<<10 || last != "last" {
		t.Errorf("exit %+v, longest line %d bytes, last line %q", exit, longest, last)
	}

	var all bytes.Buffer
	exit = run(t, l, "garbage", func(u activities.JobUpdate) { all.WriteString(u.Line) }, "sh", "-c", `printf 'a\000\377\r\nno newline'`)
	if got := all.String(); exit.Code != 0 || got != "a\x00\xffno newline" {
		t.Errorf("exit %+v, lines %q", exit, got)
	}
}

func TestFloodOfStandardError(t *testing.T) {
	t.Parallel()
	l := newLauncher(t, local.Options{})
	exit := run(t, l, "a", nil, "sh", "-c", `echo first >&2; head -c 12000000 /dev/zero | tr '\0' x >&2; echo >&2; echo last >&2`)
	if exit.Code != 0 || !strings.HasSuffix(exit.Stderr, "\nlast\n") || len(exit.Stderr) > 8<<10 {
		t.Errorf("exit with %d bytes of standard error: code %d", len(exit.Stderr), exit.Code)
	}
	var logs bytes.Buffer
	if err := l.Logs(t.Context(), key("a"), &logs); err != nil {
		t.Fatal(err)
	}
	text := logs.String()
	if !strings.HasPrefix(text, "first\n") || !strings.HasSuffix(text, "\nlast\n") || !strings.Contains(text, "bytes left out]") || len(text) > 9<<20 {
		t.Errorf("logs of %d bytes: want the beginning, a note and the end", len(text))
	}
}

func TestLogsOfARunningJob(t *testing.T) {
	t.Parallel()
	l := newLauncher(t, local.Options{})
	ctx := t.Context()
	if _, err := l.Launch(ctx, activities.Job{Key: key("a"), Attempt: 1, Cores: 1, Command: []string{"sh", "-c", "echo oops >&2; exec sleep 1000"}}); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(timeout)
	for got := ""; got != "oops\n"; {
		var logs bytes.Buffer
		if err := l.Logs(ctx, key("a"), &logs); err != nil {
			t.Fatal(err)
		}
		if got = logs.String(); time.Now().After(deadline) {
			t.Fatalf("logs %q", got)
		}
		<-time.After(time.Millisecond) // polls: nothing tells when a log has grown
	}
	if err := l.Stop(ctx, key("a")); err != nil {
		t.Error(err)
	}
}

func TestOutputOnStandardErrorIsASignOfLife(t *testing.T) {
	t.Parallel()
	l := newLauncher(t, local.Options{})
	release := filepath.Join(t.TempDir(), "go")
	signs := 0
	exit := run(t, l, "a", func(u activities.JobUpdate) {
		if u.State != activities.JobRunning {
			return
		}
		// The first is that it runs. Without the second it would wait forever.
		if signs++; signs == 2 {
			if err := os.WriteFile(release, nil, 0o600); err != nil {
				t.Error(err)
			}
		}
	}, "sh", "-c", `while ! test -e "$0"; do printf . >&2; sleep 0.02; done`, release)
	if exit.Code != 0 || signs < 2 {
		t.Errorf("exit %+v after %d signs of life", exit, signs)
	}
}
