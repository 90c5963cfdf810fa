package workflows

import (
	"cmp"
	"time"

	"github.com/tenfold-ml/tenfold/activities/contract"
	"github.com/tenfold-ml/tenfold/sweeps"
)

// Phase is what a sweep is doing.
type Phase string

// The phases in the order in which they come. The last three are final.
const (
	PhasePreparing  Phase = "preparing"  // finding the data set and the trainer
	PhaseRunning    Phase = "running"    // launching runs and taking results
	PhasePaused     Phase = "paused"     // launching nothing; what runs goes on
	PhaseFailing    Phase = "failing"    // too many trials failed, or none can go on; stopping the others
	PhaseCancelling Phase = "cancelling" // stopping everything
	PhaseAssembling Phase = "assembling" // making the ensemble
	PhaseReporting  Phase = "reporting"  // writing the report
	PhaseFinished   Phase = "finished"   // all trials are done
	PhaseFailed     Phase = "failed"     // too many failed, or a step of the sweep did
	PhaseCancelled  Phase = "cancelled"  // ended on request
)

// Final says that the sweep has ended.
func (p Phase) Final() bool {
	return p == PhaseFinished || p == PhaseFailed || p == PhaseCancelled
}

// Status answers [StatusQuery], while the sweep goes on and after it has ended.
type Status struct {
	Sweep string `json:"sweep"`
	Phase Phase  `json:"phase"`
	// Message says in one line why the phase is what it is, where there is more to
	// say: the error of a failed sweep, that of a step that is tried again, the reason
	// given for a pause, or the error that paused the sweep.
	Message string `json:"message,omitzero"`
	// Started is when the sweep began, Ended when it ended, as the server counts time.
	Started time.Time `json:"started"`
	Ended   time.Time `json:"ended,omitzero"`
	// Trials is the number of all trials; 0 while preparing.
	Trials int           `json:"trials"`
	Counts sweeps.Counts `json:"counts"`
	// Best holds the best completed trials, best first: as many as the ensemble
	// has members and at least one, at most ten.
	Best []TrialStatus `json:"best,omitzero"`
	// InFlight lists the runs that were launched and have not ended, by index.
	InFlight []RunStatus `json:"in_flight,omitzero"`
	// Failures lists the first failed trials, at most twenty; Counts has their number.
	Failures []Failure `json:"failures,omitzero"`
	// Prepare is what Prepare found; zero while preparing.
	Prepare contract.PrepareOutput `json:"prepare,omitzero"`
	// Ensemble sums up the ensemble; nil before it exists, and where there is none.
	Ensemble *contract.AssembleOutput `json:"ensemble,omitzero"`
	// Report says where the report is; zero before it exists.
	Report sweeps.Artifact `json:"report,omitzero"`
	// Continued counts how often the workflow continued as new.
	Continued int `json:"continued,omitzero"`
}

// TrialStatus is a completed trial.
type TrialStatus struct {
	Index           int              `json:"index"`
	Trial           sweeps.TrialID   `json:"trial"`
	Settings        []sweeps.Setting `json:"settings,omitzero"`
	ValidationError float64          `json:"validation_error"`
}

// RunStatus is a run in flight. How far it has got is in the heartbeat of the
// activity, a contract.Progress.
type RunStatus struct {
	Index   int            `json:"index"`
	Trial   sweeps.TrialID `json:"trial"`
	Attempt int            `json:"attempt"`
	// Activity is the ID of the Train activity.
	Activity string `json:"activity"`
	// Waiting says that the run waits out a backoff.
	Waiting bool `json:"waiting,omitzero"`
}

// Failure is a failed trial.
type Failure struct {
	Index    int              `json:"index"`
	Trial    sweeps.TrialID   `json:"trial"`
	Settings []sweeps.Setting `json:"settings,omitzero"`
	Message  string           `json:"message"`
}

// Bounds of a status.
const (
	maxBest     = 10
	maxFailures = 20
)

// status is the answer to the query. It changes nothing.
func (s *sweep) status() Status {
	out := Status{
		Sweep:     s.in.Sweep,
		Phase:     s.shown(),
		Message:   cmp.Or(s.trouble, s.message),
		Started:   s.started,
		Ended:     s.ended,
		Prepare:   s.prepared,
		Ensemble:  s.ensemble,
		Report:    s.report,
		Continued: s.continued,
	}
	if s.controller == nil {
		return out
	}
	out.Trials = s.plan.Len()
	out.Counts = s.controller.Counts()
	for _, r := range s.controller.Best() {
		if len(out.Best) == maxBest {
			break
		}
		out.Best = append(out.Best, TrialStatus{
			Index: r.Index, Trial: s.trialID(r.Index), Settings: s.plan.Settings(r.Index),
			ValidationError: r.ValidationError,
		})
	}
	for _, i := range sortedKeys(s.runs) {
		r := s.runs[i]
		out.InFlight = append(out.InFlight, RunStatus{
			Index: i, Trial: r.id, Attempt: r.Attempt, Activity: r.activityID(), Waiting: r.waiting,
		})
	}
	failures := s.controller.Failures()
	for _, i := range sortedKeys(failures) {
		if len(out.Failures) == maxFailures {
			break
		}
		out.Failures = append(out.Failures, Failure{
			Index: i, Trial: s.trialID(i), Settings: s.plan.Settings(i), Message: failures[i],
		})
	}
	return out
}

// shown is the phase that others see.
func (s *sweep) shown() Phase {
	if s.phase == PhaseRunning && s.paused {
		return PhasePaused
	}
	return s.phase
}

func (s *sweep) trialID(i int) sweeps.TrialID {
	id, _, err := s.plan.Trial(i)
	if err != nil {
		return ""
	}
	return id
}
