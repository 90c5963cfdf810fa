//go:build linux

package testcluster

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// Options of a cluster. The zero value is one in a temporary folder with the binaries
// of the checkout.
type Options struct {
	// Dir is the folder of the cluster. Empty means a temporary one that Stop removes; a
	// folder that is given is kept, with what the servers have written there.
	Dir string
	// Bin is the folder of the servers' binaries. Empty means bin of the checkout that
	// the working directory is in.
	Bin string
	// Log hears of starts, kills and ends; nil discards it.
	Log *slog.Logger
}

// Cluster is a folder and the processes in it. Its methods may be called by several
// goroutines, but for Stop, which is the last.
type Cluster struct {
	bin     string
	log     *slog.Logger
	folder  *folder
	ports   ports
	nursery *nursery

	mu        sync.Mutex
	clears    []func(ctx context.Context) error // what is done while all processes run
	processes []*Process                        // in the order of their starts
}

// New claims a folder, after it has swept up what dead clusters have left. Nothing
// runs in it yet.
func New(o Options) (*Cluster, error) {
	c := &Cluster{bin: o.Bin, log: o.Log}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	var err error
	if c.bin == "" {
		c.bin, err = findBinaries()
	} else {
		c.bin, err = filepath.Abs(c.bin)
	}
	if err != nil {
		return nil, err
	}
	if err := SweepUp(c.log); err != nil {
		c.log.Warn("cannot sweep up all that dead clusters have left", "error", err)
	}
	if c.folder, err = claim(o.Dir); err != nil {
		return nil, err
	}
	c.nursery = newNursery()
	return c, nil
}

// Dir returns the cluster's folder. Logs are in its folder logs.
func (c *Cluster) Dir() string { return c.folder.Path }

// Stop ends what was started, the latest first, in good order until ctx ends and then
// at once, and leaves nothing: no process, mount, cgroup or temporary folder. An error
// names what is left.
func (c *Cluster) Stop(ctx context.Context) error {
	c.mu.Lock()
	clears, processes := c.clears, c.processes
	c.clears, c.processes = nil, nil
	c.mu.Unlock()
	for _, clear := range slices.Backward(clears) {
		if err := clear(ctx); err != nil {
			c.log.Warn("not cleared in good order", "error", err)
		}
	}
	for _, p := range slices.Backward(processes) {
		if err := p.Stop(ctx); err != nil {
			c.log.Warn("not ended in good order", "error", err)
		}
	}
	c.nursery.close()
	c.ports.release()
	begun := time.Now()
	if err := c.folder.remove(); err != nil {
		return fmt.Errorf("what the cluster leaves in %s: %w", c.Dir(), err)
	}
	c.log.Info("removed", "folder", c.Dir(), "after", time.Since(begun).Round(time.Millisecond))
	return nil
}

// all returns the processes that were started.
func (c *Cluster) all() []*Process {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.processes)
}

// mkdir makes a folder in the cluster's folder and returns its path.
func (c *Cluster) mkdir(name string) (string, error) {
	dir := filepath.Join(c.Dir(), name)
	return dir, os.MkdirAll(dir, 0o755)
}

// environment is what every process of the cluster gets: little enough that nothing of
// the caller's settings and credentials reaches a server or a task.
func (c *Cluster) environment() []string {
	return []string{
		marker + "=" + c.Dir(),
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + c.Dir(),
		"TMPDIR=" + os.TempDir(),
		"LANG=C.UTF-8",
	}
}
