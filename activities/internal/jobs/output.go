package jobs

import (
	"context"
	"sync"
	"time"

	"github.com/tenfold-ml/tenfold/activities"
)

// Bounds on what is kept of a job's standard output, while it runs and after.
const (
	keepLines, keepBytes           = 256, 256 << 10
	keepEndedLines, keepEndedBytes = 64, 16 << 10
)

// signsOfLife is the least time between two updates that carry no line.
const signsOfLife = 500 * time.Millisecond

// Output collects what a job does, for any number of watchers. It keeps the
// latest lines only, so that neither a trainer that floods nor a watcher that
// sleeps costs memory, and never blocks the job.
type Output struct {
	mu    sync.Mutex
	state activities.JobState
	// lines are the latest; the first of them is number first.
	lines []string
	first int
	bytes int
	// signs counts the signs of life that were not lines.
	signs    int
	lastSign time.Time
	exit     activities.Exit
	// changed is closed and replaced whenever something changed.
	changed chan struct{}
}

// NewOutput is that of a job which is queued.
func NewOutput() *Output { return &Output{changed: make(chan struct{})} }

// Line adds a line of standard output.
func (o *Output) Line(s string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lines = append(o.lines, s)
	o.bytes += len(s)
	o.trim(keepLines, keepBytes)
	o.notify()
}

// Alive says that the job showed a sign of life other than a line.
func (o *Output) Alive() {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	if now.Sub(o.lastSign) < signsOfLife {
		return
	}
	o.lastSign = now
	o.signs++
	o.notify()
}

// Run says that the job is running.
func (o *Output) Run() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.state = activities.JobRunning
	o.notify()
}

// End says how the job ended. It is called once, and last.
func (o *Output) End(exit activities.Exit) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.state, o.exit = activities.JobEnded, exit
	o.trim(keepEndedLines, keepEndedBytes)
	o.notify()
}

// trim drops the oldest lines, but never the last.
func (o *Output) trim(lines, bytes int) {
	drop := 0
	for n := len(o.lines); n-drop > 1 && (n-drop > lines || o.bytes > bytes); drop++ {
		o.bytes -= len(o.lines[drop])
		o.lines[drop] = ""
	}
	o.lines = o.lines[drop:]
	o.first += drop
}

func (o *Output) notify() {
	close(o.changed)
	o.changed = make(chan struct{})
}

// Follow delivers what is kept and what follows, as activities.Launcher's Watch
// does, until the job has ended. When ctx ends first, it returns ctx's cause.
func (o *Output) Follow(ctx context.Context, update func(activities.JobUpdate)) (activities.Exit, error) {
	var c cursor
	for {
		updates, exit, changed := o.next(&c)
		for _, u := range updates {
			if update != nil {
				update(u)
			}
		}
		if exit != nil {
			return *exit, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return activities.Exit{}, context.Cause(ctx)
		}
	}
}

// cursor is how far a watcher has got.
type cursor struct {
	started bool
	state   activities.JobState
	line    int
	signs   int
}

// next returns the updates since c, which it moves on, the exit once the job
// has ended, and a channel that is closed when there is more.
func (o *Output) next(c *cursor) (updates []activities.JobUpdate, exit *activities.Exit, changed <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if c.line < o.first {
		c.line = o.first
	}
	last := o.first + len(o.lines)
	// Lines were written while the job ran, even if it has ended by now.
	if c.line < last {
		for _, line := range o.lines[c.line-o.first:] {
			updates = append(updates, activities.JobUpdate{State: activities.JobRunning, Line: line})
		}
		c.started, c.state, c.line, c.signs = true, activities.JobRunning, last, o.signs
	}
	if !c.started || c.state != o.state || c.signs != o.signs {
		updates = append(updates, activities.JobUpdate{State: o.state})
		c.started, c.state, c.signs = true, o.state, o.signs
	}
	if o.state == activities.JobEnded {
		e := o.exit
		exit = &e
	}
	return updates, exit, o.changed
}
