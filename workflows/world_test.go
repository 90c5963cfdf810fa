package workflows_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/testsuite"

	"github.com/tenfold-ml/tenfold/activities/contract"
	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/sweeps/space"
	"github.com/tenfold-ml/tenfold/workflows"
)

// spec is a sweep of n trials.
func spec(n int) sweeps.Spec {
	values := make([]any, n)
	for i := range values {
		values[i] = i + 1
	}
	return sweeps.Spec{
		Version: 1,
		Name:    "test",
		Config: sweeps.Config{
			Seed:  1,
			Data:  sweeps.Data{Name: "mnist", Validation: 10},
			Model: sweeps.Model{Kind: "mlp", Hidden: []int{4}, Activation: "relu", Init: sweeps.Init{Kind: "scaled", Scale: 1}},
			Train: sweeps.Train{BatchSize: 8, Epochs: 3, LearningRate: 0.1, Schedule: sweeps.Schedule{Kind: "constant"}},
		},
		Parameters:  map[string]space.Parameter{"seed": {Values: values}},
		Search:      sweeps.Search{Method: "grid", MaxTrials: 10_000},
		Metric:      sweeps.Metric{Name: "validation_error", Goal: "minimize"},
		Parallelism: 3,
		Launcher:    sweeps.Launcher{Kind: "local"},
		Retries:     sweeps.Retries{Infra: 3, Preempted: 10},
		NoProgress:  sweeps.Duration(time.Minute),
		Ensemble:    sweeps.Ensemble{Size: 2, Strategy: "top_k"},
	}
}

// world stands in for the activities. Fields are set before it is used.
type world struct {
	// train decides what a run returns; nil completes each with an error that
	// falls with the seed.
	train func(ctx context.Context, in contract.TrainInput) (contract.TrainOutput, error)
	// prepareErr, assembleErr and reportErr are what those steps return.
	prepareErr, assembleErr, reportErr error
	// stopErrs is how often Stop fails at first.
	stopErrs int
	// recover is after how many errors each step succeeds; 0 means never.
	recover int

	mu       sync.Mutex
	trained  []contract.TrainInput
	stopped  []contract.StopInput
	reported []contract.ReportInput
	steps    []string
	killed   map[sweeps.TrialID]chan struct{} // those that block
}

var prepared = contract.PrepareOutput{Dataset: "sha256:00", Trainer: "test/1"}

func (w *world) register(r interface {
	RegisterActivityWithOptions(any, activity.RegisterOptions)
}) {
	for name, f := range map[string]any{
		contract.PrepareActivity: func(context.Context, contract.PrepareInput) (contract.PrepareOutput, error) {
			w.step("prepare")
			return prepared, w.fault("prepare", &w.prepareErr)
		},
		contract.TrainActivity: func(ctx context.Context, in contract.TrainInput) (contract.TrainOutput, error) {
			w.mu.Lock()
			w.trained = append(w.trained, in)
			w.mu.Unlock()
			if w.train != nil {
				return w.train(ctx, in)
			}
			return completed(in), nil
		},
		contract.StopActivity: func(_ context.Context, in contract.StopInput) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.stopped = append(w.stopped, in)
			if w.stopErrs > 0 {
				w.stopErrs--
				return errors.New("cannot reach the node")
			}
			if c := w.killed[in.ID]; c != nil {
				close(c)
				delete(w.killed, in.ID)
			}
			return nil
		},
		contract.AssembleActivity: func(_ context.Context, in contract.AssembleInput) (contract.AssembleOutput, error) {
			w.step("assemble")
			return contract.AssembleOutput{Members: in.Spec.Ensemble.Size, EnsembleTestError: 0.01}, w.fault("assemble", &w.assembleErr)
		},
		contract.ReportActivity: func(_ context.Context, in contract.ReportInput) (contract.ReportOutput, error) {
			w.step("report")
			w.mu.Lock()
			w.reported = append(w.reported, in)
			w.mu.Unlock()
			return contract.ReportOutput{Report: sweeps.Artifact{Key: "report.html"}}, w.fault("report", &w.reportErr)
		},
	} {
		r.RegisterActivityWithOptions(f, activity.RegisterOptions{Name: name})
	}
}

func (w *world) step(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.steps = append(w.steps, name)
}

func (w *world) set(field *error, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	*field = err
}

// fault is what a step returns this time.
func (w *world) fault(step string, field *error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.recover > 0 {
		n := 0
		for _, s := range w.steps {
			if s == step {
				n++
			}
		}
		if n > w.recover {
			return nil
		}
	}
	return *field
}

// block runs until it is stopped, and then was preempted.
func (w *world) block(in contract.TrainInput) (contract.TrainOutput, error) {
	c := make(chan struct{})
	w.mu.Lock()
	if w.killed == nil {
		w.killed = map[sweeps.TrialID]chan struct{}{}
	}
	w.killed[in.ID] = c
	w.mu.Unlock()
	<-c
	return contract.TrainOutput{Outcome: sweeps.OutcomePreempted, Message: "stopped"}, nil
}

func completed(in contract.TrainInput) contract.TrainOutput {
	return contract.TrainOutput{Outcome: sweeps.OutcomeCompleted, ValidationError: 1 / float64(1+in.Trial.Config.Seed)}
}

// attempts lists the attempts of the trial with a seed, in order.
func (w *world) attempts(seed uint64) []int {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []int
	for _, in := range w.trained {
		if in.Trial.Config.Seed == seed {
			out = append(out, in.Attempt)
		}
	}
	return out
}

// seeds lists the seeds that were trained, sorted, repeats and all.
func (w *world) seeds() []uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := make([]uint64, 0, len(w.trained))
	for _, in := range w.trained {
		out = append(out, in.Trial.Config.Seed)
	}
	slices.Sort(out)
	return out
}

// environment makes an environment that runs Sweep in the world.
func environment(t *testing.T, w *world) *testsuite.TestWorkflowEnvironment {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(quiet{})
	env := suite.NewTestWorkflowEnvironment()
	env.SetTestTimeout(20 * time.Second)
	workflows.Register(env)
	w.register(env)
	return env
}

func input(s sweeps.Spec) workflows.SweepInput {
	return workflows.SweepInput{Sweep: "test-00000000", Spec: s}
}

// finish returns the output of the workflow, which must have one.
func finish(t *testing.T, env *testsuite.TestWorkflowEnvironment) workflows.SweepOutput {
	t.Helper()
	if !env.IsWorkflowCompleted() {
		t.Fatal("the workflow has not ended")
	}
	if err := env.GetWorkflowError(); err != nil {
		t.Fatalf("the workflow failed: %v", err)
	}
	var out workflows.SweepOutput
	if err := env.GetWorkflowResult(&out); err != nil {
		t.Fatal(err)
	}
	return out
}

func status(t *testing.T, env *testsuite.TestWorkflowEnvironment) workflows.Status {
	t.Helper()
	value, err := env.QueryWorkflow(workflows.StatusQuery)
	if err != nil {
		t.Errorf("query: %v", err)
		return workflows.Status{}
	}
	var s workflows.Status
	if err := value.Get(&s); err != nil {
		t.Error(err)
	}
	return s
}

// update sends an update and hands its result, or its rejection, to then.
func update(env *testsuite.TestWorkflowEnvironment, name string, then func(workflows.Status, error)) {
	env.UpdateWorkflow(name, fmt.Sprintf("%s-%p", name, &name), &testsuite.TestUpdateCallback{
		OnAccept: func() {},
		OnReject: func(err error) { then(workflows.Status{}, err) },
		OnComplete: func(result any, err error) {
			s, _ := result.(workflows.Status)
			then(s, err)
		},
	}, workflows.Control{Reason: "a test"})
}

// quiet discards the SDK's log.
type quiet struct{}

func (quiet) Debug(string, ...any) {}
func (quiet) Info(string, ...any)  {}
func (quiet) Warn(string, ...any)  {}
func (quiet) Error(string, ...any) {}
