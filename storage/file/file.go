package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"syscall"

	"github.com/tenfold-ml/tenfold/storage/backend"
)

// Backend keeps objects below one folder. It holds no resources between calls.
type Backend struct {
	root    string // absolute
	host    string // names this machine in temporary files
	sync    syncer
	folders folders
}

var _ backend.Backend = (*Backend)(nil)

// Open makes a backend of the folder dir, which need not exist: the first write
// creates it. What is there and not a folder is an error. Open removes the
// temporary files that killed processes have left.
func Open(ctx context.Context, dir string) (*Backend, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	root, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", dir, err)
	}
	info, err := os.Stat(root)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("open store: %w", classify(err))
	case !info.IsDir():
		return nil, fmt.Errorf("open store %s: it is a file, not a folder", root)
	}
	b := newBackend(root, diskSyncer())
	b.sweepTemps()
	return b, nil
}

func newBackend(root string, sync syncer) *Backend {
	return &Backend{root: root, host: hostTag(), sync: sync, folders: folders{root: root, syncDir: sync.dir}}
}

// Root is the folder, as an absolute path.
func (b *Backend) Root() string { return b.root }

// String is the folder's URL.
func (b *Backend) String() string {
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(b.root)}).String()
}

// Get implements [backend.Backend].
func (b *Backend) Get(ctx context.Context, key string) (io.ReadCloser, error) {
	return b.open(ctx, key)
}

// GetRange implements [backend.Backend].
func (b *Backend) GetRange(ctx context.Context, key string, off, n int64) (io.ReadCloser, error) {
	if off < 0 {
		return nil, fmt.Errorf("get %s: negative offset %d", key, off)
	}
	f, err := b.open(ctx, key)
	if err != nil {
		return nil, err
	}
	if n < 0 {
		n = math.MaxInt64 - off
	}
	return struct {
		io.Reader
		io.Closer
	}{io.NewSectionReader(f, off, n), f}, nil
}

func (b *Backend) open(ctx context.Context, key string) (*os.File, error) {
	if err := check(ctx, key); err != nil {
		return nil, fmt.Errorf("get: %w", err)
	}
	f, err := os.Open(b.path(key))
	if err != nil {
		// Below an object there is nothing, which the kernel calls ENOTDIR.
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
			return nil, fmt.Errorf("get %s: %w", key, backend.ErrNotFound)
		}
		return nil, fmt.Errorf("get %s: %w", key, classify(err))
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = backend.ErrNotFound
	}
	if err != nil {
		_ = f.Close() // nothing was written to it
		return nil, fmt.Errorf("get %s: %w", key, err)
	}
	return f, nil
}

// Delete implements [backend.Backend]. Folders that become empty stay: removing
// them would race with a writer that is about to use them.
func (b *Backend) Delete(ctx context.Context, key string) error {
	if err := check(ctx, key); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	path := b.path(key)
	// os.Remove alone would remove an empty folder, too.
	if info, err := os.Lstat(path); err == nil && info.IsDir() {
		return nil
	}
	if err := os.Remove(path); err != nil {
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
			return nil
		}
		return fmt.Errorf("delete %s: %w", key, classify(err))
	}
	if err := b.sync.dir(filepath.Dir(path)); err != nil {
		return fmt.Errorf("delete %s: %w", key, classify(err))
	}
	return nil
}

func (b *Backend) path(key string) string {
	return filepath.Join(b.root, filepath.FromSlash(key))
}

func check(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	return backend.CheckKey(key)
}

// classify adds the backend's error to the system's, where there is one.
func classify(err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%w: %w", backend.ErrFull, err)
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM), errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%w: %w", backend.ErrPermission, err)
	}
	return err
}
