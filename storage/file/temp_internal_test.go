//go:build unix

package file

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/tenfold-ml/tenfold/storage/backend"
)

// TestSweepStorm sweeps without a pause while others write: the moment between
// the creation of a temporary file and its lock is short, and is hit all the same.
func TestSweepStorm(t *testing.T) {
	t.Parallel()
	nothing := syncer{ // so that there are many such moments
		file: func(*os.File) error { return nil },
		dir:  func(string) error { return nil },
	}
	root := t.TempDir()
	var done atomic.Bool
	var writers, sweepers sync.WaitGroup
	for w := range 3 {
		writers.Go(func() {
			b := newBackend(root, nothing)
			for i := range 300 {
				key := fmt.Sprintf("%d/%d", w, i)
				if err := b.PutIfAbsent(t.Context(), key, strings.NewReader("x")); err != nil {
					t.Errorf("PutIfAbsent while others sweep: %v", err)
				}
			}
		})
		sweepers.Go(func() {
			b := newBackend(root, nothing)
			for !done.Load() {
				b.sweepTemps()
			}
		})
	}
	writers.Wait()
	done.Store(true)
	sweepers.Wait()
	newBackend(root, nothing).sweepTemps()
	if left, err := os.ReadDir(filepath.Join(root, backend.Reserved)); err != nil || len(left) > 0 {
		t.Errorf("in the end there are %v, %v", left, err)
	}
}

// TestLinkLostAnswer links a file to a name that it has already, which is what a
// network file system does that has lost the first answer.
func TestLinkLostAnswer(t *testing.T) {
	t.Parallel()
	b := newBackend(t.TempDir(), diskSyncer())
	first, err := b.newTemp()
	if err != nil {
		t.Fatal(err)
	}
	defer first.discard()
	path := filepath.Join(b.root, "object")
	for i := range 2 {
		if err := first.link(path); err != nil {
			t.Errorf("link %d: %v", i, err)
		}
	}
	second, err := b.newTemp()
	if err != nil {
		t.Fatal(err)
	}
	defer second.discard()
	if err := second.link(path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("link of another file: %v, want ErrExist", err)
	}
}

func TestClassify(t *testing.T) {
	t.Parallel()
	for errno, want := range map[syscall.Errno]error{
		syscall.ENOSPC: backend.ErrFull, syscall.EDQUOT: backend.ErrFull,
		syscall.EACCES: backend.ErrPermission, syscall.EPERM: backend.ErrPermission, syscall.EROFS: backend.ErrPermission,
		syscall.EIO: syscall.EIO,
	} {
		err := classify(&fs.PathError{Op: "write", Path: "/x", Err: errno})
		if !errors.Is(err, want) || !errors.Is(err, errno) || !strings.Contains(err.Error(), "/x") {
			t.Errorf("classify(%v) = %v, want also %v", errno, err, want)
		}
	}
	if classify(nil) != nil {
		t.Error("classify makes an error of nil")
	}
}
