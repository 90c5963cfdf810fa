package main

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tenfold-ml/tenfold/sweeps"
)

// maxSpecBytes is far above what anybody writes and keeps a wrong file, a data
// set say, from being read whole.
const maxSpecBytes = 4 << 20

// loadSpec reads and checks a spec; every fault in it is the user's.
func loadSpec(path string) (sweeps.Spec, []byte, error) {
	src, err := readSpec(path)
	if err != nil {
		return sweeps.Spec{}, nil, err
	}
	spec, err := sweeps.Parse(filepath.Clean(path), src)
	if err != nil {
		return sweeps.Spec{}, nil, &userError{err}
	}
	return spec, src, nil
}

func readSpec(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, userErrorf("%s: there is no such file", path)
		}
		return nil, userErrorf("%s: %w", path, pathCause(err))
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return nil, userErrorf("%s: is a folder, not a spec", path)
	}
	src, err := io.ReadAll(io.LimitReader(f, maxSpecBytes+1))
	if err != nil {
		return nil, userErrorf("%s: %w", path, pathCause(err))
	}
	if len(src) > maxSpecBytes {
		return nil, userErrorf("%s: is larger than 4 MiB, so it is no spec", path)
	}
	return src, nil
}

// pathCause is a file error without the path, which the message has already.
func pathCause(err error) error {
	if e := (*fs.PathError)(nil); errors.As(err, &e) {
		return e.Err
	}
	return err
}
