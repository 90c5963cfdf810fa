//go:build unix

package file_test

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tenfold-ml/tenfold/storage/backend"
)

// TestKill kills a process that commits, again and again, at random moments.
// Afterwards everything it said was committed is there, everything that is there
// is whole, and opening the store has removed what was left of the rest.
func TestKill(t *testing.T) {
	t.Parallel()
	rounds := 30
	if testing.Short() {
		rounds = 8
	}
	root := filepath.Join(t.TempDir(), "store")
	commits, stale := 0, 0
	for round := range rounds {
		c := startChild(t, roleCommitter, root, strconv.Itoa(round))
		kill := func() *time.Timer {
			return time.AfterFunc(time.Duration(rand.Int64N(int64(50*time.Millisecond))), func() {
				_ = c.cmd.Process.Kill() // it may be gone, which Wait tells
			})
		}
		var timer *time.Timer
		if round%4 == 0 {
			timer = kill() // perhaps before its first commit; the others in the middle
		}
		var committed []string
		for {
			line, err := c.stdout.ReadString('\n')
			if err != nil {
				break // half a line promises nothing
			}
			committed = append(committed, strings.TrimSpace(line))
			if timer == nil {
				timer = kill()
			}
		}
		err := c.cmd.Wait()
		if timer != nil {
			timer.Stop()
		}
		if status, ok := c.cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !status.Signaled() {
			t.Fatalf("the committer was not killed: %v\n%s", err, &c.stderr)
		}
		commits += len(committed)
		stale += len(temps(t, root))

		b := open(t, root)
		if left := temps(t, root); len(left) > 0 {
			t.Errorf("round %d: after opening there are still %v", round, left)
		}
		for _, key := range committed {
			wantSealed(t, b, key)
		}
	}
	wantWhole(t, open(t, root), commits)
	t.Logf("%d commits, %d temporary files left by %d killed processes", commits, stale, rounds)
	if commits == 0 || stale == 0 {
		t.Error("the kills never came in the middle of a commit, so nothing was tested")
	}
}

// TestSweepSparesLiveWriters opens a store again and again while writes are under way.
func TestSweepSparesLiveWriters(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	b := open(t, root)
	slow := startSlowPut(t, b, "slow")
	if got := temps(t, root); len(got) != 1 {
		t.Fatalf("a write under way has the temporary files %v, want one", got)
	}
	for range 10 {
		open(t, root)
	}
	if got := temps(t, root); len(got) != 1 {
		t.Errorf("after opening, the write under way has the temporary files %v", got)
	}
	slow.finish(t)
	wantSealed(t, b, "slow")
	if got := temps(t, root); len(got) != 0 {
		t.Errorf("after the write there are %v", got)
	}
}

// TestSweepByAge says which temporary files that nobody has locked are removed.
func TestSweepByAge(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	b := open(t, root)
	slow := startSlowPut(t, b, "slow")
	host, _, _ := strings.Cut(temps(t, root)[0], "-")
	slow.finish(t)

	dir := filepath.Join(root, backend.Reserved)
	for name, age := range map[string]time.Duration{
		host + "-NEW":      0,
		host + "-OLD":      24 * time.Hour,
		"0ther000-NEW":     10 * time.Minute, // its lock may not reach here
		"0ther000-OLD":     24 * time.Hour,
		"README":           0,
		host + "-folder/x": 24 * time.Hour,
	} {
		path := filepath.Join(dir, name)
		then := time.Now().Add(-age)
		err := errors.Join(
			os.MkdirAll(filepath.Dir(path), 0o777),
			os.WriteFile(path, []byte("half an obj"), 0o666),
			os.Chtimes(path, then, then),
		)
		if err != nil {
			t.Fatal(err)
		}
	}
	open(t, root)
	want := []string{"0ther000-NEW", "README", host + "-folder"}
	slices.Sort(want)
	if got := temps(t, root); !slices.Equal(got, want) {
		t.Errorf("after opening there are %v, want %v", got, want)
	}
}

// temps names what is in the store's folder of temporary files, in order.
func temps(t *testing.T, root string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(root, backend.Reserved))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
