//go:build unix && !linux

package filelock

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// patience outlasts anybody who asks for a lock, which here means to share it for
// an instant.
const patience = 50 * time.Millisecond

func take(f *os.File) error {
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EWOULDBLOCK) || time.Now().After(end) {
			return err
		}
	}
}

// taken asks by sharing, so that those who ask do not see each other.
func taken(f *os.File) (bool, error) {
	err := unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return false, release(f)
}

func release(f *os.File) error { return unix.Flock(int(f.Fd()), unix.LOCK_UN) }
