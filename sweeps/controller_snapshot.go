package sweeps

import (
	"container/heap"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// SnapshotVersion is the version of [Snapshot] that this code writes. A change
// that old code could not read, or that reads old snapshots differently, adds one
// and keeps reading the versions before.
const SnapshotVersion = 1

// ErrSnapshot says that a snapshot cannot be restored.
var ErrSnapshot = errors.New("bad controller snapshot")

// Snapshot is the state of a [Controller], for a sweep that goes on elsewhere.
// It is small: a few bits per trial, as base64 in JSON, and only open trials, the
// best ones and the first failures one by one.
type Snapshot struct {
	Version int `json:"version"`
	Trials  int `json:"trials"`
	// Next is the lowest trial that was never launched.
	Next int `json:"next"`
	// Completed, Diverged and Failed have trial i in bit i%8 of byte i/8; zero
	// bytes at the end are left out.
	Completed []byte `json:"completed,omitempty"`
	Diverged  []byte `json:"diverged,omitempty"`
	Failed    []byte `json:"failed,omitempty"`
	// Open lists the trials that were launched and are not done, by index.
	Open []OpenTrial `json:"open,omitempty"`
	// Stops holds runs that were to be stopped and had not been drained. The
	// stops of a sweep that ends early are not among them: they follow from Open.
	Stops []Run `json:"stops,omitempty"`
	// KeepBest is how many Best could hold.
	KeepBest int            `json:"keep_best"`
	Best     []Ranked       `json:"best,omitempty"`
	Messages map[int]string `json:"messages,omitempty"`
	Retries  int            `json:"retries,omitzero"`
	Paused   bool           `json:"paused,omitzero"`
	Stopping Verdict        `json:"stopping,omitzero"`
}

// OpenTrial is a trial in a [Snapshot] that was launched and is not done.
type OpenTrial struct {
	Index int `json:"i"`
	// Attempt is the latest.
	Attempt int `json:"a"`
	// Infra, Preempted and User count the runs that ended so.
	Infra     int `json:"infra,omitzero"`
	Preempted int `json:"pre,omitzero"`
	User      int `json:"user,omitzero"`
	// Waiting says that no run is in flight: the trial waits to be launched
	// again, after Backoff, in nanoseconds.
	Waiting bool          `json:"wait,omitzero"`
	Backoff time.Duration `json:"backoff,omitzero"`
}

// Snapshot returns the state, sharing nothing with the controller. Commands that
// were drained and not yet carried out are not in it, apart from launches, which
// are repeated: whoever takes a snapshot finishes its stops first.
func (c *Controller) Snapshot() Snapshot {
	s := Snapshot{
		Version:   SnapshotVersion,
		Trials:    c.set.Trials,
		Next:      c.next,
		Completed: c.completed.trimmed(),
		Diverged:  c.diverged.trimmed(),
		Failed:    c.failed.trimmed(),
		KeepBest:  c.best.keep,
		Best:      c.best.sorted(),
		Messages:  maps.Clone(c.messages),
		Retries:   c.counts.Retries,
		Paused:    c.paused,
		Stopping:  c.stopping,
	}
	for _, i := range slices.Sorted(maps.Keys(c.open)) {
		t := c.open[i]
		s.Open = append(s.Open, OpenTrial{
			Index: i, Attempt: t.attempt,
			Infra: t.infra, Preempted: t.preempted, User: t.user,
			Waiting: !t.running, Backoff: t.backoff,
		})
	}
	for _, r := range c.stops {
		if t := c.open[r.Index]; t == nil {
			s.Stops = append(s.Stops, r)
		}
	}
	return s
}

// RestoreController makes a controller that goes on from a snapshot. Each run
// that was in flight is launched again under a new attempt number, to attach
// to what may still run, or, when the sweep is ending early, stopped again. The
// settings may differ from those before in all but the number of trials, and
// KeepBest may not grow past what the snapshot remembers. Errors are [ErrSnapshot].
func RestoreController(set ControllerSettings, s Snapshot) (*Controller, error) {
	c := NewController(set)
	bad := func(format string, args ...any) (*Controller, error) {
		return nil, fmt.Errorf("%w: %s", ErrSnapshot, fmt.Sprintf(format, args...))
	}
	switch {
	case s.Version != SnapshotVersion:
		return bad("version %d, want %d", s.Version, SnapshotVersion)
	case s.Trials != c.set.Trials:
		return bad("it has %d trials, the sweep %d", s.Trials, c.set.Trials)
	case s.Next < 0 || s.Next > s.Trials:
		return bad("next is trial %d of %d", s.Next, s.Trials)
	case s.Stopping != "" && s.Stopping != VerdictFailed && s.Stopping != VerdictCancelled:
		return bad("unknown verdict %q", s.Stopping)
	}
	if err := c.restoreDone(s); err != nil {
		return nil, err
	}
	if err := c.restoreOpen(s); err != nil {
		return nil, err
	}
	if err := c.restoreBest(s); err != nil {
		return nil, err
	}
	for i, m := range s.Messages {
		if i < 0 || i >= s.Trials || !c.failed.has(i) {
			return bad("a message of trial %d, which has not failed", i)
		}
		c.messages[i] = oneLine(m)
	}
	for _, r := range s.Stops {
		if r.Index < 0 || r.Index >= s.Next || r.Attempt < 1 {
			return bad("attempt %d of trial %d is to be stopped", r.Attempt, r.Index)
		}
	}
	if s.Retries < 0 {
		return bad("%d retries", s.Retries)
	}
	c.counts.Retries = s.Retries
	c.paused = s.Paused
	c.stopping = s.Stopping
	c.stops = slices.Clone(s.Stops)
	if c.stopping != "" {
		c.stopAll()
	}
	return c, nil
}

// restoreDone restores which trials are done and how.
func (c *Controller) restoreDone(s Snapshot) error {
	for _, x := range []struct {
		name  string
		from  []byte
		to    bitset
		count *int
	}{
		{"completed", s.Completed, c.completed, &c.counts.Completed},
		{"diverged", s.Diverged, c.diverged, &c.counts.Diverged},
		{"failed", s.Failed, c.failed, &c.counts.Failed},
	} {
		for i := range bitset(x.from).all() {
			if i >= s.Next {
				return fmt.Errorf("%w: trial %d is %s and was never launched", ErrSnapshot, i, x.name)
			}
			if c.isDone(i) {
				return fmt.Errorf("%w: trial %d is %s and something else", ErrSnapshot, i, x.name)
			}
			x.to.set(i)
		}
		*x.count = x.to.count()
	}
	c.next = s.Next
	return nil
}

func (c *Controller) isDone(i int) bool {
	return c.completed.has(i) || c.diverged.has(i) || c.failed.has(i)
}

// restoreOpen restores the trials that are launched and not done. Together with
// those done they must be all that were launched.
func (c *Controller) restoreOpen(s Snapshot) error {
	for _, o := range s.Open {
		if o.Index < 0 || o.Index >= s.Next || c.isDone(o.Index) || c.open[o.Index] != nil {
			return fmt.Errorf("%w: trial %d is open and something else", ErrSnapshot, o.Index)
		}
		if o.Attempt < 1 || o.Backoff < 0 || min(o.Infra, o.Preempted, o.User) < 0 {
			return fmt.Errorf("%w: trial %d has attempt %d, %d, %d and %d bad ends, backoff %v",
				ErrSnapshot, o.Index, o.Attempt, o.Infra, o.Preempted, o.User, o.Backoff)
		}
		c.open[o.Index] = &openTrial{
			attempt: o.Attempt,
			infra:   o.Infra, preempted: o.Preempted, user: o.User,
			running: !o.Waiting, backoff: o.Backoff,
		}
		if o.Waiting {
			heap.Push(&c.retry, o.Index)
		} else {
			c.inFlight++
			c.reattach = append(c.reattach, o.Index)
		}
	}
	slices.Sort(c.reattach)
	n := len(c.open) + c.counts.Completed + c.counts.Diverged + c.counts.Failed
	if n != s.Next {
		return fmt.Errorf("%w: %d trials were launched, %d are accounted for", ErrSnapshot, s.Next, n)
	}
	return nil
}

func (c *Controller) restoreBest(s Snapshot) error {
	if c.best.keep > s.KeepBest && c.counts.Completed > s.KeepBest {
		return fmt.Errorf("%w: it remembers the best %d trials, not %d", ErrSnapshot, s.KeepBest, c.best.keep)
	}
	seen := newBitset(s.Trials)
	for _, r := range s.Best {
		if r.Index < 0 || r.Index >= s.Trials || !c.completed.has(r.Index) || seen.has(r.Index) || !rankable(r.ValidationError) {
			return fmt.Errorf("%w: trial %d, with validation error %v, is ranked", ErrSnapshot, r.Index, r.ValidationError)
		}
		seen.set(r.Index)
		c.best.add(r)
	}
	if want := min(s.KeepBest, c.counts.Completed); len(s.Best) != want {
		return fmt.Errorf("%w: %d trials are ranked, want %d", ErrSnapshot, len(s.Best), want)
	}
	return nil
}
