//go:build linux

package testcluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/tenfold-ml/tenfold/internal/filelock"
)

// registry is the folder in which the clusters of this user are noted: one file each,
// locked for as long as its owner lives.
func registry() string {
	return filepath.Join(os.TempDir(), "tenfold-clusters-"+strconv.Itoa(os.Getuid()))
}

// folder is the folder of a cluster, noted in the registry.
type folder struct {
	Path string `json:"path"`
	Keep bool   `json:"keep"` // it was there before, or belongs to a person

	note string
	lock *filelock.Lock
}

// claim makes and notes a folder. An empty path means a temporary one.
func claim(path string) (*folder, error) {
	f := &folder{Path: path, Keep: path != ""}
	if err := os.MkdirAll(registry(), 0o700); err != nil {
		return nil, fmt.Errorf("noting the cluster: %w", err)
	}
	var err error
	if f.Path == "" {
		f.Path, err = os.MkdirTemp("", "tenfold-cl-") // Nomad has sockets far below, whose paths may have 107 bytes
	} else if f.Path, err = filepath.Abs(f.Path); err == nil {
		err = os.MkdirAll(f.Path, 0o755)
	}
	if err != nil {
		return nil, fmt.Errorf("making the cluster's folder: %w", err)
	}
	// Processes and mounts are found by this path, as the kernel says it.
	if f.Path, err = filepath.EvalSymlinks(f.Path); err != nil {
		return nil, fmt.Errorf("finding the cluster's folder: %w", err)
	}
	if err := f.write(); err != nil {
		return nil, errors.Join(err, f.remove())
	}
	return f, nil
}

// write notes the folder: the file is locked before it has its name, so nobody takes
// it for an orphan's.
func (f *folder) write() error {
	note, err := os.CreateTemp(registry(), "new-*")
	if err != nil {
		return fmt.Errorf("noting the cluster: %w", err)
	}
	defer note.Close()
	if f.lock, err = filelock.Try(note.Name()); err != nil {
		return fmt.Errorf("noting the cluster: %w", err)
	}
	if err := json.NewEncoder(note).Encode(f); err != nil {
		return fmt.Errorf("noting the cluster: %w", err)
	}
	f.note = filepath.Join(registry(), strings.TrimPrefix(filepath.Base(note.Name()), "new-")+".json")
	if err := os.Rename(note.Name(), f.note); err != nil {
		return fmt.Errorf("noting the cluster: %w", err)
	}
	return nil
}

// remove ends and removes all that belongs to the folder, and returns an error that
// names what could not be.
func (f *folder) remove() error {
	err := endAll(f.Path)
	err = errors.Join(err, unmountAll(f.Path), removeCgroups(f.Path))
	if err == nil && !f.Keep {
		err = os.RemoveAll(f.Path)
	}
	if err == nil && f.note != "" {
		err = os.Remove(f.note)
	}
	if f.lock != nil {
		f.lock.Unlock()
	}
	return err
}

// SweepUp ends and removes what clusters have left whose owners are dead: tasks,
// supervisors, mounts, folders. [New] calls it.
func SweepUp(log *slog.Logger) error {
	notes, err := filepath.Glob(filepath.Join(registry(), "*.json"))
	if err != nil {
		return err
	}
	var errs []error
	for _, note := range notes {
		lock, err := filelock.Try(note)
		if errors.Is(err, filelock.ErrHeld) {
			continue
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		b, err := os.ReadFile(note)
		f := &folder{note: note, lock: lock}
		if err == nil && len(b) > 0 {
			err = json.Unmarshal(b, f)
		}
		switch {
		case err == nil && f.Path == "": // somebody else has just swept it up
			err = os.Remove(note)
			lock.Unlock()
		case err == nil:
			log.Info("sweeping up after a dead cluster", "folder", f.Path)
			err = f.remove()
		default:
			lock.Unlock()
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("sweeping up %s: %w", note, err))
		}
	}
	return errors.Join(errs...)
}
