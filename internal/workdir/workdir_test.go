package workdir

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func open(t *testing.T) Dir {
	t.Helper()
	d, err := Open(filepath.Join(t.TempDir(), "a", ".tenfold"))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestLockHasOneHolder(t *testing.T) {
	t.Parallel()
	d := open(t)
	lock, err := d.TryLock(ServerLock)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.TryLock(ServerLock); !errors.Is(err, ErrHeld) {
		t.Errorf("a second lock: %v, want ErrHeld", err)
	}
	if held, err := d.Held(ServerLock); err != nil || !held {
		t.Errorf("Held = %v, %v", held, err)
	}
	other, err := d.TryLock(WorkerLock("tenfold/a"))
	if err != nil {
		t.Errorf("another name: %v", err)
	} else {
		other.Unlock()
	}
	lock.Unlock()
	lock.Unlock()
	if held, err := d.Held(ServerLock); err != nil || held {
		t.Errorf("after Unlock: Held = %v, %v", held, err)
	}
}

func TestServerFile(t *testing.T) {
	t.Parallel()
	d := open(t)
	if _, ok, err := d.ReadServer(); ok || err != nil {
		t.Errorf("before: %v, %v", ok, err)
	}
	want := Server{PID: 7, Address: "127.0.0.1:1", Verb: "dev"}
	if err := d.WriteServer(want); err != nil {
		t.Fatal(err)
	}
	got, ok, err := d.ReadServer()
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for range 2 {
		if err := d.RemoveServer(); err != nil {
			t.Error(err)
		}
	}
}

func TestOpenNamesWhatIsInTheWay(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := Open(filepath.Join(file, "x"))
	if want := "make the folder " + file + "/x: not a directory"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if Exists(file) {
		t.Error("Exists says yes to a file")
	}
}
