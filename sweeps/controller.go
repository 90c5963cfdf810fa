package sweeps

import "time"

// Run is one attempt to train a trial for a number of epochs.
type Run struct {
	// Index of the trial in the [Plan].
	Index int `json:"index"`
	// Attempt counts from 1 and is never used twice for one trial, whatever
	// failed, was lost or was re-launched.
	Attempt int `json:"attempt"`
}

// Command is what a [Controller] wants done: [Launch] or [Stop].
type Command interface{ command() }

// Launch asks for a run to be launched, or attached to if the trial already runs
// or has its result.
type Launch struct {
	Run Run
	// Backoff is how long to wait first.
	Backoff time.Duration
}

// Stop asks for a run to be killed, whether or not it is still there. Whoever
// carries it out owes the controller a [RunEnded] of that run once nothing of it
// is left: the watcher's own, or one with [OutcomeLost] where nobody watches (as
// after [RestoreController]). A run whose trial has its result needs none.
type Stop struct{ Run Run }

func (Launch) command() {}
func (Stop) command()   {}

// Event is what a [Controller] is told: [RunEnded], [Paused], [Resumed] or [Cancelled].
type Event interface{ event() }

// Outcome classifies how a run ended.
type Outcome string

const (
	// OutcomeCompleted means that a result is committed, and it is finite.
	OutcomeCompleted Outcome = "completed"
	// OutcomeDiverged means that a result is committed; the run diverged.
	OutcomeDiverged Outcome = "diverged"
	// OutcomeUserError means that the configuration, the data or the trainer's command is
	// at fault. Not retried beyond retries.user.
	OutcomeUserError Outcome = "user_error"
	// OutcomePreempted means that the run saved a checkpoint and left (exit 75).
	OutcomePreempted Outcome = "preempted"
	// OutcomeLost means that the worker that watched the run is gone; whether the run
	// itself is, nobody knows. Counted with the preempted.
	OutcomeLost Outcome = "lost"
	// OutcomeInfra is anything else. Retried with backoff.
	OutcomeInfra Outcome = "infra"
)

// RunEnded reports the end of a run. Reports may come late, twice and in any
// order: those of a trial that is done change nothing, nor do those of an attempt
// that was given up, unless they say that a result is committed. That is true
// whichever attempt brings it, since a trial's committed result is unique.
type RunEnded struct {
	Run     Run
	Outcome Outcome
	// ValidationError is the committed one, for completed runs.
	ValidationError float64
	// Message says in one line what went wrong, for the others.
	Message string
	// Excused says of a lost run that it is not counted: it never had a chance, and
	// whoever reports it sees to it that it is not tried again for ever.
	Excused bool
}

// Paused stops further launches; what runs goes on.
type Paused struct{}

// Resumed undoes [Paused].
type Resumed struct{}

// Cancelled stops every run and launches no more.
type Cancelled struct{}

func (RunEnded) event()  {}
func (Paused) event()    {}
func (Resumed) event()   {}
func (Cancelled) event() {}

// ControllerSettings are what decisions depend on besides the events.
type ControllerSettings struct {
	// Trials is the size of the plan; below 0 counts as 0.
	Trials int
	// Parallelism is the number of runs in flight; below 1 counts as 1.
	Parallelism int
	// MaxFailedTrials is how many trials may fail; one more fails the sweep.
	MaxFailedTrials int
	Retries         Retries
	// KeepBest is how many of the best trials to remember: the ensemble's size.
	KeepBest int
}

// Verdict says how a sweep ended.
type Verdict string

const (
	// VerdictFinished means that every trial is completed, diverged or failed, and no more
	// failed than may.
	VerdictFinished Verdict = "finished"
	// VerdictFailed means that more than MaxFailedTrials trials failed.
	VerdictFailed Verdict = "failed"
	// VerdictCancelled means that it was told to end.
	VerdictCancelled Verdict = "cancelled"
)

// Ranked is a completed trial, as ranked on validation error.
type Ranked struct {
	Index           int     `json:"index"`
	ValidationError float64 `json:"validation_error"`
}

// Counts says how many trials are where. The first five add up to all trials.
type Counts struct {
	Pending   int `json:"pending"` // never launched, or between two runs while paused or stopping
	Running   int `json:"running"` // launched, or waiting out a backoff
	Completed int `json:"completed"`
	Diverged  int `json:"diverged"`
	Failed    int `json:"failed"`
	// Retries counts launches that followed a failure, a preemption or a loss;
	// launches that only attach again after [RestoreController] are none.
	Retries int `json:"retries"`
}
