package nomad

import (
	"context"
	"fmt"
	"sync"

	"github.com/tenfold-ml/tenfold/activities"
	"github.com/tenfold-ml/tenfold/sweeps"
)

// Launcher implements activities.Launcher and activities.Checker with the jobs of a
// [Cluster], placed as a spec wants them.
type Launcher struct {
	cluster *Cluster
	spec    sweeps.Nomad

	mu     sync.Mutex
	closed bool
}

var (
	_ activities.Launcher = (*Launcher)(nil)
	_ activities.Checker  = (*Launcher)(nil)
)

// Close implements activities.Launcher: it only detaches, and the jobs go on. The
// cluster stays open.
func (l *Launcher) Close(context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	return nil
}

// feed is the feed of the place where the jobs go.
func (l *Launcher) feed(ctx context.Context) (*feed, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, activities.ErrClosed
	}
	return l.cluster.feed(place{l.spec.Region, l.spec.Namespace})
}

func noJob(key activities.JobKey) error {
	return fmt.Errorf("trial %s, %d epochs: %w", key.Trial, key.Epochs, activities.ErrNoJob)
}
