package filelock

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// asHolder makes the test binary take the lock it names and keep it until its
// standard input ends.
const asHolder = "TENFOLD_FILELOCK_TEST_HOLDER"

func TestMain(m *testing.M) {
	if path := os.Getenv(asHolder); path != "" {
		lock, err := Try(path)
		if err != nil {
			panic(err)
		}
		fmt.Println("locked")
		_, _ = io.Copy(io.Discard, os.Stdin)
		lock.Unlock()
		return
	}
	os.Exit(m.Run())
}

func TestHasOneHolder(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.lock")
	want := func(held bool) {
		t.Helper()
		if got, err := Held(path); err != nil || got != held {
			t.Errorf("Held = %v, %v, want %v", got, err, held)
		}
	}
	want(false)
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("asking made the file: %v", err)
	}
	lock, err := Try(path)
	if err != nil {
		t.Fatal(err)
	}
	want(true)
	if _, err := Try(path); !errors.Is(err, ErrHeld) {
		t.Errorf("a second Try: %v, want ErrHeld", err)
	}
	want(true) // the attempts took nothing away
	lock.Unlock()
	lock.Unlock()
	want(false)
}

// TestAskingIsInNobodysWay asks over and over while the lock is taken and let go of:
// nobody else ever has it, so it can always be taken.
func TestAskingIsInNobodysWay(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.lock")
	done := make(chan struct{})
	var askers sync.WaitGroup
	for range 4 {
		askers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					if _, err := Held(path); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	for range 500 {
		lock, err := Try(path)
		if err != nil {
			t.Error(err)
			break
		}
		lock.Unlock()
		runtime.Gosched()
	}
	close(done)
	askers.Wait()
}

// TestAskersDoNotSeeEachOther asks from many sides for a lock that nobody has.
func TestAskersDoNotSeeEachOther(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.lock")
	lock, err := Try(path)
	if err != nil {
		t.Fatal(err)
	}
	lock.Unlock()
	var askers sync.WaitGroup
	for range 4 {
		askers.Go(func() {
			for range 500 {
				if held, err := Held(path); held || err != nil {
					t.Errorf("Held = %v, %v", held, err)
					return
				}
			}
		})
	}
	askers.Wait()
}

func TestEndsWithTheProcess(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.lock")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), asHolder+"="+path)
	if _, err := cmd.StdinPipe(); err != nil { // open as long as the holder lives
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "locked\n" {
		t.Fatalf("the holder said %q, %v", line, err)
	}
	if held, err := Held(path); err != nil || !held {
		t.Errorf("Held = %v, %v", held, err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	lock, err := Try(path)
	if err != nil {
		t.Fatalf("after the holder was killed: %v", err)
	}
	lock.Unlock()
}

func TestErrorsNameTheFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "none", "a.lock")
	_, err := Try(path)
	if err == nil || !strings.Contains(err.Error(), path) || strings.Count(err.Error(), path) > 1 {
		t.Errorf("got %v", err)
	}
}
