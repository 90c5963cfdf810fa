// Package rig puts Tenfold's engine together in one process, as `sweep run` does
// but for training: the embedded server on its file, a worker with the workflow
// and the activities, a store, and whatever launcher it is given. Benchmarks and
// tests of the whole way use it.
package rig

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"google.golang.org/grpc"

	"github.com/tenfold-ml/tenfold/activities"
	"github.com/tenfold-ml/tenfold/activities/contract"
	"github.com/tenfold-ml/tenfold/internal/devserver"
	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/storage/backend"
	"github.com/tenfold-ml/tenfold/storage/file"
	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/sweeps/space"
	"github.com/tenfold-ml/tenfold/workflows"
)

// Options of a rig.
type Options struct {
	// Dir is the folder for the database and the store; required.
	Dir string
	// Launcher makes the launcher; required. It is closed with the rig.
	Launcher func(*storage.Store) (activities.Launcher, error)
	// Log takes Temporal's log; nil discards it.
	Log *slog.Logger
}

// Rig is a running engine.
type Rig struct {
	Server *devserver.Server
	Client client.Client
	Store  *storage.Store
	// StoreTime is how long callers have waited for the store.
	StoreTime *Meter
	// ServerTime is how long the worker and the client have waited for the server
	// to take something from them.
	ServerTime *Meter
	// TrainTime is how long Train activities have run.
	TrainTime *Meter

	launcher activities.Launcher
	acts     *activities.Activities
	worker   worker.Worker
}

// identity of clients and workers, which lands in histories: Temporal's default
// is made of the process and the host.
const identity = "rig"

// Start starts an engine; the caller stops it.
func Start(ctx context.Context, o Options) (_ *Rig, err error) {
	r := &Rig{StoreTime: &Meter{}, ServerTime: &Meter{}, TrainTime: &Meter{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.Stop(ctx))
		}
	}()
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	var objects backend.Backend
	if objects, err = file.Open(ctx, filepath.Join(o.Dir, "store")); err != nil {
		return nil, err
	}
	r.Store = storage.New(metered{objects, r.StoreTime})
	if r.launcher, err = o.Launcher(r.Store); err != nil {
		return nil, err
	}
	if r.acts, err = activities.New(activities.Options{Store: r.Store, Launchers: activities.One(r.launcher)}); err != nil {
		return nil, err
	}
	r.Server, err = devserver.Start(ctx, devserver.Options{
		Dir: o.Dir, DBFile: "temporal.db", Log: o.Log, SearchAttributes: workflows.SearchAttributes(),
	})
	if err != nil {
		return nil, err
	}
	if r.Client, err = r.Server.Dial(ctx, client.Options{
		Logger: sdklog.NewStructuredLogger(o.Log), Identity: identity,
		ConnectionOptions: client.ConnectionOptions{DialOptions: []grpc.DialOption{grpc.WithUnaryInterceptor(r.ServerTime.call)}},
	}); err != nil {
		return nil, err
	}
	return r, r.startWorker()
}

// RestartWorker stops the worker, as at the end of a process, and starts another.
// The launcher and its jobs go on.
func (r *Rig) RestartWorker() error {
	r.worker.Stop()
	return r.startWorker()
}

func (r *Rig) startWorker() error {
	options := workflows.WorkerOptions()
	options.Identity = identity
	w := worker.New(r.Client, workflows.DefaultTaskQueue, options)
	workflows.Register(w)
	for name, f := range map[string]any{
		// What they do has nothing to do with trials, and takes data to do it on.
		contract.PrepareActivity: func(context.Context, contract.PrepareInput) (contract.PrepareOutput, error) {
			return contract.PrepareOutput{Trainer: "rig"}, nil
		},
		contract.AssembleActivity: func(_ context.Context, in contract.AssembleInput) (contract.AssembleOutput, error) {
			return contract.AssembleOutput{Members: in.Spec.Ensemble.Size}, nil
		},
		contract.ReportActivity: func(context.Context, contract.ReportInput) (contract.ReportOutput, error) {
			return contract.ReportOutput{}, nil
		},
		contract.TrainActivity: func(ctx context.Context, in contract.TrainInput) (contract.TrainOutput, error) {
			defer r.TrainTime.Since(time.Now())
			return r.acts.Train(ctx, in)
		},
		contract.StopActivity: r.acts.Stop,
	} {
		w.RegisterActivityWithOptions(f, activity.RegisterOptions{Name: name})
	}
	if err := w.Start(); err != nil {
		return fmt.Errorf("starting the worker: %w", err)
	}
	r.worker = w
	return nil
}

// Submit starts a sweep.
func (r *Rig) Submit(ctx context.Context, in workflows.SweepInput) (client.WorkflowRun, error) {
	return r.Client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: in.Sweep, TaskQueue: workflows.DefaultTaskQueue,
	}, workflows.SweepWorkflow, in)
}

// Status asks a sweep for its status.
func (r *Rig) Status(ctx context.Context, sweep string) (workflows.Status, error) {
	var s workflows.Status
	answer, err := r.Client.QueryWorkflow(ctx, sweep, "", workflows.StatusQuery)
	if err != nil {
		return s, err
	}
	return s, answer.Get(&s)
}

// Control sends an update and waits for what it returns.
func (r *Rig) Control(ctx context.Context, sweep, update string) (workflows.Status, error) {
	var s workflows.Status
	handle, err := r.Client.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		WorkflowID: sweep, UpdateName: update, WaitForStage: client.WorkflowUpdateStageCompleted,
		Args: []any{workflows.Control{Reason: "asked to"}},
	})
	if err != nil {
		return s, err
	}
	return s, handle.Get(ctx, &s)
}

// Stop takes everything down.
func (r *Rig) Stop(ctx context.Context) error {
	var errs []error
	if r.worker != nil {
		r.worker.Stop()
	}
	if r.launcher != nil {
		errs = append(errs, r.launcher.Close(ctx))
	}
	if r.Client != nil {
		r.Client.Close()
	}
	if r.Server != nil {
		errs = append(errs, r.Server.Stop())
	}
	return errors.Join(errs...)
}

// Spec is a sweep of n trials that differ in their seed, without data, model or
// ensemble. An empty command is for launchers that do not look at it.
func Spec(name string, n, parallelism int, command ...string) sweeps.Spec {
	values := make([]any, n)
	for i := range values {
		values[i] = i + 1
	}
	if len(command) == 0 {
		command = []string{"nothing"}
	}
	return sweeps.Spec{
		Version:         1,
		Name:            name,
		Config:          sweeps.Config{Seed: 1, Train: sweeps.Train{Epochs: 1}},
		Trainer:         sweeps.Trainer{Command: command},
		Parameters:      map[string]space.Parameter{"seed": {Values: values}},
		Search:          sweeps.Search{Method: "grid", MaxTrials: 100_000},
		Metric:          sweeps.Metric{Name: "validation_error", Goal: "minimize"},
		Parallelism:     parallelism,
		Launcher:        sweeps.Launcher{Kind: "local"},
		Resources:       sweeps.Resources{CPU: 1},
		Retries:         sweeps.Retries{Infra: 5, Preempted: 100},
		MaxFailedTrials: 3,
		NoProgress:      sweeps.Duration(10 * time.Minute),
	}
}

// Result is the smallest result that can be committed for a trial.
func Result(trial sweeps.Trial, id sweeps.TrialID, attempt int) sweeps.Result {
	return sweeps.Result{
		Version: 1, Trial: id, Epochs: trial.Config.Train.Epochs, Attempt: attempt,
		Status:          sweeps.Completed,
		ValidationError: 1 / float64(1+trial.Config.Seed),
	}
}
