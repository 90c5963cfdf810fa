package workflows

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/tenfold-ml/tenfold/activities/contract"
	"github.com/tenfold-ml/tenfold/sweeps"
)

// DefaultHeartbeatTimeout is for how long a Train activity may be silent before
// its worker counts as lost.
const DefaultHeartbeatTimeout = 10 * time.Second

// SweepInput starts a sweep.
type SweepInput struct {
	// Sweep is the sweep's ID, and the workflow's.
	Sweep string      `json:"sweep"`
	Spec  sweeps.Spec `json:"spec"`
	// HeartbeatTimeout of the Train and Stop activities, in nanoseconds; 0 means
	// [DefaultHeartbeatTimeout]. Activities heartbeat every second.
	HeartbeatTimeout time.Duration `json:"heartbeat_timeout,omitzero"`
	// SearchAttributes says that the server knows [SearchAttributes].
	SearchAttributes bool `json:"search_attributes,omitzero"`
	// ContinueAfter is the number of ended runs after which the workflow continues
	// as new though the server does not suggest it; 0 means never. For tests.
	ContinueAfter int `json:"continue_after,omitzero"`
	// State is set when the workflow continued as new; nobody else sets it.
	State *State `json:"state,omitzero"`
}

// State is what a sweep takes with it when it continues as new.
type State struct {
	Prepare    contract.PrepareOutput `json:"prepare"`
	Controller sweeps.Snapshot        `json:"controller"`
	Started    time.Time              `json:"started"`
	Continued  int                    `json:"continued"`
	// Astray holds runs that may go on though nobody watches them.
	Astray []sweeps.Run `json:"astray,omitzero"`
	// Message of the last pause.
	Message string `json:"message,omitzero"`
	// Relaunched says how many of the controller's retries followed a preemption
	// or a loss, which is no failure.
	Relaunched int `json:"relaunched,omitzero"`
}

// SweepOutput is how a sweep ended. A sweep that was cancelled or in which too
// many trials failed has an output, too; only a step that cannot be taken at all
// (an unusable spec, no data, no ensemble, no report) is an error of the workflow.
type SweepOutput struct {
	Verdict sweeps.Verdict `json:"verdict"`
	Counts  sweeps.Counts  `json:"counts"`
	// Ensemble is nil where there is none.
	Ensemble *contract.AssembleOutput `json:"ensemble,omitzero"`
	// Report is zero when the sweep was cancelled before it was prepared.
	Report sweeps.Artifact `json:"report,omitzero"`
}

// sweep is an execution of [Sweep].
type sweep struct {
	in       SweepInput
	deadline time.Duration    // heartbeat timeout
	ctx      workflow.Context // not cancelled with the workflow

	// phase, message and what follows are for the status.
	phase     Phase
	message   string
	trouble   string // of an activity that is tried again
	started   time.Time
	ended     time.Time
	continued int
	prepared  contract.PrepareOutput
	ensemble  *contract.AssembleOutput
	report    sweeps.Artifact

	plan       *sweeps.Plan
	controller *sweeps.Controller // nil while preparing
	runs       map[int]*run       // in flight, by trial
	astray     map[int]sweeps.Run // may run, unwatched
	stops      int                // stops in progress
	fault      error              // that ends the sweep, of a run that nobody could retry
	runsEnded  int                // in this execution

	interrupted map[int]bool // trials whose last run was lost or preempted
	relaunched  int          // launches that followed that

	// paused and cancelled are what updates have asked for last, and resumed counts
	// those to resume. early holds what they asked for before there was a controller.
	paused, cancelled bool
	resumed           int
	early             []sweeps.Event
	cancelStep        workflow.CancelFunc // of the step that is being taken

	waits futures
}

// Sweep is the workflow of one sweep.
func Sweep(ctx workflow.Context, in SweepInput) (SweepOutput, error) {
	own, _ := workflow.NewDisconnectedContext(ctx)
	s := &sweep{
		in:       in,
		deadline: cmp.Or(in.HeartbeatTimeout, DefaultHeartbeatTimeout),
		ctx:      own,
		phase:    PhasePreparing,
		started:  workflow.Now(ctx),
		runs:     map[int]*run{},
		astray:   map[int]sweeps.Run{},

		interrupted: map[int]bool{},
	}
	if st := in.State; st != nil {
		s.phase, s.started, s.prepared = PhaseRunning, st.Started, st.Prepare
		s.continued, s.message, s.paused = st.Continued, st.Message, st.Controller.Paused
		s.relaunched = st.Relaunched
		for _, r := range st.Astray {
			s.astray[r.Index] = r
		}
	}
	s.waits = newFutures(own)
	if err := s.handleControl(ctx); err != nil {
		return SweepOutput{}, err
	}
	s.announce()
	out, err := s.run()
	switch {
	case workflow.IsContinueAsNewError(err):
		return SweepOutput{}, err
	case err != nil:
		s.phase, s.message = PhaseFailed, lastCause(err)
	default:
		s.phase = Phase(out.Verdict)
	}
	s.ended = workflow.Now(own)
	s.announce()
	return out, err
}

// run takes the steps of the sweep one after the other.
func (s *sweep) run() (SweepOutput, error) {
	if s.in.State == nil {
		cancelled, err := s.prepare()
		if err != nil {
			return SweepOutput{}, err
		}
		if cancelled {
			return SweepOutput{Verdict: sweeps.VerdictCancelled}, nil
		}
	}
	if err := s.takeControl(); err != nil {
		return SweepOutput{}, err
	}
	verdict, err := s.loop()
	if err != nil {
		return SweepOutput{}, err // continue as new
	}
	if s.fault != nil {
		// No report: the store cannot take one.
		return SweepOutput{}, temporal.NewNonRetryableApplicationError(lastCause(s.fault), contract.UserError, nil)
	}
	out := SweepOutput{Verdict: verdict, Counts: s.controller.Counts()}
	var assembly error
	if verdict == sweeps.VerdictFinished && s.in.Spec.Ensemble.Size > 0 {
		var cancelled bool
		if cancelled, assembly = s.assemble(); cancelled {
			out.Verdict = sweeps.VerdictCancelled
		}
		out.Ensemble = s.ensemble
	}
	// The report is written whatever happened: it is where to look for why.
	if err := s.makeReport(); err != nil {
		return SweepOutput{}, cmp.Or(assembly, err)
	}
	out.Report = s.report
	return out, assembly
}

// takeControl makes the plan, and the controller or what it was before the
// workflow continued as new.
func (s *sweep) takeControl() error {
	plan, err := sweeps.NewPlan(s.in.Spec, s.prepared.Dataset, s.prepared.Trainer)
	if err != nil {
		return temporal.NewNonRetryableApplicationError(err.Error(), contract.UserError, nil)
	}
	s.plan = plan
	settings := sweeps.ControllerSettings{
		Trials:          plan.Len(),
		Parallelism:     s.in.Spec.Parallelism,
		MaxFailedTrials: s.in.Spec.MaxFailedTrials,
		Retries:         s.in.Spec.Retries,
		KeepBest:        max(1, s.in.Spec.Ensemble.Size),
	}
	if s.in.State == nil {
		s.controller = sweeps.NewController(settings)
	} else if s.controller, err = sweeps.RestoreController(settings, s.in.State.Controller); err != nil {
		return temporal.NewNonRetryableApplicationError(fmt.Sprintf("continuing the sweep: %v", err), "", nil)
	}
	for _, e := range s.early {
		s.controller.Handle(e)
	}
	s.early = nil
	s.enter(PhaseRunning)
	return nil
}

// loop carries out commands and takes results until the controller is done, or
// returns the error that continues the workflow as new.
func (s *sweep) loop() (sweeps.Verdict, error) {
	for {
		s.obey()
		if verdict, done := s.controller.Done(); done {
			s.stopAstray()
			if s.stops == 0 {
				return verdict, nil
			}
		}
		if s.shouldContinue() {
			return "", s.continueAsNew()
		}
		s.waits.next(s.ctx)
	}
}

// obey carries out what the controller wants now.
func (s *sweep) obey() {
	for commands := s.controller.Next(); len(commands) > 0; commands = s.controller.Next() {
		for _, c := range commands {
			switch c := c.(type) {
			case sweeps.Launch:
				s.launch(c)
			case sweeps.Stop:
				s.stop(c.Run)
			}
		}
	}
	if s.controller.Stopping() != "" {
		s.stopAstray()
		if s.fault != nil {
			s.enter(PhaseFailing)
		} else {
			s.enter(stoppingPhase(s.controller.Stopping()))
		}
	}
}

func stoppingPhase(v sweeps.Verdict) Phase {
	if v == sweeps.VerdictFailed {
		return PhaseFailing
	}
	return PhaseCancelling
}

// shouldContinue says whether to continue as new. While the sweep is stopping
// it is too near its end to be worth it, and stops in progress would be lost.
func (s *sweep) shouldContinue() bool {
	if s.controller.Stopping() != "" || s.stops > 0 {
		return false
	}
	return workflow.GetInfo(s.ctx).GetContinueAsNewSuggested() ||
		s.in.ContinueAfter > 0 && s.runsEnded >= s.in.ContinueAfter
}

func (s *sweep) continueAsNew() error {
	// Handlers do not block, so none is ever half done; this is for the day one does.
	if err := workflow.Await(s.ctx, func() bool { return workflow.AllHandlersFinished(s.ctx) }); err != nil {
		return err
	}
	in := s.in
	in.State = &State{
		Prepare:    s.prepared,
		Controller: s.controller.Snapshot(),
		Started:    s.started,
		Continued:  s.continued + 1,
		Message:    s.message,
		Relaunched: s.relaunched,
	}
	for _, i := range sortedKeys(s.astray) {
		in.State.Astray = append(in.State.Astray, s.astray[i])
	}
	return workflow.NewContinueAsNewError(s.ctx, SweepWorkflow, in)
}

// enter changes the phase.
func (s *sweep) enter(p Phase) {
	if s.phase == p {
		return
	}
	s.phase = p
	s.announce()
}

// announce makes the phase searchable. It is called when the phase has changed,
// or its being paused.
func (s *sweep) announce() {
	if !s.in.SearchAttributes {
		return
	}
	if err := workflow.UpsertTypedSearchAttributes(s.ctx, phaseKey().ValueSet(string(s.shown()))); err != nil {
		workflow.GetLogger(s.ctx).Warn("the phase cannot be made searchable", "error", err)
	}
}

// sortedKeys are the keys of a map in an order that does not depend on the run.
func sortedKeys[V any](m map[int]V) []int {
	return slices.Sorted(maps.Keys(m))
}
