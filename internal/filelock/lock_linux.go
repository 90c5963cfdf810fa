package filelock

import (
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// Locks of open file descriptions are those of Linux that can be asked for without
// being taken. Like flock's, and unlike POSIX's, they do not end when another
// descriptor of the file is closed.

func whole(kind int16) *unix.Flock_t {
	return &unix.Flock_t{Type: kind, Whence: io.SeekStart}
}

func take(f *os.File) error {
	return unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, whole(unix.F_WRLCK))
}

func taken(f *os.File) (bool, error) {
	l := whole(unix.F_WRLCK)
	err := unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, l)
	return l.Type != unix.F_UNLCK, err
}

func release(f *os.File) error {
	return unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, whole(unix.F_UNLCK))
}
