package file

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/tenfold-ml/tenfold/storage/backend"
)

// foreignAge is how old another machine's temporary file must be before it is
// taken for stale: a shared file system may be mounted with locks that do not
// reach across machines.
const foreignAge = time.Hour

// hostTag names this machine in 8 hex digits.
func hostTag() string {
	name, err := os.Hostname()
	if err != nil {
		name = "" // then all nameless machines count as one, and locks decide
	}
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:4])
}

// temp is a file on its way to become an object. It stays open, and with that
// locked, until discard.
type temp struct {
	f    *os.File
	path string
}

func (b *Backend) tempDir() string { return filepath.Join(b.root, backend.Reserved) }

// newTemp creates a temporary file and locks it.
func (b *Backend) newTemp() (*temp, error) {
	const tries = 100 // losing one to a sweep is rare, and has nothing to do with the next
	for range tries {
		path := filepath.Join(b.tempDir(), b.host+"-"+rand.Text())
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
		if errors.Is(err, fs.ErrNotExist) {
			// Not there yet, or removed by hand. It need not be durable.
			if err := os.MkdirAll(b.tempDir(), 0o777); err != nil {
				return nil, err
			}
			continue
		}
		if err != nil {
			return nil, err
		}
		t := &temp{f: f, path: path}
		// A sweep may have come between creating and locking. Then it holds the
		// lock, or has removed the file already.
		switch err := tryLock(f); {
		case errors.Is(err, errLocked):
			_ = f.Close() // nothing is in it; the sweep removes it
			continue
		case err != nil && !errors.Is(err, errors.ErrUnsupported):
			t.discard()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		if _, err := os.Lstat(path); err == nil {
			return t, nil
		}
		_ = f.Close() // nothing is in it, and it has no name any more
	}
	return nil, fmt.Errorf("create a file in %s: it vanished %d times", b.tempDir(), tries)
}

// fill writes all of r and syncs it.
func (t *temp) fill(ctx context.Context, r io.Reader, sync syncer) error {
	w := &contextWriter{ctx: ctx, w: t.f}
	if _, err := io.Copy(w, r); err != nil {
		if w.err != nil {
			return w.err
		}
		return fmt.Errorf("read what to write: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return sync.file(t.f)
}

// link gives the file the name path unless there is something of that name.
func (t *temp) link(path string) error {
	err := os.Link(t.path, path)
	if err != nil && sameFile(t.f, path) {
		// A network file system may do it, lose the answer, and ask again.
		return nil
	}
	return err
}

// rename gives the file the name path, which it takes from what has it now.
func (t *temp) rename(path string) error { return os.Rename(t.path, path) }

// discard removes the temporary name and closes the file, in this order: while
// the file is locked nobody else removes it. What could fail is of no
// consequence: the object is synced, or is not one, and the next sweep gets
// what stays.
func (t *temp) discard() {
	_ = os.Remove(t.path)
	_ = t.f.Close()
}

// sweepTemps removes the temporary files whose writers are gone. It is
// housekeeping: that it fails (on a store that can only be read, say) matters
// to nobody.
func (b *Backend) sweepTemps() {
	entries, err := os.ReadDir(b.tempDir())
	if err != nil {
		return
	}
	for _, e := range entries {
		if !e.Type().IsRegular() {
			continue
		}
		if !strings.HasPrefix(e.Name(), b.host+"-") {
			if info, err := e.Info(); err != nil || time.Since(info.ModTime()) < foreignAge {
				continue
			}
		}
		removeIfAbandoned(filepath.Join(b.tempDir(), e.Name()))
	}
}

// removeIfAbandoned removes a file that no process has locked. Names are never
// used twice, so the file that is locked and the name that is removed belong
// together.
func removeIfAbandoned(path string) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return
	}
	defer func() { _ = f.Close() }() // only after the removal: it drops the lock
	if tryLock(f) == nil {
		_ = os.Remove(path)
	}
}

func sameFile(f *os.File, path string) bool {
	a, err := f.Stat()
	if err != nil {
		return false
	}
	b, err := os.Lstat(path)
	return err == nil && os.SameFile(a, b)
}

// contextWriter stops writing when its context ends, and remembers its own
// error, so that a copy's reader and writer can be told apart.
type contextWriter struct {
	ctx context.Context
	w   io.Writer
	err error
}

func (w *contextWriter) Write(p []byte) (n int, err error) {
	const chunk = 1 << 20 // between two looks at the context
	for w.err == nil && n < len(p) {
		if w.err = w.ctx.Err(); w.err != nil {
			break
		}
		var m int
		m, w.err = w.w.Write(p[n:min(len(p), n+chunk)])
		n += m
	}
	return n, w.err
}
