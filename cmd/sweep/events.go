package main

import (
	"time"

	"github.com/tenfold-ml/tenfold/sweeps"
)

// Kinds of events.
const (
	eventStarted       = "sweep_started"
	eventTrialStarted  = "trial_started"
	eventTrialRetried  = "trial_retried"
	eventTrialFinished = "trial_finished"
	eventTrialFailed   = "trial_failed"
	eventPaused        = "sweep_paused"
	eventResumed       = "sweep_resumed"
	eventCancelled     = "sweep_cancelled"
	eventWaiting       = "waiting"
	eventFinished      = "sweep_finished"
)

// event is one line of the stream that `run -o json` and `status --follow -o
// json` write. Which fields are there depends on the kind:
//
//	sweep_started   sweep, trials, attached
//	trial_started   sweep, trial, index, attempt, settings
//	trial_retried   the same, outcome and message of the attempt before
//	trial_finished  the same, outcome (completed or diverged), validation_error, reused
//	trial_failed    the same, outcome, message, log
//	sweep_paused    sweep, message (the reason, where one was given)
//	sweep_resumed   the same
//	sweep_cancelled the same; the trainers are being stopped
//	waiting         sweep, message
//	sweep_finished  sweep, state, message, summary
type event struct {
	Event    string           `json:"event"`
	Time     time.Time        `json:"time"`
	Sweep    string           `json:"sweep"`
	Trials   int              `json:"trials,omitzero"`
	Attached bool             `json:"attached,omitzero"`
	Trial    sweeps.TrialID   `json:"trial,omitzero"`
	Index    *int             `json:"index,omitempty"`
	Attempt  int              `json:"attempt,omitzero"`
	Settings []sweeps.Setting `json:"settings,omitzero"`
	Outcome  sweeps.Outcome   `json:"outcome,omitzero"`
	// ValidationError is of completed trials, a share in [0, 1].
	ValidationError *float64 `json:"validation_error,omitempty"`
	Reused          bool     `json:"reused,omitzero"`
	Message         string   `json:"message,omitzero"`
	Log             string   `json:"log,omitzero"`
	State           state    `json:"state,omitzero"`
	Summary         *summary `json:"summary,omitzero"`

	id int64 // of the event in the history that says so
}
