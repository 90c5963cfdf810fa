package workflows_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/tenfold-ml/tenfold/activities/contract"
	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/workflows"
)

func TestHappyPath(t *testing.T) {
	t.Parallel()
	w := &world{}
	env := environment(t, w)
	env.ExecuteWorkflow(workflows.SweepWorkflow, input(spec(7)))
	out := finish(t, env)
	if out.Verdict != sweeps.VerdictFinished || out.Counts.Completed != 7 || out.Ensemble == nil || out.Report.Key != "report.html" {
		t.Errorf("got %+v", out)
	}
	if want := []string{"prepare", "assemble", "report"}; !slices.Equal(w.steps, want) {
		t.Errorf("steps %v, want %v", w.steps, want)
	}
	if got, want := w.seeds(), []uint64{1, 2, 3, 4, 5, 6, 7}; !slices.Equal(got, want) {
		t.Errorf("trained %v, want %v", got, want)
	}
	for _, in := range w.trained {
		if id, err := in.Trial.ID(); err != nil || id != in.ID || in.Epochs != 3 || in.Attempt != 1 || in.Trial.Dataset != prepared.Dataset ||
			in.Trial.Trainer != prepared.Trainer || in.Sweep != "test-00000000" || in.NoProgressSeconds != 60 || in.Parallelism != 3 {
			t.Errorf("Train was given %+v", in)
		}
	}
	s := status(t, env)
	if s.Phase != workflows.PhaseFinished || !s.Phase.Final() || s.Trials != 7 || s.Ended.Before(s.Started) || s.Ensemble.Members != 2 || s.Report.Key == "" {
		t.Errorf("status %+v", s)
	}
	if len(s.Best) != 2 || s.Best[0].Index != 6 || s.Best[0].Settings[0].Path != "seed" || s.Best[0].Trial == "" || s.Best[1].Index != 5 {
		t.Errorf("best %+v", s.Best)
	}
}

func TestNoEnsemble(t *testing.T) {
	t.Parallel()
	w := &world{}
	env := environment(t, w)
	sp := spec(2)
	sp.Ensemble.Size = 0
	env.ExecuteWorkflow(workflows.SweepWorkflow, input(sp))
	if out := finish(t, env); out.Ensemble != nil || slices.Contains(w.steps, "assemble") {
		t.Errorf("got %+v, steps %v", out, w.steps)
	}
	if s := status(t, env); len(s.Best) != 1 {
		t.Errorf("best %+v", s.Best)
	}
}

// TestParallelism counts the runs in flight at once.
func TestParallelism(t *testing.T) {
	t.Parallel()
	w := &world{}
	most, now := 0, 0
	w.train = func(_ context.Context, in contract.TrainInput) (contract.TrainOutput, error) {
		w.mu.Lock()
		now++
		most = max(most, now)
		w.mu.Unlock()
		time.Sleep(2 * time.Millisecond) // long enough for others to start
		w.mu.Lock()
		now--
		w.mu.Unlock()
		return completed(in), nil
	}
	env := environment(t, w)
	env.ExecuteWorkflow(workflows.SweepWorkflow, input(spec(20)))
	finish(t, env)
	if most > 3 {
		t.Errorf("%d runs at once, parallelism is 3", most)
	}
}

func TestRetriesWithBackoff(t *testing.T) {
	t.Parallel()
	w := &world{}
	w.train = func(_ context.Context, in contract.TrainInput) (contract.TrainOutput, error) {
		if in.Trial.Config.Seed == 2 && in.Attempt <= 2 {
			return contract.TrainOutput{Outcome: sweeps.OutcomeInfra, Message: "no luck"}, nil
		}
		return completed(in), nil
	}
	env := environment(t, w)
	begin := env.Now()
	env.ExecuteWorkflow(workflows.SweepWorkflow, input(spec(3)))
	out := finish(t, env)
	if out.Counts.Completed != 3 || out.Counts.Retries != 2 {
		t.Errorf("got %+v", out.Counts)
	}
	if got := w.attempts(2); !slices.Equal(got, []int{1, 2, 3}) {
		t.Errorf("attempts %v", got)
	}
	// The second retry waits twice as long as the first.
	if took := env.Now().Sub(begin); took < 3*time.Second || took > 10*time.Second {
		t.Errorf("took %v of the virtual clock", took)
	}
}

// TestActivityErrors maps what can happen to the Train activity itself.
func TestActivityErrors(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		err     error
		retries sweeps.Retries // just enough for one more launch, of the right kind
		message string
	}{
		"lost worker":     {temporal.NewHeartbeatTimeoutError(), sweeps.Retries{Preempted: 1}, "not heard of"},
		"detached":        {temporal.NewApplicationError("stopping", contract.Detached), sweeps.Retries{Preempted: 1}, "stopping"},
		"context":         {context.Canceled, sweeps.Retries{Preempted: 1}, "context canceled"},
		"too long":        {temporal.NewTimeoutError(1, nil), sweeps.Retries{Infra: 1}, "took longer"},
		"something else":  {errors.New("disk\n  on fire"), sweeps.Retries{Infra: 1}, "disk on fire"},
		"something typed": {temporal.NewApplicationErrorWithCause("outer", "X", errors.New("inner")), sweeps.Retries{Infra: 1}, "inner"},
	} {
		for _, recovers := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				w := &world{}
				w.train = func(_ context.Context, in contract.TrainInput) (contract.TrainOutput, error) {
					if in.Attempt == 1 || !recovers {
						return contract.TrainOutput{}, test.err
					}
					return completed(in), nil
				}
				env := environment(t, w)
				sp := spec(1)
				sp.Retries = test.retries
				sp.MaxFailedTrials = 5
				sp.Ensemble.Size = 1
				env.ExecuteWorkflow(workflows.SweepWorkflow, input(sp))
				out := finish(t, env)
				if got := w.attempts(1); !slices.Equal(got, []int{1, 2}) {
					t.Errorf("attempts %v", got)
				}
				if recovers {
					if out.Counts.Completed != 1 {
						t.Errorf("got %+v", out.Counts)
					}
					return
				}
				s := status(t, env)
				if len(s.Failures) != 1 || !strings.Contains(s.Failures[0].Message, test.message) || strings.Contains(s.Failures[0].Message, "\n") {
					t.Errorf("failures %+v, want %q", s.Failures, test.message)
				}
			})
		}
	}
}

func TestNoOutcome(t *testing.T) {
	t.Parallel()
	w := &world{}
	w.train = func(_ context.Context, in contract.TrainInput) (contract.TrainOutput, error) {
		if in.Attempt == 1 {
			return contract.TrainOutput{}, nil
		}
		return completed(in), nil
	}
	env := environment(t, w)
	env.ExecuteWorkflow(workflows.SweepWorkflow, input(spec(2)))
	if out := finish(t, env); out.Counts.Retries != 2 || out.Counts.Completed != 2 {
		t.Errorf("got %+v", out.Counts)
	}
}

func TestTooManyFailures(t *testing.T) {
	t.Parallel()
	w := &world{}
	w.train = func(_ context.Context, in contract.TrainInput) (contract.TrainOutput, error) {
		if in.Trial.Config.Seed > 2 {
			return w.block(in)
		}
		return contract.TrainOutput{Outcome: sweeps.OutcomeUserError, Message: "bad\nidea"}, nil
	}
	env := environment(t, w)
	sp := spec(20)
	sp.MaxFailedTrials = 1
	env.ExecuteWorkflow(workflows.SweepWorkflow, input(sp))
	out := finish(t, env)
	if out.Verdict != sweeps.VerdictFailed || out.Counts.Failed != 2 || out.Ensemble != nil {
		t.Errorf("got %+v", out)
	}
	if len(w.stopped) < 1 || len(w.killed) != 0 {
		t.Errorf("stopped %v, %d still run", w.stopped, len(w.killed))
	}
	if len(w.reported) != 1 || w.reported[0].Failed[0] != "bad idea" || w.reported[0].Failed[1] != "bad idea" {
		t.Errorf("reported %+v", w.reported)
	}
	if s := status(t, env); s.Phase != workflows.PhaseFailed || len(s.Failures) != 2 || len(s.InFlight) != 0 {
		t.Errorf("status %+v", s)
	}
}

// TestAFaultOfAllRuns is a store that has filled up after the first of three
// runs at once was done: the fourth starts when that result is recorded.
func TestAFaultOfAllRuns(t *testing.T) {
	t.Parallel()
	const says = "the store file:///s is full; make room in it"
	w := &world{}
	full := make(chan struct{})
	w.train = func(_ context.Context, in contract.TrainInput) (contract.TrainOutput, error) {
		switch in.Trial.Config.Seed {
		case 1:
			return completed(in), nil
		case 2, 4:
			if in.Trial.Config.Seed == 4 {
				close(full)
			}
			<-full
			return contract.TrainOutput{}, temporal.NewNonRetryableApplicationError(says, contract.UserError, nil)
		default:
			return w.block(in)
		}
	}
	env := environment(t, w)
	env.ExecuteWorkflow(workflows.SweepWorkflow, input(spec(20)))
	var application *temporal.ApplicationError
	if err := env.GetWorkflowError(); !errors.As(err, &application) || application.Type() != contract.UserError || application.Message() != says {
		t.Errorf("got %v, want a user's error that says %q", err, says)
	}
	if len(w.killed) != 0 || len(w.trained) > 5 {
		t.Errorf("%d trainers go on, %d runs were launched", len(w.killed), len(w.trained))
	}
	if want := []string{"prepare"}; !slices.Equal(w.steps, want) {
		t.Errorf("steps %v, want %v", w.steps, want)
	}
	s := status(t, env)
	if s.Phase != workflows.PhaseFailed || s.Message != says || s.Counts.Completed != 1 || s.Counts.Failed != 0 || s.Counts.Retries != 0 {
		t.Errorf("status %+v", s)
	}
}

func TestPrepareFails(t *testing.T) {
	t.Parallel()
	t.Run("user's fault", func(t *testing.T) {
		t.Parallel()
		w := &world{prepareErr: temporal.NewApplicationError("no such data set: mnits", contract.UserError)}
		env := environment(t, w)
		env.ExecuteWorkflow(workflows.SweepWorkflow, input(spec(2)))
		var application *temporal.ApplicationError
		err := env.GetWorkflowError()
		if !errors.As(err, &application) || application.Type() != contract.UserError || application.Message() != "preparing the sweep: no such data set: mnits" {
			t.Errorf("got %v", err)
		}
		if len(w.steps) != 1 {
			t.Errorf("steps %v: it was retried", w.steps)
		}
		if s := status(t, env); s.Phase != workflows.PhaseFailed || !strings.Contains(s.Message, "mnits") {
			t.Errorf("status %+v", s)
		}
	})
	t.Run("bad luck", func(t *testing.T) {
		t.Parallel()
		w := &world{prepareErr: errors.New("network down")}
		env := environment(t, w)
		env.RegisterDelayedCallback(func() {
			if s := status(t, env); s.Message != "Prepare: network down; trying again" {
				t.Errorf("meanwhile the status says %q", s.Message)
			}
		}, 2*time.Second)
		env.ExecuteWorkflow(workflows.SweepWorkflow, input(spec(2)))
		if err := env.GetWorkflowError(); err == nil || len(w.steps) != 5 {
			t.Errorf("got %v after steps %v", err, w.steps)
		}
	})
}

// TestWorkersAreLostInEveryStep loses far more of them than a step may fail.
func TestWorkersAreLostInEveryStep(t *testing.T) {
	t.Parallel()
	w := &world{
		prepareErr:  temporal.NewHeartbeatTimeoutError(),
		assembleErr: temporal.NewApplicationError("gone", contract.Detached),
		reportErr:   context.Canceled,
	}
	w.recover = 20
	env := environment(t, w)
	env.ExecuteWorkflow(workflows.SweepWorkflow, input(spec(2)))
	if out := finish(t, env); out.Verdict != sweeps.VerdictFinished {
		t.Errorf("got %+v", out)
	}
	if len(w.steps) != 3*21 {
		t.Errorf("%d steps", len(w.steps))
	}
	if s := status(t, env); s.Message != "" {
		t.Errorf("the status still says %q", s.Message)
	}
}

func TestUnusableSpec(t *testing.T) {
	t.Parallel()
	env := environment(t, &world{})
	sp := spec(2)
	sp.Parameters["train.learning_rat"] = sp.Parameters["seed"]
	env.ExecuteWorkflow(workflows.SweepWorkflow, input(sp))
	var application *temporal.ApplicationError
	if err := env.GetWorkflowError(); !errors.As(err, &application) || application.Type() != contract.UserError {
		t.Errorf("got %v", err)
	}
}

// TestAssembleFails still wants its report.
func TestAssembleFails(t *testing.T) {
	t.Parallel()
	w := &world{assembleErr: temporal.NewNonRetryableApplicationError("checkpoint is corrupt", contract.UserError, nil)}
	env := environment(t, w)
	env.ExecuteWorkflow(workflows.SweepWorkflow, input(spec(3)))
	if err := env.GetWorkflowError(); err == nil || !strings.Contains(err.Error(), "assembling the ensemble: checkpoint is corrupt") {
		t.Errorf("got %v", err)
	}
	if len(w.reported) != 1 {
		t.Errorf("%d reports", len(w.reported))
	}
}

// TestContinueAsNew runs each execution with the input that the one before left.
func TestContinueAsNew(t *testing.T) {
	t.Parallel()
	const trials = 40
	w := &world{}
	in := input(spec(trials))
	in.ContinueAfter = 7
	in.Spec.MaxFailedTrials = 5
	w.train = func(_ context.Context, in contract.TrainInput) (contract.TrainOutput, error) {
		if in.Trial.Config.Seed == 11 {
			return contract.TrainOutput{Outcome: sweeps.OutcomeInfra, Message: "never"}, nil
		}
		if in.Trial.Config.Seed == 2 && in.Attempt == 1 {
			return contract.TrainOutput{Outcome: sweeps.OutcomePreempted}, nil
		}
		return completed(in), nil
	}
	executions := 0
	for {
		executions++
		env := environment(t, w)
		env.ExecuteWorkflow(workflows.SweepWorkflow, in)
		err := env.GetWorkflowError()
		var again *workflow.ContinueAsNewError
		if !errors.As(err, &again) {
			out := finish(t, env)
			if out.Counts.Completed != trials-1 || out.Counts.Failed != 1 {
				t.Errorf("got %+v", out.Counts)
			}
			s := status(t, env)
			if in.State.Relaunched != 1 || in.State.Controller.Retries < 2 {
				t.Errorf("%d of %d retries are said to follow a preemption", in.State.Relaunched, in.State.Controller.Retries)
			}
			if s.Continued != executions-1 || s.Best[0].Index != trials-1 || s.Failures[0].Index != 10 {
				t.Errorf("status %+v", s)
			}
			break
		}
		if again.WorkflowType.Name != workflows.SweepWorkflow {
			t.Fatalf("continues as %q", again.WorkflowType.Name)
		}
		if err := converter.GetDefaultDataConverter().FromPayloads(again.Input, &in); err != nil {
			t.Fatal(err)
		}
	}
	if executions < 4 {
		t.Errorf("%d executions", executions)
	}
	// An attempt is never repeated, and every trial was trained.
	seen := map[sweeps.TrialID]map[int]bool{}
	for _, in := range w.trained {
		if seen[in.ID] == nil {
			seen[in.ID] = map[int]bool{}
		}
		if seen[in.ID][in.Attempt] {
			t.Errorf("attempt %d of trial %s was launched twice", in.Attempt, in.ID)
		}
		seen[in.ID][in.Attempt] = true
	}
	if len(seen) != trials {
		t.Errorf("%d trials were trained", len(seen))
	}
	if len(w.steps) != 3 {
		t.Errorf("steps %v", w.steps)
	}
}
