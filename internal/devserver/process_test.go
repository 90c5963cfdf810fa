package devserver_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/tenfold-ml/tenfold/internal/devserver"
)

// roleVariable makes the test binary play a part instead of running tests.
const roleVariable = "TENFOLD_DEVSERVER_TEST_ROLE"

func TestMain(m *testing.M) {
	roles := map[string]func(context.Context, string) error{"count": countRole, "inspect": inspectRole}
	role, ok := roles[os.Getenv(roleVariable)]
	if !ok {
		os.Exit(m.Run())
	}
	if err := role(context.Background(), os.Args[1]); err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
}

// child starts the test binary in a role, on a folder.
func child(t *testing.T, role, dir string) (*exec.Cmd, *bufio.Reader) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, dir)
	cmd.Env = append(os.Environ(), roleVariable+"="+role)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, bufio.NewReader(out)
}

// TestKill kills the process that serves a file, over and over, from before the
// file exists on, and expects the workflow in it to go on each time and to end
// as if nothing had been.
func TestKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	random := rand.New(rand.NewPCG(1, 2))
	const kills = 10
	for i := range kills {
		cmd, out := child(t, "count", dir)
		// Early kills hit the set-up of the file, later ones the work.
		timer := time.AfterFunc(time.Duration(random.IntN(15+60*i))*time.Millisecond, func() { _ = cmd.Process.Kill() })
		rest, _ := io.ReadAll(out)
		err := cmd.Wait()
		timer.Stop()
		if strings.Contains(string(rest), "failed") {
			t.Fatalf("round %d: %s", i, rest)
		}
		if err == nil {
			t.Logf("done after %d kills already", i)
			break
		}
	}
	cmd, out := child(t, "count", dir)
	rest, err := io.ReadAll(out)
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the last round: %v", err)
	}
	// Nothing else is ever written to standard output or standard error.
	if got, want := string(rest), fmt.Sprintf("done %d\n", countTo); got != want {
		t.Errorf("the last round printed %q, want %q", got, want)
	}
}

// countTo is the number of activities of the workflow, one after the other.
const countTo = 80

// countRole serves the file in dir until its workflow has ended, which it starts
// unless it is there.
func countRole(ctx context.Context, dir string) (err error) {
	s, err := devserver.Start(ctx, devserver.Options{Dir: dir, DBFile: "temporal.db"})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Stop()) }()
	c, err := s.Client(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	w := worker.New(c, "q", worker.Options{StickyScheduleToStartTimeout: time.Second})
	w.RegisterWorkflow(count)
	w.RegisterActivity(increment)
	if err := w.Start(); err != nil {
		return err
	}
	defer w.Stop()
	run, err := c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: "count", TaskQueue: "q",
		WorkflowTaskTimeout: time.Second, // what a kill costs while one is worked on
	}, count)
	if err != nil {
		return err
	}
	var n int
	if err := run.Get(ctx, &n); err != nil {
		return err
	}
	fmt.Println("done", n)
	return nil
}

func count(ctx workflow.Context) (int, error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 300 * time.Millisecond, // what a kill costs
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: time.Millisecond, BackoffCoefficient: 1},
	})
	n := 0
	for range countTo {
		if err := workflow.ExecuteActivity(ctx, increment, n).Get(ctx, &n); err != nil {
			return 0, err
		}
	}
	return n, nil
}

func increment(_ context.Context, n int) (int, error) { return n + 1, nil }

// TestListensOnLoopbackOnly also says what a stopped server leaves behind.
func TestListensOnLoopbackOnly(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("reads /proc")
	}
	cmd, out := child(t, "inspect", t.TempDir())
	said, err := io.ReadAll(out)
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v: %s", err, said)
	}
	t.Logf("%s", said)
}

func inspectRole(ctx context.Context, dir string) error {
	before := runtime.NumGoroutine()
	s, err := devserver.Start(ctx, devserver.Options{Dir: dir, DBFile: "temporal.db"})
	if err != nil {
		return err
	}
	at, err := listeners()
	if err != nil {
		return err
	}
	if len(at) != 3 {
		return fmt.Errorf("listens at %d addresses, want 3 (frontend, history, matching): %v", len(at), at)
	}
	for _, a := range at {
		if !strings.HasPrefix(a, "0100007F:") {
			return fmt.Errorf("listens at %s, which is not 127.0.0.1", a)
		}
	}
	during := runtime.NumGoroutine()
	if err := s.Stop(); err != nil {
		return err
	}
	if at, err = listeners(); err != nil {
		return err
	}
	if len(at) != 0 {
		return fmt.Errorf("after Stop it listens at %v", at)
	}
	// Goroutines that were told to end get a moment to do so.
	for range 100 {
		if runtime.NumGoroutine() < before+50 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	fmt.Printf("goroutines: %d before, %d while it ran, %d after Stop\n", before, during, runtime.NumGoroutine())
	if os.Getenv("TENFOLD_DEVSERVER_TEST_STACKS") != "" {
		stacks := make([]byte, 1<<20)
		fmt.Println(string(stacks[:runtime.Stack(stacks, true)]))
	}
	return nil
}

// listeners lists the addresses, in hex, that this process listens at.
func listeners() ([]string, error) {
	own := map[string]bool{} // inodes of sockets
	descriptors, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return nil, err
	}
	for _, d := range descriptors {
		if link, err := os.Readlink(filepath.Join("/proc/self/fd", d.Name())); err == nil {
			if inode, ok := strings.CutPrefix(link, "socket:["); ok {
				own[strings.TrimSuffix(inode, "]")] = true
			}
		}
	}
	var at []string
	for _, table := range []string{"/proc/self/net/tcp", "/proc/self/net/tcp6"} {
		content, err := os.ReadFile(table)
		if err != nil {
			continue // no IPv6
		}
		const address, state, inode, listening = 1, 3, 9, "0A"
		for line := range strings.Lines(string(content)) {
			f := strings.Fields(line)
			if len(f) > inode && f[state] == listening && own[f[inode]] {
				at = append(at, f[address])
			}
		}
	}
	return at, nil
}
