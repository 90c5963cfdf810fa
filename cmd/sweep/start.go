package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/tenfold-ml/tenfold/internal/workdir"
	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/workflows"
)

// Memo fields of a sweep's workflow.
const (
	memoTrials  = "trials"
	memoSpecDir = "spec_dir" // with the embedded server only
	memoStore   = "store"    // its URL, where it is known
)

// ownQueue is the task queue of a sweep that `sweep run` was given: the process
// works on that sweep, and on none that happens to be unfinished beside it.
func ownQueue(sweep string) string { return workflows.DefaultTaskQueue + "-" + sweep }

// started is a sweep's workflow.
type started struct {
	run, queue string
	// store is the URL of the store that it was started with, if that was said.
	store string
	// attached says that it had been started before and goes on; seen is the
	// number of events that its history had then.
	attached bool
	seen     int64
}

// start starts a sweep, or attaches to it if it goes on. store may be empty.
func start(ctx context.Context, conn *connection, spec sweeps.Spec, specPath, queue, store string) (started, error) {
	id := sweeps.SweepID(spec)
	if s, err := running(ctx, conn, id); err != nil || s.attached {
		return s, err
	}
	plan, err := sweeps.NewPlan(spec, "", "")
	if err != nil {
		return started{}, &userError{err}
	}
	memo := map[string]any{memoTrials: plan.Len()}
	if store != "" {
		memo[memoStore] = store
	}
	if conn.embedded() {
		dir, err := filepath.Abs(filepath.Dir(specPath))
		if err != nil {
			return started{}, fmt.Errorf("find the folder of the spec: %w", err)
		}
		memo[memoSpecDir] = dir
	}
	run, err := conn.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID:                       id,
		TaskQueue:                queue,
		WorkflowIDReusePolicy:    enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		Memo:                     memo,
	}, workflows.SweepWorkflow, workflows.SweepInput{Sweep: id, Spec: spec, SearchAttributes: conn.embedded()})
	if err != nil {
		return started{}, fmt.Errorf("start sweep %s: %w", id, err)
	}
	return started{run: run.GetRunID(), queue: queue, store: store}, nil
}

// running finds a sweep that goes on. Of one that has ended it returns the store
// alone.
func running(ctx context.Context, conn *connection, id string) (started, error) {
	d, err := conn.client.DescribeWorkflowExecution(ctx, id, "")
	if err != nil {
		if gone(err) {
			return started{}, nil
		}
		return started{}, fmt.Errorf("look for sweep %s: %w", id, err)
	}
	i := d.GetWorkflowExecutionInfo()
	if i.GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
		return started{store: memoValue[string](i, memoStore)}, nil
	}
	return started{run: i.GetExecution().GetRunId(), queue: i.GetTaskQueue(), store: memoValue[string](i, memoStore),
		attached: true, seen: i.GetHistoryLength()}, nil
}

// worked says whether some process works on a queue of the embedded server.
func (c *connection) worked(queue string) (bool, error) {
	if !c.embedded() {
		return false, errors.New("only known of the embedded server")
	}
	return c.home.Held(workdir.WorkerLock(queue))
}

// sweepOfQueue is the sweep that a queue belongs to, if it belongs to one.
func sweepOfQueue(queue string) (string, bool) {
	return strings.CutPrefix(queue, workflows.DefaultTaskQueue+"-")
}
