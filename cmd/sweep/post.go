package main

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/tenfold-ml/tenfold/activities/contract"
	"github.com/tenfold-ml/tenfold/internal/metrics"
	"github.com/tenfold-ml/tenfold/sweeps"
)

// stepSlots is how many activities that are no runs a worker takes at a time: as many
// as a sweep may have to stop.
const stepSlots = 500

// stepQueue is the task queue of a sweep's steps (prepare, stop, assemble, report) at a
// server that workers share. Runs hold their places for hours; were the steps among
// them, a sweep could not be cancelled while all the places are taken.
func stepQueue(queue string) string { return queue + "-steps" }

// post is what a worker has beside its work when it is one of several: its limits, its
// version, its log and metrics, and how it leaves.
type post struct {
	maxRuns             int
	deployment, buildID string
	metrics             *metrics.Metrics // nil where nobody asks for them
	log                 *slog.Logger
	leaving             atomic.Bool
}

// adjust makes the options of a worker those of the post.
func (p *post) adjust(o *worker.Options) {
	if p.maxRuns > 0 {
		o.MaxConcurrentActivityExecutionSize = p.maxRuns
	}
	o.WorkerStopTimeout = grace + 10*time.Second
	o.Interceptors = append(o.Interceptors, &attendant{post: p})
	if p.deployment != "" {
		o.DeploymentOptions = worker.DeploymentOptions{
			UseVersioning:             true,
			Version:                   worker.WorkerDeploymentVersion{DeploymentName: p.deployment, BuildID: p.buildID},
			DefaultVersioningBehavior: workflow.VersioningBehaviorAutoUpgrade,
		}
	}
}

// leave has the post take no more runs.
func (p *post) leave() { p.leaving.Store(true) }

// errLeaving is what a worker says that leaves. The run is launched by another one.
func errLeaving() error {
	return temporal.NewApplicationError("the worker is stopping", contract.Detached)
}

// attendant is beside every run of a worker, and sends steps to their queue.
type attendant struct {
	interceptor.WorkerInterceptorBase
	post *post
}

// InterceptWorkflow implements interceptor.WorkerInterceptor.
func (a *attendant) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	w := &attendedWorkflow{}
	w.Next = next
	return w
}

type attendedWorkflow struct {
	interceptor.WorkflowInboundInterceptorBase
}

// Init implements interceptor.WorkflowInboundInterceptor.
func (w *attendedWorkflow) Init(out interceptor.WorkflowOutboundInterceptor) error {
	o := &outboundSteps{}
	o.Next = out
	return w.Next.Init(o)
}

// outboundSteps is deterministic: the queue of an activity follows from its name. It is
// no part of what a replay compares, so histories from before it replay.
type outboundSteps struct {
	interceptor.WorkflowOutboundInterceptorBase
}

// ExecuteActivity implements interceptor.WorkflowOutboundInterceptor.
func (o *outboundSteps) ExecuteActivity(ctx workflow.Context, name string, args ...any) workflow.Future {
	if name != contract.TrainActivity {
		ctx = workflow.WithTaskQueue(ctx, stepQueue(workflow.GetInfo(ctx).TaskQueueName))
	}
	return o.Next.ExecuteActivity(ctx, name, args...)
}

// InterceptActivity implements interceptor.WorkerInterceptor.
func (a *attendant) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	i := &attended{post: a.post}
	i.Next = next
	return i
}

// attended is an activity.
type attended struct {
	interceptor.ActivityInboundInterceptorBase
	post *post
}

// Init implements interceptor.ActivityInboundInterceptor.
func (i *attended) Init(out interceptor.ActivityOutboundInterceptor) error {
	o := &attendedOut{}
	o.Next = out
	return i.Next.Init(o)
}

// stays marks the context of a run whose trainer goes with this process.
type stays struct{}

type attendedOut struct {
	interceptor.ActivityOutboundInterceptorBase
}

// GetWorkerStopChannel implements interceptor.ActivityOutboundInterceptor: a run whose
// trainer goes with this process waits for it, instead of letting go of it.
func (o *attendedOut) GetWorkerStopChannel(ctx context.Context) <-chan struct{} {
	if ctx.Value(stays{}) != nil {
		return nil
	}
	return o.Next.GetWorkerStopChannel(ctx)
}

// ExecuteActivity implements interceptor.ActivityInboundInterceptor.
func (i *attended) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	if activity.GetInfo(ctx).ActivityType.Name != contract.TrainActivity || len(in.Args) == 0 {
		return i.Next.ExecuteActivity(ctx, in)
	}
	run, ok := in.Args[0].(contract.TrainInput)
	if !ok {
		return i.Next.ExecuteActivity(ctx, in)
	}
	here := run.Launcher.Kind != sweeps.NomadLauncher
	log := i.post.log.With("sweep", run.Sweep, "trial", run.ID, "attempt", run.Attempt)
	if i.post.leaving.Load() {
		log.Info("run left to others")
		i.post.ended(metrics.EndDetached)
		return nil, errLeaving()
	}
	if here {
		ctx = context.WithValue(ctx, stays{}, true)
	}
	log.Info("run begins")
	began := time.Now()
	result, err := i.Next.ExecuteActivity(ctx, in)
	out, _ := result.(contract.TrainOutput)
	if here && i.post.leaving.Load() && (err != nil || interruptedByUs(out.Outcome)) {
		// It was this worker that ended the trainer, and no fault of the trainer's.
		result, out, err = nil, contract.TrainOutput{}, errLeaving()
	}
	how := howEnded(out, err)
	i.post.ended(how)
	log = log.With("outcome", how, "seconds", time.Since(began).Seconds())
	switch {
	case err != nil:
		log.Warn("run ends without an outcome", "error", err)
	case out.Message != "":
		log.Warn("run ends", "message", out.Message)
	default:
		log.Info("run ends", "validation_error", out.ValidationError, "reused", out.Reused)
	}
	return result, err
}

// interruptedByUs says that the outcome of a run says only that its trainer was stopped.
func interruptedByUs(o sweeps.Outcome) bool {
	return o == sweeps.OutcomeInfra || o == sweeps.OutcomeLost
}

func (p *post) ended(how string) {
	if p.metrics != nil {
		p.metrics.Ended(how)
	}
}

// howEnded is the outcome of a run, or what its error was.
func howEnded(out contract.TrainOutput, err error) string {
	var application *temporal.ApplicationError
	switch {
	case err == nil:
		return string(out.Outcome)
	case !errors.As(err, &application), application.Type() == contract.Detached:
		return metrics.EndDetached
	case application.Type() == contract.Denied:
		return metrics.EndDenied
	}
	return metrics.EndError
}
