package main

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/tenfold-ml/tenfold/activities/contract"
	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/workflows"
)

// Bounds of what is shown.
const (
	maxBest     = 10
	maxFailures = 20
)

// historian reads the history of a sweep's workflow, and knows from it where the
// sweep stands and what there is to tell. Unlike the workflow's query it needs no
// worker, so it also answers for a sweep that nobody works on, and it misses
// nothing between two looks. It is safe for concurrent use.
//
// It decides nothing itself: the ends of runs go to a [sweeps.Controller] of its
// own, classified as the workflow does and in the workflow's order, and what
// became of the trials is what that controller says.
type historian struct {
	sweep string
	// log says where the standard error of a trial's failed trainer is kept.
	log func(sweeps.TrialID) string
	// skip is how many events of the first execution that is read are not told.
	skip int64

	mu         sync.Mutex // guards all below
	spec       sweeps.Spec
	plan       *sweeps.Plan       // nil until the sweep is prepared
	controller *sweeps.Controller // nil as long as plan is
	index      map[sweeps.TrialID]int
	resolved   int // trials below are in index

	executions int // that have been read, if only in part
	started    time.Time
	phase      workflows.Phase
	paused     bool
	reason     string // that was given for the last pause, resume or cancel
	reused     int
	relaunched int              // of the controller's retries, those that no failure caused
	output     *sweeps.Counts   // how the workflow counted in the end; nil before
	open       map[int]*openRun // of trials that were launched and are not done
	launches   map[sweeps.TrialID]bool

	steps map[int64]step                // activities of the sweep itself, by event
	runs  map[int64]contract.TrainInput // Train activities, by event
	// resumed counts the requests to resume, and began says how many there had been
	// when a Train activity was scheduled.
	resumed int
	began   map[int64]int

	// What ended since the last workflow task, and what the last one was about to
	// take: see settle.
	pending, due []ending
	unsettled    bool           // the last task has not been followed
	early        []sweeps.Event // for the controller, before there is one

	failed   int // of which failures was made
	failures []workflows.Failure
}

// openRun is what there is to tell of a trial that was launched and is not done.
type openRun struct {
	index    int
	id       sweeps.TrialID
	settings []sweeps.Setting
	since    time.Time // of the first launch
	// last is how its last run ended, when another one is to follow.
	last sweeps.RunEnded
	// told says that its end has been told already.
	told bool
}

func newHistorian(sweep string, log func(sweeps.TrialID) string) *historian {
	return &historian{
		sweep: sweep, log: log, phase: workflows.PhasePreparing,
		index: map[sweeps.TrialID]int{},
		steps: map[int64]step{},
		runs:  map[int64]contract.TrainInput{},
		began: map[int64]int{},
		open:  map[int]*openRun{},

		launches: map[sweeps.TrialID]bool{},
	}
}

// prepared makes the plan, and the controller or what it was before the workflow
// continued as new.
func (h *historian) prepared(out contract.PrepareOutput, before *sweeps.Snapshot) error {
	plan, err := sweeps.NewPlan(h.spec, out.Dataset, out.Trainer)
	if err != nil {
		return fmt.Errorf("plan the sweep: %w", err)
	}
	settings := sweeps.ControllerSettings{
		Trials:          plan.Len(),
		Parallelism:     h.spec.Parallelism,
		MaxFailedTrials: h.spec.MaxFailedTrials,
		Retries:         h.spec.Retries,
		KeepBest:        max(maxBest, h.spec.Ensemble.Size),
	}
	h.plan, h.phase = plan, workflows.PhaseRunning
	if before == nil {
		h.controller = sweeps.NewController(settings)
	} else {
		settings.KeepBest = before.KeepBest
		if h.controller, err = sweeps.RestoreController(settings, *before); err != nil {
			return fmt.Errorf("read the sweep's history: %w", err)
		}
	}
	for _, e := range h.early {
		h.controller.Handle(e)
	}
	h.early = nil
	return nil
}

// advance takes what the controller wants done as done, as the workflow does.
func (h *historian) advance() {
	for commands := h.controller.Next(); len(commands) > 0; commands = h.controller.Next() {
		for _, c := range commands {
			l, ok := c.(sweeps.Launch)
			if !ok {
				continue
			}
			if t := h.open[l.Run.Index]; t != nil && interrupted(t.last.Outcome) {
				h.relaunched++
			}
		}
	}
	if h.phase != workflows.PhaseRunning {
		return
	}
	switch h.controller.Stopping() {
	case sweeps.VerdictFailed:
		h.phase = workflows.PhaseFailing
	case sweeps.VerdictCancelled:
		h.phase = workflows.PhaseCancelling
	}
}

// interrupted says that a run ended though nothing was wrong with it. It goes on
// elsewhere as if nothing had been.
func interrupted(o sweeps.Outcome) bool {
	return o == sweeps.OutcomeLost || o == sweeps.OutcomePreempted
}

// trialEnded takes a result, or tells that a trial is given up. A bad end that is made up
// for is told with the launch that follows.
func (h *historian) trialEnded(e ending) []event {
	i := e.end.Run.Index
	t, before := h.open[i], h.controller.Counts()
	h.controller.Handle(e.end)
	after := h.controller.Counts()
	h.advance()
	if t == nil {
		return nil
	}
	n := h.about(eventTrialFinished, e.id, e.in, t, e.at)
	n.Outcome, n.Message, n.Reused = e.end.Outcome, e.end.Message, e.reused
	switch {
	case after.Completed > before.Completed:
		n.ValidationError = &e.end.ValidationError
	case after.Diverged > before.Diverged:
		n.Outcome = sweeps.OutcomeDiverged
	case after.Failed > before.Failed:
		n.Event = eventTrialFailed
		if h.log != nil {
			n.Log = h.log(t.id)
		}
	default: // it is retried, or was stopped
		return nil
	}
	if e.reused {
		h.reused++
	}
	delete(h.open, i)
	if t.told {
		return nil
	}
	return []event{n}
}

// about is an event of a run.
func (h *historian) about(kind string, id int64, in contract.TrainInput, t *openRun, at time.Time) event {
	return event{
		id: id, Event: kind, Time: at, Sweep: h.sweep, Trial: t.id, Index: &t.index,
		Attempt: in.Attempt, Settings: t.settings,
	}
}

// find returns a trial's index, or -1. Trials are launched in the order of the
// plan, so only those up to the latest launched are ever resolved.
func (h *historian) find(id sweeps.TrialID) int {
	for h.plan != nil {
		if i, ok := h.index[id]; ok {
			return i
		}
		if h.resolved == h.plan.Len() {
			break
		}
		next, _, err := h.plan.Trial(h.resolved)
		if err != nil {
			break
		}
		h.index[next] = h.resolved
		h.resolved++
	}
	return -1
}

// settled says that a trial was launched and will not be again.
func (h *historian) settled(id sweeps.TrialID) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.launches[id] && h.open[h.find(id)] == nil
}

// snapshot is where the sweep stands, as far as the history has been read.
func (h *historian) snapshot() snapshot {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := snapshot{sweep: h.sweep, state: state(h.phase), started: h.started, reason: h.reason}
	if h.phase == workflows.PhaseRunning && h.paused {
		s.state = state(workflows.PhasePaused)
	}
	if h.plan == nil {
		return s
	}
	s.total, s.reused, s.relaunched = h.plan.Len(), h.reused, h.relaunched
	s.counts, s.failures = h.counts(), slices.Clone(h.listFailures())
	for _, r := range h.controller.Best() {
		if len(s.best) == maxBest {
			break
		}
		s.best = append(s.best, workflows.TrialStatus{
			Index: r.Index, Trial: h.trial(r.Index), Settings: h.plan.Settings(r.Index), ValidationError: r.ValidationError,
		})
	}
	if h.phase.Final() {
		return s
	}
	for _, r := range h.controller.InFlight() {
		if t := h.open[r.Index]; t != nil { // else it is about to be launched
			s.running = append(s.running, runningTrial{
				index: r.Index, settings: t.settings, since: t.since,
				progress: contract.Progress{ID: t.id},
			})
		}
	}
	return s
}

// counts says how many trials are where. In the end that is what the workflow says.
func (h *historian) counts() sweeps.Counts {
	if h.output != nil {
		return *h.output
	}
	c := h.controller.Counts()
	if h.phase.Final() { // without an output: nothing runs any more
		c.Pending, c.Running = c.Pending+c.Running, 0
	}
	return c
}

// listFailures lists the first failed trials by index.
func (h *historian) listFailures() []workflows.Failure {
	if n := h.controller.Counts().Failed; n != h.failed {
		h.failed, h.failures = n, nil
		messages := h.controller.Failures()
		for _, i := range slices.Sorted(maps.Keys(messages)) {
			if len(h.failures) == maxFailures {
				break
			}
			h.failures = append(h.failures, workflows.Failure{
				Index: i, Trial: h.trial(i), Settings: h.plan.Settings(i), Message: messages[i],
			})
		}
	}
	return h.failures
}

// trial is the ID of a trial of the plan.
func (h *historian) trial(i int) sweeps.TrialID {
	id, _, err := h.plan.Trial(i)
	if err != nil {
		return ""
	}
	return id
}
