package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/tenfold-ml/tenfold/activities/contract"
)

// prepare finds the data set and the trainer.
func (s *sweep) prepare() (cancelled bool, err error) {
	in := contract.PrepareInput{Sweep: s.in.Sweep, Spec: s.in.Spec}
	// Importing a data set may mean downloading it.
	cancelled, err = s.step(contract.PrepareActivity, 2*time.Hour, 5, in, &s.prepared)
	if err != nil {
		return false, stepError("preparing the sweep", err)
	}
	return cancelled, nil
}

// assemble makes the ensemble.
func (s *sweep) assemble() (cancelled bool, err error) {
	s.enter(PhaseAssembling)
	in := contract.AssembleInput{
		Sweep: s.in.Sweep, Spec: s.in.Spec, Prepare: s.prepared,
		Failed: append([]int{}, sortedKeys(s.controller.Failures())...), // not nil
	}
	var out contract.AssembleOutput
	cancelled, err = s.step(contract.AssembleActivity, time.Hour, 8, in, &out)
	if err != nil {
		return false, stepError("assembling the ensemble", err)
	}
	if !cancelled {
		s.ensemble = &out
	}
	return cancelled, nil
}

// makeReport writes the report. It is the last thing to happen, and short, so
// nobody can cancel it.
func (s *sweep) makeReport() error {
	s.enter(PhaseReporting)
	in := contract.ReportInput{
		Sweep: s.in.Sweep, Spec: s.in.Spec, Prepare: s.prepared,
		Failed: s.controller.Failures(),
	}
	var out contract.ReportOutput
	if _, err := s.step(contract.ReportActivity, time.Hour, 8, in, &out); err != nil {
		return stepError("writing the report", err)
	}
	s.report = out.Report
	return nil
}

// step performs an activity of the sweep's own, which can be cancelled. cancelled
// says that it was given up because somebody cancelled the sweep meanwhile.
func (s *sweep) step(activity string, limit time.Duration, attempts int, in, out any) (cancelled bool, err error) {
	ctx, cancel := workflow.WithCancel(s.ctx)
	defer cancel()
	s.cancelStep = cancel
	defer func() { s.cancelStep = nil }()
	if s.cancelled && activity != contract.ReportActivity {
		return true, nil
	}
	err = s.perform(ctx, activity, limit, attempts, in, out)
	if err != nil && temporal.IsCanceledError(err) && s.cancelled {
		return true, nil
	}
	return false, err
}

// maxLost is how many workers may be lost over one activity. It ends a sweep
// whose activity kills each worker that tries.
const maxLost = 100

// perform runs an activity, with at most limit for each try, until it succeeds,
// has failed as often as attempts says (0: any number of times), or it is its
// user's fault. That its worker was lost is no failure of the activity's, which
// is why the retries are not left to Temporal: it cannot tell.
func (s *sweep) perform(ctx workflow.Context, activity string, limit time.Duration, attempts int, in, out any) error {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: limit,
		HeartbeatTimeout:    s.deadline,
		RetryPolicy:         &temporal.RetryPolicy{MaximumAttempts: 1},
	})
	for failed, lost := 0, 0; ; {
		err := workflow.ExecuteActivity(ctx, activity, in).Get(ctx, out)
		if err == nil {
			s.trouble = ""
			return nil
		}
		if ctx.Err() != nil || hopeless(err) {
			return err
		}
		s.trouble = activity + ": " + lastCause(err) + "; trying again"
		if workerLost(err) {
			if lost++; lost == maxLost {
				return err
			}
			continue
		}
		if failed++; failed == attempts {
			return err
		}
		if err := workflow.Sleep(ctx, stepBackoff(failed)); err != nil {
			return err
		}
	}
}

// stepBackoff doubles from a second to a minute.
func stepBackoff(failed int) time.Duration {
	return min(time.Second<<min(failed-1, 6), time.Minute)
}

// stepError is the workflow's error when a step cannot be taken. It keeps whose
// fault it is and drops where and when the activity ran.
func stepError(doing string, err error) error {
	kind := ""
	if UsersFault(err) {
		kind = contract.UserError
	}
	return temporal.NewNonRetryableApplicationError(doing+": "+lastCause(err), kind, nil)
}
