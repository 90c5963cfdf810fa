//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package file

import (
	"errors"
	"os"
)

// errLocked says that another open file holds the lock.
var errLocked = errors.New("locked by another process")

// tryLock locks nothing here, so that temporary files are never removed.
func tryLock(*os.File) error { return errors.ErrUnsupported }
