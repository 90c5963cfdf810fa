package main

import (
	"time"

	"github.com/tenfold-ml/tenfold/activities/contract"
	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/workflows"
)

// state of a sweep as users see it: a phase of the workflow, or stateStopped.
type state string

// stateStopped is that of a sweep that has not ended and that nobody works on.
const stateStopped state = "stopped"

// snapshot is a sweep at one moment.
type snapshot struct {
	sweep   string
	state   state
	started time.Time
	ended   time.Time // zero while it goes on
	total   int       // trials; 0 while the plan is not made
	counts  sweeps.Counts
	reused  int // trials whose results were there already
	// relaunched says how many of counts.Retries followed a preemption or a lost
	// worker; the others followed a failure.
	relaunched int
	reason     string                  // given with the last pause, resume or cancel
	best       []workflows.TrialStatus // best first
	running    []runningTrial          // launched and not done, by index
	failures   []workflows.Failure
	// note says what the sweep waits for.
	note string
}

// done counts the trials that have ended.
func (s snapshot) done() int { return s.counts.Completed + s.counts.Diverged + s.counts.Failed }

// runningTrial is a trial that was launched and is not done.
type runningTrial struct {
	index    int
	settings []sweeps.Setting
	since    time.Time
	// progress has no phase as long as nothing was heard of the trial.
	progress contract.Progress
}

// share of the trial's epochs that are over.
func (r runningTrial) share() float64 {
	if r.progress.Epochs == 0 {
		return 0
	}
	return float64(r.progress.Epoch) / float64(r.progress.Epochs)
}

// pace estimates how long a sweep still takes from what it got done since the
// estimate began. Trials whose results were there already say nothing about it.
type pace struct {
	begun time.Time
	base  float64
}

// remaining is the estimate, or ok == false when there is nothing to go by yet.
func (p *pace) remaining(s snapshot, now time.Time) (d time.Duration, ok bool) {
	done := float64(s.done() - s.reused)
	for _, r := range s.running {
		done += r.share()
	}
	if s.state != state(workflows.PhaseRunning) || s.total == 0 {
		p.begun = time.Time{} // a pause is not work
		return 0, false
	}
	if p.begun.IsZero() {
		p.begun, p.base = now, done
	}
	got, elapsed := done-p.base, now.Sub(p.begun)
	left := float64(s.total-s.reused) - done
	if got <= 0 || left <= 0 || elapsed < 2*time.Second {
		return 0, false
	}
	return time.Duration(left / got * float64(elapsed)), true
}
