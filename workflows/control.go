package workflows

import (
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/tenfold-ml/tenfold/activities/contract"
	"github.com/tenfold-ml/tenfold/sweeps"
)

// Control is the input of [PauseUpdate], [ResumeUpdate] and [CancelUpdate].
type Control struct {
	// Reason is shown in the status; optional.
	Reason string `json:"reason,omitzero"`
}

// handleControl installs the handlers. They never block.
func (s *sweep) handleControl(ctx workflow.Context) error {
	if err := workflow.SetQueryHandler(ctx, StatusQuery, func() (Status, error) { return s.status(), nil }); err != nil {
		return err
	}
	for _, u := range []struct {
		name  string
		check func() error
		do    func()
	}{
		{PauseUpdate, s.checkGoesOn, s.pause},
		{ResumeUpdate, s.checkGoesOn, s.resume},
		{CancelUpdate, s.checkNotOver, s.cancel},
	} {
		handler := func(_ workflow.Context, c Control) (Status, error) {
			s.message = contract.OneLine(c.Reason)
			u.do()
			s.waits.poke()
			return s.status(), nil
		}
		options := workflow.UpdateHandlerOptions{Validator: func(Control) error { return u.check() }}
		if err := workflow.SetUpdateHandlerWithOptions(ctx, u.name, handler, options); err != nil {
			return err
		}
	}
	// A request to cancel the workflow, as from Temporal's own tools, is an update
	// that nobody waits for.
	workflow.GoNamed(ctx, "cancellation", func(ctx workflow.Context) {
		ctx.Done().Receive(ctx, nil)
		if s.checkNotOver() == nil {
			s.cancel()
			s.waits.poke()
		}
	})
	return nil
}

// checkNotOver refuses what comes after the last run.
func (s *sweep) checkNotOver() error {
	if s.phase.Final() || s.phase == PhaseReporting {
		return refused("the sweep is " + string(s.phase) + " already")
	}
	return nil
}

// checkGoesOn refuses what makes no sense when no more runs will be launched.
func (s *sweep) checkGoesOn() error {
	if s.cancelled {
		return refused("the sweep is being cancelled")
	}
	switch s.phase {
	case PhasePreparing, PhaseRunning:
		return nil
	default:
		return refused("the sweep is " + string(s.phase) + " already")
	}
}

func refused(why string) error {
	return temporal.NewNonRetryableApplicationError(why, RefusedError, nil)
}

func (s *sweep) pause() {
	s.setPaused(true, sweeps.Paused{})
}

func (s *sweep) resume() {
	s.resumed++
	s.setPaused(false, sweeps.Resumed{})
}

func (s *sweep) setPaused(paused bool, e sweeps.Event) {
	before := s.shown()
	s.paused = paused
	s.tell(e)
	if s.shown() != before {
		s.announce()
	}
}

func (s *sweep) cancel() {
	s.cancelled = true
	s.tell(sweeps.Cancelled{})
	if s.cancelStep != nil {
		s.cancelStep()
	}
}

// tell passes an event on, or keeps it until there is a controller: updates can
// arrive with the first workflow task of an execution.
func (s *sweep) tell(e sweeps.Event) {
	if s.controller == nil {
		s.early = append(s.early, e)
		return
	}
	s.controller.Handle(e)
}
