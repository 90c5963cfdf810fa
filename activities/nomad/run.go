package nomad

import (
	"context"
	"sync"
	"time"

	"github.com/tenfold-ml/tenfold/activities"
	"github.com/tenfold-ml/tenfold/activities/internal/jobs"
)

// run is a job that this process has launched or attached to.
type run struct {
	feed    *feed
	key     activities.JobKey
	attempt int
	id      string
	out     *jobs.Output
	// done is closed when the end of the run is known, or that nobody knows it.
	done chan struct{}

	// The cluster's mutex guards what follows.
	history  history
	watchers map[*watcher]struct{}
	running  bool   // out knows that it runs
	closing  bool   // it is being deregistered
	ending   bool   // its end is being told
	over     bool   // its end was told
	stderr   string // of a run that is over
	known    bool   // and how
	waiting  string // why it is queued, as logged
	lease    lease
	next     time.Time // when its output is looked at again
	// silent says that the last look at its output found nothing.
	silent bool

	// reading is held by the one that reads its output, and guards what follows.
	reading sync.Mutex
	stdout  tail
}

// watcher is a call of Watch.
type watcher struct{ cancel context.CancelCauseFunc }

// interrupt ends the calls of Watch, but not the run.
func (r *run) interrupt(why error) {
	for w := range r.watchers {
		w.cancel(why)
	}
}

// advance does what the history of a run asks for. The mutex is held.
func (r *run) advance() {
	c := r.feed.c
	if r.ending || c.closed {
		return
	}
	if r.history.running() && !r.running {
		r.running = true
		r.out.Run()
	}
	if r.history.deregister() && !r.closing {
		r.closing = true
		c.tasks.Go(func() {
			if err := r.feed.deregister(c.ctx, r); err != nil && c.ctx.Err() == nil {
				c.opts.Log.Warn("a job that another one may follow cannot be deregistered", "job", r.id, "error", err)
			}
		})
	}
	if exit, known, ended := r.history.ended(); ended {
		r.ending = true
		c.tasks.Go(func() { r.end(exit, known) })
	}
}

// end tells how a run ended, after all that it printed.
func (r *run) end(exit activities.Exit, known bool) {
	c := r.feed.c
	if known {
		exit.Stderr = c.lastWords(r)
	}
	if c.ctx.Err() != nil {
		return // detached: somebody else will ask Nomad
	}
	c.forget(r)
	c.mu.Lock()
	defer c.mu.Unlock()
	r.over, r.known, r.stderr = true, known, exit.Stderr
	close(r.done)
	if !known {
		r.interrupt(noJob(r.key))
		r.feed.drop(r)
		return
	}
	r.out.End(exit)
	c.ended = append(c.ended, r)
	for len(c.ended) > c.opts.Remember {
		old := c.ended[0]
		c.ended[0] = nil
		c.ended = c.ended[1:]
		old.feed.drop(old)
	}
}
