package file

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/tenfold-ml/tenfold/storage/backend"
)

// maxKnown bounds the memory of folders: about 2 MB.
const maxKnown = 1 << 14

// folders creates folders and makes them durable. A folder that is there
// already may have been created by another process a moment ago and not be
// durable yet, so each one is made so once per process.
type folders struct {
	root    string
	syncDir func(path string) error

	mu    sync.Mutex
	known map[string]struct{} // whose names are durable, as far as this process knows
}

// create makes dir, which is the root or below it, exist.
func (f *folders) create(dir string) error {
	if f.isKnown(dir) {
		return nil
	}
	err := os.MkdirAll(dir, 0o777)
	var at *fs.PathError
	if errors.Is(err, syscall.ENOTDIR) && errors.As(err, &at) {
		if rel, e := filepath.Rel(f.root, at.Path); e == nil && backend.CheckKey(filepath.ToSlash(rel)) == nil {
			return fmt.Errorf("%w: there is an object %s", backend.ErrBadKey, filepath.ToSlash(rel))
		}
	}
	return err
}

// settle makes the names in dir durable, and dir's own name, and those of all
// folders above it. It is called after dir has got a new name, rather than before,
// because then one pass through a journal usually carries all of them.
func (f *folders) settle(dir string) error {
	if err := f.syncDir(dir); err != nil {
		return err
	}
	var settled []string
	for ; !f.isKnown(dir); dir = filepath.Dir(dir) {
		settled = append(settled, dir)
		if dir == f.root {
			if err := f.settleRoot(); err != nil {
				return err
			}
			break
		}
		if err := f.syncDir(filepath.Dir(dir)); err != nil {
			return err
		}
	}
	f.add(settled...)
	return nil
}

// settleRoot makes the name of the store's folder durable, and those above it:
// any of them may be new.
func (f *folders) settleRoot() error {
	dir, err := filepath.EvalSymlinks(f.root)
	if err != nil {
		return err
	}
	for dir != filepath.Dir(dir) {
		dir = filepath.Dir(dir)
		// A folder that may not be read cannot be synced. It is nobody's new one.
		if err := f.syncDir(dir); err != nil && !errors.Is(err, fs.ErrPermission) {
			return err
		}
	}
	return nil
}

func (f *folders) isKnown(dir string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, ok := f.known[dir]
	return ok
}

func (f *folders) add(dirs ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.known == nil || len(f.known) >= maxKnown {
		f.known = make(map[string]struct{})
	}
	for _, dir := range dirs {
		f.known[dir] = struct{}{}
	}
}

// forget drops all that is known, so that it is looked at again.
func (f *folders) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.known = nil
}
