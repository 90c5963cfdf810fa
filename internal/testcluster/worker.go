//go:build linux

package testcluster

import (
	"context"
	"path/filepath"
	"time"
)

// WorkerOptions describe a worker.
type WorkerOptions struct {
	// Name tells it from other workers of the cluster.
	Name string
	// Store is the URL of the store.
	Store string
	// Args are added to those of `sweep worker`.
	Args []string
	// Env says where the servers are: their Env, one after the other.
	Env []string
}

// StartWorker starts a `sweep worker` with a folder of its own, and returns when it
// works. SIGKILL leaves the trials that it has launched on Nomad alone, and so does
// [Process.Stop].
func (c *Cluster) StartWorker(ctx context.Context, o WorkerOptions) (*Process, error) {
	bin, err := c.binary("sweep")
	if err != nil {
		return nil, err
	}
	dir, err := c.mkdir(filepath.Join("workers", o.Name))
	if err != nil {
		return nil, err
	}
	return c.Start(ctx, Command{
		Name: "worker-" + o.Name, Path: bin, Args: append([]string{"--dir", dir, "--store", o.Store, "worker"}, o.Args...), Env: o.Env, Dir: dir, Grace: 30 * time.Second,
		Ready: func(_ context.Context, p *Process) error { return p.Logged("working for ") },
	})
}
