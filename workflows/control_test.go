package workflows_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/tenfold-ml/tenfold/activities/contract"
	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/workflows"
)

func accepted(t *testing.T, want workflows.Phase) func(workflows.Status, error) {
	return func(s workflows.Status, err error) {
		t.Helper()
		if err != nil || s.Phase != want {
			t.Errorf("the update returned phase %q, %v; want %q", s.Phase, err, want)
		}
	}
}

func rejected(t *testing.T) func(workflows.Status, error) {
	return func(s workflows.Status, err error) {
		t.Helper()
		var application *temporal.ApplicationError
		if !errors.As(err, &application) || application.Type() != workflows.RefusedError {
			t.Errorf("the update returned %+v, %v", s, err)
		}
	}
}

func TestPauseAndResume(t *testing.T) {
	t.Parallel()
	w := &world{}
	// Each run fails once, so that every trial has a second of backoff within
	// which the clock can do things.
	w.train = func(_ context.Context, in contract.TrainInput) (contract.TrainOutput, error) {
		if in.Attempt == 1 {
			return contract.TrainOutput{Outcome: sweeps.OutcomeInfra, Message: "again"}, nil
		}
		return completed(in), nil
	}
	env := environment(t, w)
	env.RegisterDelayedCallback(func() {
		update(env, workflows.PauseUpdate, accepted(t, workflows.PhasePaused))
	}, 500*time.Millisecond)
	env.RegisterDelayedCallback(func() { // twice is as good as once
		update(env, workflows.PauseUpdate, accepted(t, workflows.PhasePaused))
	}, 700*time.Millisecond)
	env.RegisterDelayedCallback(func() {
		s := status(t, env)
		if s.Phase != workflows.PhasePaused || s.Message != "a test" || s.Counts.Running != 0 {
			t.Errorf("an hour into the pause: %+v", s)
		}
		if len(w.attempts(6)) != 0 {
			t.Error("the pause launched something")
		}
		update(env, workflows.ResumeUpdate, accepted(t, workflows.PhaseRunning))
	}, time.Hour)
	env.ExecuteWorkflow(workflows.SweepWorkflow, input(spec(6)))
	if out := finish(t, env); out.Verdict != sweeps.VerdictFinished || out.Counts.Completed != 6 {
		t.Errorf("got %+v", out)
	}
}

// TestDenied has a token expire with runs in flight, and somebody renew it.
func TestDenied(t *testing.T) {
	t.Parallel()
	w := &world{}
	w.train = func(_ context.Context, in contract.TrainInput) (contract.TrainOutput, error) {
		if in.Attempt <= 2 && in.Trial.Config.Seed <= 3 {
			return contract.TrainOutput{}, temporal.NewNonRetryableApplicationError("launch the trainer: 403", contract.Denied, nil)
		}
		return completed(in), nil
	}
	s := spec(5)
	s.Launcher = sweeps.Launcher{Kind: sweeps.NomadLauncher, Nomad: sweeps.Nomad{Driver: "exec"}}
	s.Retries = sweeps.Retries{} // none is burnt
	env := environment(t, w)
	for i := range 2 {
		env.RegisterDelayedCallback(func() {
			got := status(t, env)
			if got.Phase != workflows.PhasePaused || got.Message != "launch the trainer: 403" || got.Counts.Pending != 5 {
				t.Errorf("pause %d: %+v", i+1, got)
			}
			if n := len(w.seeds()); n != 3*(i+1) {
				t.Errorf("pause %d: %d runs were launched", i+1, n)
			}
			update(env, workflows.ResumeUpdate, accepted(t, workflows.PhaseRunning))
		}, time.Duration(i+1)*time.Hour)
	}
	env.ExecuteWorkflow(workflows.SweepWorkflow, input(s))
	if out := finish(t, env); out.Verdict != sweeps.VerdictFinished || out.Counts.Completed != 5 || out.Counts.Failed != 0 {
		t.Errorf("got %+v", out)
	}
	if got := w.attempts(1); !slices.Equal(got, []int{1, 2, 3}) {
		t.Errorf("attempts %v", got)
	}
	if got := w.trained[0].Launcher; got.Kind != s.Launcher.Kind || got.Nomad.Driver != "exec" {
		t.Errorf("Train was told of the launcher %+v", got)
	}
}

// TestDeniedBeforeTheSweepWasResumed has a run end late that was refused earlier.
func TestDeniedBeforeTheSweepWasResumed(t *testing.T) {
	t.Parallel()
	w := &world{}
	late := make(chan struct{})
	w.train = func(_ context.Context, in contract.TrainInput) (contract.TrainOutput, error) {
		switch {
		case in.Attempt > 1:
			return completed(in), nil
		case in.Trial.Config.Seed == 2:
			<-late
		}
		return contract.TrainOutput{}, temporal.NewNonRetryableApplicationError("403", contract.Denied, nil)
	}
	s := spec(2)
	env := environment(t, w)
	var resume func()
	resume = func() {
		if status(t, env).Phase != workflows.PhasePaused {
			env.RegisterDelayedCallback(resume, 10*time.Millisecond) // looks again
			return
		}
		update(env, workflows.ResumeUpdate, func(workflows.Status, error) { close(late) })
	}
	env.RegisterDelayedCallback(resume, 10*time.Millisecond)
	env.ExecuteWorkflow(workflows.SweepWorkflow, input(s))
	if out := finish(t, env); out.Verdict != sweeps.VerdictFinished || out.Counts.Completed != 2 {
		t.Errorf("got %+v", out)
	}
}

// TestPauseBeforeTheFirstLaunch sends the update while Prepare runs.
func TestPauseBeforeTheFirstLaunch(t *testing.T) {
	t.Parallel()
	w := &world{}
	env := environment(t, w)
	env.RegisterDelayedCallback(func() {
		update(env, workflows.PauseUpdate, accepted(t, workflows.PhasePreparing))
	}, 0)
	env.RegisterDelayedCallback(func() {
		if s := status(t, env); s.Phase != workflows.PhasePaused || len(w.seeds()) != 0 || s.Counts.Pending != 2 {
			t.Errorf("paused early: %+v, %d runs", s, len(w.seeds()))
		}
		update(env, workflows.ResumeUpdate, accepted(t, workflows.PhaseRunning))
	}, time.Minute)
	env.ExecuteWorkflow(workflows.SweepWorkflow, input(spec(2)))
	finish(t, env)
}

func testCancel(t *testing.T, cancel func(do func(then func(workflows.Status, error)), request func())) {
	t.Helper()
	w := &world{}
	w.train = func(_ context.Context, in contract.TrainInput) (contract.TrainOutput, error) {
		switch in.Trial.Config.Seed {
		case 1:
			return completed(in), nil
		case 2: // waits out its backoff when the cancellation comes
			return contract.TrainOutput{Outcome: sweeps.OutcomeInfra, Message: "no"}, nil
		default:
			return w.block(in)
		}
	}
	env := environment(t, w)
	env.RegisterDelayedCallback(func() {
		cancel(func(then func(workflows.Status, error)) { update(env, workflows.CancelUpdate, then) }, env.CancelWorkflow)
	}, 500*time.Millisecond)
	env.ExecuteWorkflow(workflows.SweepWorkflow, input(spec(9)))
	out := finish(t, env)
	if out.Verdict != sweeps.VerdictCancelled || out.Counts.Completed != 1 || out.Counts.Running != 0 || out.Counts.Pending != 8 || out.Ensemble != nil {
		t.Errorf("got %+v", out)
	}
	if len(w.killed) != 0 {
		t.Errorf("%d runs go on", len(w.killed))
	}
	if !slices.Equal(w.steps, []string{"prepare", "report"}) {
		t.Errorf("steps %v", w.steps)
	}
	if s := status(t, env); s.Phase != workflows.PhaseCancelled || len(s.InFlight) != 0 {
		t.Errorf("status %+v", s)
	}
}

func TestCancelUpdate(t *testing.T) {
	t.Parallel()
	testCancel(t, func(do func(func(workflows.Status, error)), _ func()) {
		do(func(_ workflows.Status, err error) {
			if err != nil {
				t.Error(err)
			}
		})
		do(func(_ workflows.Status, err error) { // in a hurry
			if err != nil {
				t.Error(err)
			}
		})
	})
}

// TestStopIsRetried has the launcher unreachable at first. (The clock is not
// virtual here, since the environment's stands still while activities run.)
func TestStopIsRetried(t *testing.T) {
	t.Parallel()
	w := &world{stopErrs: 3}
	w.train = func(_ context.Context, in contract.TrainInput) (contract.TrainOutput, error) { return w.block(in) }
	env := environment(t, w)
	env.RegisterDelayedCallback(func() {
		update(env, workflows.CancelUpdate, func(workflows.Status, error) {})
	}, 500*time.Millisecond)
	env.RegisterDelayedCallback(func() {
		if s := status(t, env); s.Phase != workflows.PhaseCancelling || s.Message != "Stop: cannot reach the node; trying again" {
			t.Errorf("meanwhile: %+v", s)
		}
	}, 800*time.Millisecond)
	env.ExecuteWorkflow(workflows.SweepWorkflow, input(spec(5)))
	if out := finish(t, env); out.Verdict != sweeps.VerdictCancelled || len(w.killed) != 0 {
		t.Errorf("got %+v, %d runs go on", out, len(w.killed))
	}
}

func TestCancelWorkflow(t *testing.T) {
	t.Parallel()
	testCancel(t, func(_ func(func(workflows.Status, error)), request func()) { request() })
}

func TestCancelWhilePaused(t *testing.T) {
	t.Parallel()
	w := &world{}
	w.train = func(_ context.Context, in contract.TrainInput) (contract.TrainOutput, error) {
		return contract.TrainOutput{}, temporal.NewHeartbeatTimeoutError()
	}
	env := environment(t, w)
	env.RegisterDelayedCallback(func() {
		update(env, workflows.PauseUpdate, accepted(t, workflows.PhasePaused))
	}, 500*time.Millisecond)
	env.RegisterDelayedCallback(func() {
		update(env, workflows.CancelUpdate, func(workflows.Status, error) {})
	}, time.Minute)
	env.ExecuteWorkflow(workflows.SweepWorkflow, input(spec(3)))
	if out := finish(t, env); out.Verdict != sweeps.VerdictCancelled {
		t.Errorf("got %+v", out)
	}
	// Nobody watched the trainers whose worker was lost, so they are stopped blindly.
	if len(w.stopped) < 3 {
		t.Errorf("stopped %+v", w.stopped)
	}
}

func TestCancelWhilePreparing(t *testing.T) {
	t.Parallel()
	w := &world{prepareErr: errors.New("not yet")} // retried with a growing backoff
	env := environment(t, w)
	env.RegisterDelayedCallback(func() {
		update(env, workflows.CancelUpdate, accepted(t, workflows.PhasePreparing))
	}, 2*time.Second)
	env.ExecuteWorkflow(workflows.SweepWorkflow, input(spec(3)))
	if out := finish(t, env); out.Verdict != sweeps.VerdictCancelled || len(w.reported) != 0 || len(w.trained) != 0 {
		t.Errorf("got %+v", out)
	}
	if s := status(t, env); s.Phase != workflows.PhaseCancelled {
		t.Errorf("status %+v", s)
	}
}

func TestCancelWhileAssembling(t *testing.T) {
	t.Parallel()
	w := &world{assembleErr: errors.New("not yet")}
	env := environment(t, w)
	env.RegisterDelayedCallback(func() {
		update(env, workflows.PauseUpdate, rejected(t))
		update(env, workflows.CancelUpdate, accepted(t, workflows.PhaseAssembling))
	}, 2*time.Second)
	env.ExecuteWorkflow(workflows.SweepWorkflow, input(spec(3)))
	if out := finish(t, env); out.Verdict != sweeps.VerdictCancelled || out.Counts.Completed != 3 || len(w.reported) != 1 {
		t.Errorf("got %+v, %d reports", out, len(w.reported))
	}
}

func TestTooLate(t *testing.T) {
	t.Parallel()
	w := &world{reportErr: errors.New("not yet")}
	env := environment(t, w)
	env.RegisterDelayedCallback(func() {
		if s := status(t, env); s.Phase != workflows.PhaseReporting || s.Ensemble == nil {
			t.Errorf("status %+v", s)
		}
		for _, name := range []string{workflows.PauseUpdate, workflows.ResumeUpdate, workflows.CancelUpdate} {
			update(env, name, rejected(t))
		}
		w.set(&w.reportErr, nil)
	}, 2*time.Second)
	env.ExecuteWorkflow(workflows.SweepWorkflow, input(spec(3)))
	finish(t, env)
}

// TestPhases asks for the status at every step of the way.
func TestPhases(t *testing.T) {
	t.Parallel()
	w := &world{prepareErr: errors.New("not yet"), assembleErr: errors.New("not yet")}
	w.train = func(_ context.Context, in contract.TrainInput) (contract.TrainOutput, error) {
		if in.Attempt < 3 {
			return contract.TrainOutput{Outcome: sweeps.OutcomeInfra, Message: "again"}, nil
		}
		return completed(in), nil
	}
	env := environment(t, w)
	var seen []workflows.Phase
	waited := false
	var look func()
	look = func() {
		s := status(t, env)
		if n := len(seen); n == 0 || seen[n-1] != s.Phase {
			seen = append(seen, s.Phase)
		}
		switch s.Phase {
		case workflows.PhasePreparing:
			if s.Trials != 0 || s.Prepare != (contract.PrepareOutput{}) {
				t.Errorf("preparing: %+v", s)
			}
			w.set(&w.prepareErr, nil)
		case workflows.PhaseRunning:
			if s.Trials != 2 || s.Prepare != prepared || s.Started.IsZero() {
				t.Errorf("running: %+v", s)
			}
			for _, r := range s.InFlight {
				if r.Activity == "" || r.Trial == "" {
					t.Errorf("in flight: %+v", r)
				}
				waited = waited || r.Waiting
			}
		case workflows.PhaseAssembling:
			if s.Counts.Completed != 2 || s.Ensemble != nil || !s.Ended.IsZero() {
				t.Errorf("assembling: %+v", s)
			}
			w.set(&w.assembleErr, nil)
		}
		env.RegisterDelayedCallback(look, 100*time.Millisecond)
	}
	env.RegisterDelayedCallback(look, 100*time.Millisecond)
	env.ExecuteWorkflow(workflows.SweepWorkflow, input(spec(2)))
	finish(t, env)
	want := []workflows.Phase{workflows.PhasePreparing, workflows.PhaseRunning, workflows.PhaseAssembling}
	if !slices.Equal(seen, want) {
		t.Errorf("phases %v, want %v", seen, want)
	}
	if !waited {
		t.Error("no run was seen to wait out its backoff")
	}
}
