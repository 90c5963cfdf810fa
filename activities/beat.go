package activities

import (
	"context"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"
)

// pulse sends an activity's heartbeats: at once when there is something new, and
// every so often when there is not. A worker without them counts as gone, and an
// activity hears that it was cancelled through them alone.
type pulse struct {
	mu      sync.Mutex
	details []any
	changed chan struct{} // of one place: what is newest is what counts
	done    chan struct{}
	stopped chan struct{}
}

// beat starts the heartbeats, which go on until stop, with the details of the
// last update.
func (a *Activities) beat(ctx context.Context, details ...any) *pulse {
	p := &pulse{details: details, changed: make(chan struct{}, 1), done: make(chan struct{}), stopped: make(chan struct{})}
	activity.RecordHeartbeat(ctx, details...)
	go p.run(ctx, a.Heartbeat)
	return p
}

// run is apart from the activity, since a heartbeat waits for the server.
func (p *pulse) run(ctx context.Context, every time.Duration) {
	defer close(p.stopped)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-p.changed:
		case <-tick.C:
		case <-p.done:
			return
		}
		p.mu.Lock()
		details := p.details
		p.mu.Unlock()
		activity.RecordHeartbeat(ctx, details...)
	}
}

// update has a heartbeat sent with other details, soon.
func (p *pulse) update(details any) {
	p.mu.Lock()
	p.details = []any{details}
	p.mu.Unlock()
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

// stop returns after the last heartbeat.
func (p *pulse) stop() {
	close(p.done)
	<-p.stopped
}
