package file

import (
	"errors"
	"os"
	"runtime"
	"syscall"
)

// syncer makes things durable. Tests put their own in its place, since what is
// left out here shows only when the power goes.
type syncer struct {
	file func(f *os.File) error  // the file's bytes
	dir  func(path string) error // the names in a folder
}

// diskSyncer is the syncer that means it.
func diskSyncer() syncer { return syncer{file: (*os.File).Sync, dir: syncDir} }

func syncDir(path string) error {
	if runtime.GOOS == "windows" {
		return nil // it cannot be asked for there
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // it was only read
	err = f.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		return nil // a file system that has no such thing
	}
	return err
}
