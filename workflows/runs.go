package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/tenfold-ml/tenfold/activities/contract"
	"github.com/tenfold-ml/tenfold/sweeps"
)

const (
	// maxRunTime ends a Train activity that no heartbeat timeout ended.
	maxRunTime = 60 * 24 * time.Hour
	// maxStopTime is longer than any launcher's grace.
	maxStopTime = 5 * time.Minute
)

// run is a launch of the controller's that has not been reported as ended.
type run struct {
	sweeps.Run
	id      sweeps.TrialID
	waiting bool                // for its backoff to pass
	cancel  workflow.CancelFunc // of the backoff or the activity
	stopped bool                // a stop is in progress, and will report the end
	settled bool                // the backoff or the activity is over, and end is set
	end     sweeps.RunEnded
	resumed int // s.resumed when its activity began
}

func (r *run) activityID() string {
	return fmt.Sprintf("train-%s-a%d", r.id, r.Attempt)
}

// launch starts a run, after its backoff.
func (s *sweep) launch(l sweeps.Launch) {
	delete(s.astray, l.Run.Index) // attached to, or launched, by this run
	if s.interrupted[l.Run.Index] {
		delete(s.interrupted, l.Run.Index)
		s.relaunched++
	}
	id, trial, err := s.plan.Trial(l.Run.Index)
	if err != nil {
		s.handle(sweeps.RunEnded{Run: l.Run, Outcome: sweeps.OutcomeUserError, Message: err.Error()})
		return
	}
	r := &run{Run: l.Run, id: id}
	s.runs[r.Index] = r
	var ctx workflow.Context
	ctx, r.cancel = workflow.WithCancel(s.ctx)
	if l.Backoff <= 0 {
		s.train(ctx, r, trial)
		return
	}
	r.waiting = true
	s.waits.add(workflow.NewTimer(ctx, l.Backoff), func(timer workflow.Future) {
		r.waiting = false
		if err := timer.Get(ctx, nil); err != nil { // cancelled
			s.settle(r, sweeps.RunEnded{Run: r.Run, Outcome: sweeps.OutcomeLost, Message: "stopped before it was launched"})
			return
		}
		s.train(ctx, r, trial)
	})
}

// train runs the activity.
func (s *sweep) train(ctx workflow.Context, r *run, trial sweeps.Trial) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		ActivityID:          r.activityID(),
		StartToCloseTimeout: maxRunTime,
		HeartbeatTimeout:    s.deadline,
		// It is cancelled on the way to a stop alone, and then what counts is when
		// it can launch no more.
		WaitForCancellation: true,
		RetryPolicy:         &temporal.RetryPolicy{MaximumAttempts: 1},
	})
	future := workflow.ExecuteActivity(ctx, contract.TrainActivity, contract.TrainInput{
		Sweep:             s.in.Sweep,
		ID:                r.id,
		Trial:             trial,
		Epochs:            trial.Config.Train.Epochs,
		Attempt:           r.Attempt,
		Command:           s.in.Spec.Trainer.Command,
		Resources:         s.in.Spec.Resources,
		Parallelism:       s.in.Spec.Parallelism,
		NoProgressSeconds: int(time.Duration(s.in.Spec.NoProgress) / time.Second),
		Launcher:          s.in.Spec.Launcher,
	})
	r.resumed = s.resumed
	s.waits.add(future, func(done workflow.Future) {
		var out contract.TrainOutput
		err := done.Get(ctx, &out)
		switch {
		case UsersFault(err):
			s.giveUp(err)
		case Denied(err):
			s.hold(r, err)
		}
		s.settle(r, Ended(r.Run, out, err))
	})
}

// giveUp ends the sweep for something that is wrong with all of its runs. Those
// under way are stopped as when it is cancelled; their checkpoints stay.
func (s *sweep) giveUp(err error) {
	if s.fault == nil {
		s.fault = err
		s.message = lastCause(err)
		s.controller.Handle(sweeps.Cancelled{})
	}
}

// hold pauses the sweep, in which no run can be launched or watched until somebody
// has settled why. What was refused before the sweep was resumed says nothing about now.
func (s *sweep) hold(r *run, err error) {
	if r.resumed == s.resumed && s.controller.Stopping() == "" {
		s.message = lastCause(err)
		s.pause()
	}
}

// settle takes note of how a run ended, and reports it unless a stop in progress
// will.
func (s *sweep) settle(r *run, e sweeps.RunEnded) {
	r.settled, r.end = true, e
	if !r.stopped {
		s.conclude(r)
	}
}

// conclude reports the end of a run.
func (s *sweep) conclude(r *run) {
	delete(s.runs, r.Index)
	if r.end.Outcome == sweeps.OutcomeLost && !r.stopped {
		s.astray[r.Index] = r.Run
	}
	s.handle(r.end)
}

func (s *sweep) handle(e sweeps.RunEnded) {
	s.runsEnded++
	if e.Outcome == sweeps.OutcomeLost || e.Outcome == sweeps.OutcomePreempted {
		s.interrupted[e.Run.Index] = true
	}
	s.controller.Handle(e)
}

// stop kills a run, and reports it as ended when nothing of it is left.
func (s *sweep) stop(which sweeps.Run) {
	r := s.runs[which.Index]
	if r == nil || r.Attempt != which.Attempt {
		// Nobody watches it here: it is of before a continue-as-new.
		s.background(func(ctx workflow.Context) {
			s.kill(ctx, which)
			s.handle(sweeps.RunEnded{Run: which, Outcome: sweeps.OutcomeLost, Message: "stopped"})
		})
		return
	}
	if r.stopped {
		return
	}
	r.stopped = true
	launched := !r.waiting
	if !launched {
		r.cancel() // and it never will be
	}
	s.background(func(ctx workflow.Context) {
		s.kill(ctx, which)
		if !r.settled {
			r.cancel()
			_ = workflow.Await(ctx, func() bool { return r.settled }) // ctx is never cancelled
		}
		if launched && r.end.Outcome == sweeps.OutcomeLost {
			// Its watcher did not see the trainer go, and may have launched it just
			// after the first kill.
			s.kill(ctx, which)
		}
		s.conclude(r)
	})
}

// stopAstray kills what may run though nobody watches it. It is called when the
// sweep launches no more.
func (s *sweep) stopAstray() {
	for _, i := range sortedKeys(s.astray) {
		which := s.astray[i]
		delete(s.astray, i)
		s.background(func(ctx workflow.Context) { s.kill(ctx, which) })
	}
}

// background runs f beside the loop, which ends after it.
func (s *sweep) background(f func(workflow.Context)) {
	s.stops++
	workflow.Go(s.ctx, func(ctx workflow.Context) {
		f(ctx)
		s.stops--
		s.waits.poke()
	})
}

// kill returns when nothing of a trial's runs is left. It tries for as long as
// that fails, since a sweep that ends with trainers running would be worse than one
// that hangs. It gives up on what no other try would do better, which leaves a
// line in the log: an error that says so, and [maxLost] workers lost over it.
func (s *sweep) kill(ctx workflow.Context, which sweeps.Run) {
	id, trial, err := s.plan.Trial(which.Index)
	if err != nil {
		return // it was never launched either
	}
	in := contract.StopInput{Sweep: s.in.Sweep, ID: id, Epochs: trial.Config.Train.Epochs, Launcher: s.in.Spec.Launcher}
	if err := s.perform(ctx, contract.StopActivity, maxStopTime, 0, in, nil); err != nil {
		workflow.GetLogger(ctx).Error("a trial could not be stopped", "trial", id, "error", err)
	}
}
