//go:build linux

package testcluster

import (
	"context"
	"net"
	"time"
)

// Temporal is a Temporal server on an SQLite file. Killed and restarted it serves the
// same database at the same address.
type Temporal struct {
	*Process
	// Address is host:port, as in TEMPORAL_ADDRESS.
	Address string
}

// StartTemporal starts a server with the namespace "default".
func (c *Cluster) StartTemporal(ctx context.Context) (*Temporal, error) {
	bin, err := c.binary("temporalserver")
	if err != nil {
		return nil, err
	}
	dir, err := c.mkdir("temporal")
	if err != nil {
		return nil, err
	}
	address, err := c.ports.take()
	if err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	p, err := c.Start(ctx, Command{
		Name: "temporal", Path: bin, Args: []string{"-dir", dir, "-port", port}, Dir: dir, Grace: 20 * time.Second,
		Ready: func(_ context.Context, p *Process) error { return p.Logged("serving at " + address) },
	})
	if err != nil {
		return nil, err
	}
	return &Temporal{Process: p, Address: address}, nil
}

// Env returns the settings with which Temporal's tools and ours find the server.
func (t *Temporal) Env() []string { return []string{"TEMPORAL_ADDRESS=" + t.Address} }
