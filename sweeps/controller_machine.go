package sweeps

import (
	"cmp"
	"container/heap"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	infraBackoff    = time.Second      // before the first retry; doubled for each further one
	infraBackoffMax = 60 * time.Second // and never more than this
	lostBackoff     = time.Second      // gives a restarting worker time to come back
	userBackoff     = time.Second

	maxMessages     = 100 // trials whose message is kept; a snapshot is bounded by it
	maxMessageBytes = 240
)

// Controller decides what a sweep does next. It is a pure state machine: it
// is told what happened ([Controller.Handle]), asked what to do now
// ([Controller.Next]), and has no clock, no randomness and no I/O, so that the
// same events give the same commands. It is not safe for concurrent use.
//
// The shell around it carries out every command that Next returned, reports
// every end through Handle, and goes on until [Controller.Done]. A retry is the
// controller's: the shell launches each run once.
//
// When too many trials have failed, or on [Cancelled], the controller launches
// nothing more, sends a [Stop] for every run in flight, and is done only when all
// of them have been reported ended, so that nothing is left running behind a
// verdict.
//
// Each event costs O(log n). Memory is three bits a trial and some words for
// each trial that has been launched and is not done.
type Controller struct {
	set ControllerSettings

	next      int // trials from here on were never launched
	completed bitset
	diverged  bitset
	failed    bitset
	counts    Counts // Pending and Running are computed, not kept

	open     map[int]*openTrial // launched and not done
	inFlight int                // those of them that run
	reattach []int              // those that ran when the snapshot was taken, in order
	retry    indexHeap          // those that wait to be launched again
	stops    []Run              // asked for and not yet drained

	best     ranking
	messages map[int]string // of failed trials, at most maxMessages
	paused   bool
	stopping Verdict // empty until the sweep is to end early
}

// openTrial is a trial that was launched and is not done.
type openTrial struct {
	attempt                int // the latest
	infra, preempted, user int // runs that ended so
	running                bool
	backoff                time.Duration // before the next launch
}

// NewController makes a controller for a sweep that begins.
func NewController(s ControllerSettings) *Controller {
	s.Trials = max(s.Trials, 0)
	s.Parallelism = max(s.Parallelism, 1)
	return &Controller{
		set:       s,
		completed: newBitset(s.Trials),
		diverged:  newBitset(s.Trials),
		failed:    newBitset(s.Trials),
		open:      map[int]*openTrial{},
		best:      ranking{keep: max(s.KeepBest, 0)},
		messages:  map[int]string{},
	}
}

// Next returns what is to be done now and takes it as done: stops, then launches
// up to the parallelism, retries before new trials and both by index. It returns
// nil when there is nothing to do before the next event.
//
// While paused it launches nothing, except that runs which were in flight at a
// snapshot are attached to again: they go on while paused, and somebody has to
// watch them.
func (c *Controller) Next() []Command {
	var out []Command
	for _, r := range c.stops {
		out = append(out, Stop{Run: r})
	}
	c.stops = nil
	if c.stopping != "" {
		return out
	}
	for _, i := range c.reattach {
		if t := c.open[i]; t != nil && t.running {
			out = append(out, c.launch(i, t))
		}
	}
	c.reattach = nil
	for !c.paused && c.inFlight < c.set.Parallelism {
		i, t := c.takeRetry()
		switch {
		case t != nil:
			c.counts.Retries++
		case c.next < c.set.Trials:
			i, t = c.next, &openTrial{}
			c.next++
			c.open[i] = t
		default:
			return out
		}
		t.running = true
		c.inFlight++
		out = append(out, c.launch(i, t))
	}
	return out
}

func (c *Controller) launch(i int, t *openTrial) Launch {
	t.attempt++
	l := Launch{Run: Run{Index: i, Attempt: t.attempt}, Backoff: t.backoff}
	t.backoff = 0
	return l
}

// takeRetry takes the waiting trial of lowest index, or returns nil. Trials whose
// result came while they waited are still in the heap and passed over.
func (c *Controller) takeRetry() (int, *openTrial) {
	for len(c.retry) > 0 {
		i := heap.Pop(&c.retry).(int)
		if t := c.open[i]; t != nil {
			return i, t
		}
	}
	return 0, nil
}

// Handle takes an event into account. Events about runs that do not exist, that
// are repeated or late, and all events after the end change nothing.
func (c *Controller) Handle(e Event) {
	if c.over() {
		return
	}
	switch e := e.(type) {
	case RunEnded:
		c.runEnded(e)
	case Paused:
		c.paused = true
	case Resumed:
		c.paused = false
	case Cancelled:
		c.stop(VerdictCancelled)
	}
}

func (c *Controller) runEnded(e RunEnded) {
	i := e.Run.Index
	t := c.open[i]
	if t == nil {
		return
	}
	current := t.running && e.Run.Attempt == t.attempt
	if e.Outcome == OutcomeCompleted || e.Outcome == OutcomeDiverged {
		if t.running && !current && c.stopping == "" {
			// The run that is current has nothing left to do.
			c.stops = append(c.stops, Run{Index: i, Attempt: t.attempt})
		}
		c.close(i, t)
		if e.Outcome == OutcomeDiverged || !rankable(e.ValidationError) {
			c.diverged.set(i)
			c.counts.Diverged++
			return
		}
		c.completed.set(i)
		c.counts.Completed++
		c.best.add(Ranked{Index: i, ValidationError: e.ValidationError})
		return
	}
	if !current {
		return
	}
	t.running = false
	c.inFlight--
	if c.stopping != "" {
		return // it was killed: how it ended says nothing about the trial
	}
	if c.mayRetry(t, e) {
		heap.Push(&c.retry, i)
		return
	}
	c.close(i, t)
	c.failed.set(i)
	c.counts.Failed++
	if len(c.messages) < maxMessages {
		c.messages[i] = oneLine(e.Message)
	}
	if c.counts.Failed > c.set.MaxFailedTrials {
		c.stop(VerdictFailed)
	}
}

// mayRetry counts a run that ended without a result, and says whether the trial
// may have another; if so, the trial's backoff is set.
func (c *Controller) mayRetry(t *openTrial, e RunEnded) bool {
	switch e.Outcome {
	case OutcomePreempted, OutcomeLost:
		t.backoff = 0
		if e.Outcome == OutcomeLost {
			t.backoff = lostBackoff
			if e.Excused {
				return true
			}
		}
		t.preempted++
		return t.preempted <= c.set.Retries.Preempted
	case OutcomeUserError:
		t.user++
		t.backoff = userBackoff
		return t.user <= c.set.Retries.User
	default:
		t.infra++
		t.backoff = infraBackoffMax
		if n := t.infra - 1; n < 6 {
			t.backoff = min(infraBackoff<<n, infraBackoffMax)
		}
		return t.infra <= c.set.Retries.Infra
	}
}

func (c *Controller) close(i int, t *openTrial) {
	if t.running {
		c.inFlight--
	}
	delete(c.open, i)
}

func (c *Controller) stop(v Verdict) {
	if c.stopping != "" {
		return
	}
	c.stopping = v
	c.stopAll()
}

// stopAll asks for everything in flight to be stopped.
func (c *Controller) stopAll() {
	for _, i := range slices.Sorted(maps.Keys(c.open)) {
		if t := c.open[i]; t.running {
			c.stops = append(c.stops, Run{Index: i, Attempt: t.attempt})
		}
	}
}

// over says that no event can change anything any more.
func (c *Controller) over() bool {
	if c.stopping != "" {
		return c.inFlight == 0
	}
	return c.next == c.set.Trials && len(c.open) == 0
}

// Done returns the verdict once the sweep has ended and every command was
// drained; from then on nothing changes.
func (c *Controller) Done() (Verdict, bool) {
	if !c.over() || len(c.stops) > 0 {
		return "", false
	}
	if c.stopping != "" {
		return c.stopping, true
	}
	return VerdictFinished, true
}

// Paused says whether launches are held back.
func (c *Controller) Paused() bool { return c.paused }

// Stopping says what verdict the sweep is heading for while its runs are being
// stopped; it is empty as long as the sweep goes on.
func (c *Controller) Stopping() Verdict { return c.stopping }

// Counts says how many trials are where.
func (c *Controller) Counts() Counts {
	n := c.counts
	n.Running = c.inFlight
	n.Pending = c.set.Trials - n.Running - n.Completed - n.Diverged - n.Failed
	return n
}

// Best returns the KeepBest best completed trials, best first: by validation
// error, ties by lower index.
func (c *Controller) Best() []Ranked { return c.best.sorted() }

// InFlight returns the current run of every trial that has one, by index.
func (c *Controller) InFlight() []Run {
	out := make([]Run, 0, c.inFlight)
	for _, i := range slices.Sorted(maps.Keys(c.open)) {
		if t := c.open[i]; t.running {
			out = append(out, Run{Index: i, Attempt: t.attempt})
		}
	}
	return out
}

// Failures returns every failed trial with the last thing that went wrong, in
// one line of bounded length. Messages are kept for the first hundred trials that
// fail; the others' say "failed" and no more.
func (c *Controller) Failures() map[int]string {
	out := make(map[int]string, c.counts.Failed)
	for i := range c.failed.all() {
		out[i] = cmp.Or(c.messages[i], "failed")
	}
	return out
}

// rankable says whether a validation error can be compared. A trainer that is
// not ours may call a run completed and report nonsense.
func rankable(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// oneLine makes a message safe to keep: one line, valid UTF-8, bounded.
func oneLine(s string) string {
	if len(s) > 4*maxMessageBytes {
		s = s[:4*maxMessageBytes]
	}
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "\uFFFD")), " ")
	if s == "" {
		return "no reason given"
	}
	if len(s) <= maxMessageBytes {
		return s
	}
	const ellipsis = "…"
	s = s[:maxMessageBytes-len(ellipsis)]
	for !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s + ellipsis
}

// indexHeap is a min-heap of trial indices, for container/heap.
type indexHeap []int

func (h indexHeap) Len() int           { return len(h) }
func (h indexHeap) Less(i, j int) bool { return h[i] < h[j] }
func (h indexHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push is part of heap.Interface.
func (h *indexHeap) Push(x any) { *h = append(*h, x.(int)) }

// Pop is part of heap.Interface.
func (h *indexHeap) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}
