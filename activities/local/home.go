package local

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
)

// home is a launcher's own directory below the shared scratch directory. It
// holds a lock as long as the launcher lives, so that others can tell what a
// killed launcher left behind.
type home struct {
	dir  string
	lock *os.File
}

const (
	homePrefix = "launcher-"
	newPrefix  = "new-"
	lockName   = "lock"
)

// openHome makes a home under root, after removing those of launchers that are gone.
func openHome(root string, log *slog.Logger) (*home, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, fmt.Errorf("find the scratch directory: %w", err)
	}
	if err := os.MkdirAll(root, 0o700); err != nil {
		return nil, fmt.Errorf("make the scratch directory: %w", err)
	}
	removeStale(root, log)
	fresh, err := os.MkdirTemp(root, newPrefix)
	if err != nil {
		return nil, fmt.Errorf("make the launcher's scratch directory: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(fresh, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("make the launcher's lock: %w", err)
	}
	h := &home{lock: lock}
	if _, err := tryLock(lock); err != nil {
		// Without locks nothing here is ever taken for stale: fine, if untidy.
		log.Warn("scratch directories of killed launchers will not be removed", "dir", root, "error", err)
	}
	// Renamed only now: under its final name a home is always locked.
	h.dir = filepath.Join(root, homePrefix+strings.TrimPrefix(filepath.Base(fresh), newPrefix))
	if err := os.Rename(fresh, h.dir); err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("make the launcher's scratch directory: %w", err)
	}
	return h, nil
}

// close removes the home with all that is in it.
func (h *home) close() error {
	err := os.RemoveAll(h.dir)
	if e := h.lock.Close(); e != nil && err == nil && !isClosed(e) {
		err = e
	}
	return err
}

// removeStale removes the homes under root that nobody holds, and kills the
// processes that were started there.
func removeStale(root string, log *slog.Logger) {
	homes, err := filepath.Glob(filepath.Join(root, homePrefix+"*"))
	if err != nil {
		return // a malformed pattern: the root's name has a bracket in it
	}
	for _, dir := range homes {
		lock, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR, 0o600)
		if err != nil {
			continue // being removed by somebody else
		}
		if free, err := tryLock(lock); err == nil && free {
			for _, pid := range killStrays(dir) {
				log.Warn("killed a process that an earlier launcher left behind", "pid", pid)
			}
			if err := os.RemoveAll(dir); err != nil {
				log.Warn("scratch directory stays behind", "dir", dir, "error", err)
			}
		}
		_ = lock.Close() // nothing was written to it
	}
}
