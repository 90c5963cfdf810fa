package local_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tenfold-ml/tenfold/activities"
	"github.com/tenfold-ml/tenfold/activities/local"
)

// runs says whether a process is there and not a zombie.
func runs(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	return !strings.HasPrefix(rest, "Z") && !strings.HasPrefix(rest, "X")
}

func waitGone(t *testing.T, pid int) {
	t.Helper()
	for deadline := time.Now().Add(timeout); runs(pid); <-time.After(time.Millisecond) {
		if time.Now().After(deadline) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
			t.Fatalf("process %d still runs", pid)
		}
	}
}

// pids collects the numbers that a job prints, one a line.
type pids struct {
	mu   sync.Mutex
	list []int
	more chan struct{}
}

func (p *pids) update(u activities.JobUpdate) {
	if n, err := strconv.Atoi(u.Line); err == nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.list = append(p.list, n)
		p.more <- struct{}{}
	}
}

func TestJobsLeaveNothingBehind(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		script  string
		stop    bool
		code    int
		printed int
	}{
		// The shell ends, its child would not.
		"child in the background": {script: `sleep 1000 & echo $!`, printed: 1},
		"deaf child":              {script: `(trap "" TERM; sleep 1000) & echo $!`, printed: 1},
		// The child of a stopped shell has its grace, although the shell dies at once.
		"stopped with a child": {script: `sh -c 'trap "echo 1; exit" TERM; echo $$; while :; do sleep 0.01; done' & echo $!; wait`, stop: true, code: -1, printed: 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLauncher(t, local.Options{Grace: timeout})
			p := &pids{more: make(chan struct{}, 10)}
			ctx := t.Context()
			if _, err := l.Launch(ctx, activities.Job{Key: key("a"), Attempt: 1, Cores: 1, Command: []string{"sh", "-c", tc.script}}); err != nil {
				t.Fatal(err)
			}
			var exit activities.Exit
			done := make(chan error, 1)
			go func() {
				var err error
				exit, err = l.Watch(ctx, key("a"), p.update)
				done <- err
			}()
			<-p.more
			if tc.stop {
				<-p.more
				if err := l.Stop(ctx, key("a")); err != nil {
					t.Error(err)
				}
			}
			if err := <-done; err != nil || exit.Code != tc.code {
				t.Errorf("exit %+v, %v; want code %d", exit, err, tc.code)
			}
			if len(p.list) != tc.printed {
				t.Errorf("printed %v, want %d numbers", p.list, tc.printed)
			}
			for _, pid := range p.list {
				if pid > 1 && runs(pid) {
					t.Errorf("process %d outlived its job", pid)
				}
			}
		})
	}
}

func TestProcessThatLeavesTheGroupDoesNotHoldUpTheJob(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("setsid"); err != nil {
		t.Skip("no setsid on this machine")
	}
	l := newLauncher(t, local.Options{})
	p := &pids{more: make(chan struct{}, 10)}
	// It inherits standard output and keeps it open.
	exit := run(t, l, "a", p.update, "sh", "-c", `setsid sleep 1000 & echo $!; exit 4`)
	if exit.Code != 4 {
		t.Errorf("exit %+v", exit)
	}
	for _, pid := range p.list {
		_ = syscall.Kill(pid, syscall.SIGKILL)
		waitGone(t, pid)
	}
}

func TestGroupOfItsOwn(t *testing.T) {
	t.Parallel()
	l := newLauncher(t, local.Options{})
	var got string
	run(t, l, "a", func(u activities.JobUpdate) { got += u.Line }, "sh", "-c", `set -- $(cat /proc/$$/stat); echo "$1 $5"`)
	pid, group, _ := strings.Cut(got, " ")
	if pid == "" || pid != group {
		t.Errorf("process and group %q, want them equal, so that a Ctrl-C passes it by", got)
	}
}

// TestSurvivesThreads starts jobs from goroutines that take their threads with
// them: a trainer must die with the process, not with the thread.
func TestSurvivesThreads(t *testing.T) {
	t.Parallel()
	l := newLauncher(t, local.Options{Cores: 8})
	release := filepath.Join(t.TempDir(), "go")
	var launched sync.WaitGroup
	for i := range 8 {
		launched.Go(func() {
			runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
			job := activities.Job{
				Key: key(strconv.Itoa(i)), Attempt: 1, Cores: 1,
				Command: []string{"sh", "-c", `echo up; while ! test -e "$0"; do sleep 0.02; done; exit 7`, release},
			}
			if _, err := l.Launch(t.Context(), job); err != nil {
				t.Error(err)
			}
		})
	}
	launched.Wait()
	if err := os.WriteFile(release, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for i := range 8 {
		if exit, err := l.Watch(t.Context(), key(strconv.Itoa(i)), nil); err != nil || exit.Code != 7 {
			t.Errorf("job %d: exit %+v, %v", i, exit, err)
		}
	}
}

// parentVariable makes the test binary a process with a launcher, to be killed.
const parentVariable = "TENFOLD_LOCAL_PARENT"

// parent launches two jobs, prints their processes and waits to be killed, in a
// process that was started for that.
func parent() {
	scratch := os.Getenv(parentVariable)
	if scratch == "" {
		return
	}
	l, err := local.New(local.Options{Scratch: scratch, Cores: 2})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	for i, script := range []string{`echo $$; exec sleep 1000`, `sleep 1000 & echo $!; wait`} {
		k := key(strconv.Itoa(i))
		job := activities.Job{Key: k, Attempt: 1, Cores: 1, Command: []string{"sh", "-c", script}}
		if _, err := l.Launch(context.Background(), job); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		go func() {
			_, _ = l.Watch(context.Background(), k, func(u activities.JobUpdate) {
				if u.Line != "" {
					fmt.Println(i, u.Line)
				}
			})
		}()
	}
	<-time.After(10 * time.Minute)
}

func TestKilledParent(t *testing.T) {
	t.Parallel()
	scratch := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), parentVariable+"="+scratch)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var direct, grandchild int
	lines := bufio.NewScanner(out)
	for range 2 {
		if !lines.Scan() {
			t.Fatal("the parent has not started its jobs")
		}
		var which, pid int
		if _, err := fmt.Sscan(lines.Text(), &which, &pid); err != nil {
			t.Fatalf("%q: %v", lines.Text(), err)
		}
		if which == 0 {
			direct = pid
		} else {
			grandchild = pid
		}
	}
	if !runs(direct) || !runs(grandchild) {
		t.Fatal("the jobs do not run")
	}
	homes := func() int {
		list, err := filepath.Glob(filepath.Join(scratch, "launcher-*"))
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	// Another launcher beside it leaves it alone.
	newLauncher(t, local.Options{Scratch: scratch})
	if homes() != 2 || !runs(grandchild) {
		t.Error("a launcher took the place of one that lives")
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) {
		t.Errorf("wait: %v", err)
	}
	waitGone(t, direct)
	// The next one cleans up what the kernel does not.
	newLauncher(t, local.Options{Scratch: scratch})
	waitGone(t, grandchild)
	if n := homes(); n != 2 {
		t.Errorf("%d scratch directories of launchers, want those of the two that live", n)
	}
}
