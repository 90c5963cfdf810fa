//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package file

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// errLocked says that another open file holds the lock.
var errLocked = errors.New("locked by another process")

// tryLock locks a file until it is closed or the process ends. A file system
// without locks gives [errors.ErrUnsupported].
func tryLock(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EWOULDBLOCK):
			return errLocked
		case err != nil:
			return fmt.Errorf("flock: %w", err)
		}
		return nil
	}
}
