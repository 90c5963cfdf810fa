//go:build linux

package testcluster

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// findBinaries returns the folder bin of the checkout that the working directory is in,
// which is where `make` puts the servers.
func findBinaries() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, "bin"), nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("the servers' binaries: no checkout here, and no folder given")
		}
		dir = parent
	}
}

// binary returns the path of one of the servers' binaries, or an error that says how
// to get it.
func (c *Cluster) binary(name string) (string, error) {
	path := filepath.Join(c.bin, name)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("%s is missing: make build cluster-bin", path)
	}
	return path, nil
}
