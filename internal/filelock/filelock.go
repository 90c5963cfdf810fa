// Package filelock locks files for as long as a process lives: the lock of a folder's
// server, of a task queue, of a database. The operating system lets go of a lock when
// its process dies, however it dies, so there are no stale ones.
//
// Lock files are never removed: a lock on a file without a name protects nothing.
package filelock

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// ErrHeld says that somebody else has the lock.
var ErrHeld = errors.New("another process holds the lock")

// Lock is held until Unlock or the end of the process.
type Lock struct{ file *os.File }

// Try takes the lock of a file, which it makes if need be, or returns [ErrHeld] at
// once. Two calls in one process exclude each other, too. Errors name the file.
func Try(path string) (*Lock, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|unix.O_CLOEXEC, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open the lock %s: %w", path, cause(err))
	}
	switch err := uninterrupted(func() error { return take(f) }); {
	case err == nil:
		return &Lock{file: f}, nil
	case errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES):
		_ = f.Close()
		return nil, ErrHeld
	default:
		_ = f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
}

// Held says whether somebody has the lock of a file now. On Linux asking takes
// nothing, so it is in nobody's way.
func Held(path string) (bool, error) {
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_CLOEXEC, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("open the lock %s: %w", path, cause(err))
	}
	defer f.Close()
	var held bool
	err = uninterrupted(func() error {
		held, err = taken(f)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("ask for the lock %s: %w", path, err)
	}
	return held, nil
}

// Unlock releases the lock. It may be called more than once.
func (l *Lock) Unlock() {
	// Not by closing alone: a process that is being started has a copy of the
	// descriptor until it runs its program.
	_ = release(l.file)
	_ = l.file.Close()
}

// uninterrupted calls f again as long as a signal comes in between.
func uninterrupted(f func() error) error {
	for {
		if err := f(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// cause drops the operation and path of a file error, for messages that name
// the path themselves.
func cause(err error) error {
	if e := (*fs.PathError)(nil); errors.As(err, &e) {
		return e.Err
	}
	return err
}
