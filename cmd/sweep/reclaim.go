package main

import (
	"context"
	"errors"
	"fmt"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/temporal"

	"github.com/tenfold-ml/tenfold/activities/contract"
)

// reclaim tells the embedded server that whoever worked on a queue is gone, which
// the caller knows because it holds the queue's lock. Temporal would find out by
// itself, from heartbeats that fail to come; this saves the wait after a kill -9.
func reclaim(ctx context.Context, conn *connection, queue string) error {
	if id, own := sweepOfQueue(queue); own {
		// Not by the list, which lags a little behind.
		return reclaimSweep(ctx, conn, id)
	}
	open, err := openSweeps(ctx, conn)
	if err != nil {
		return err
	}
	var errs []error
	for _, k := range open {
		if k.info.GetTaskQueue() == queue {
			errs = append(errs, reclaimSweep(ctx, conn, k.id))
		}
	}
	return errors.Join(errs...)
}

func reclaimSweep(ctx context.Context, conn *connection, id string) error {
	d, err := conn.client.DescribeWorkflowExecution(ctx, id, "")
	if gone(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("sweep %s: %w", id, err)
	}
	info := d.GetWorkflowExecutionInfo()
	if info.GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
		return nil
	}
	// Workflow tasks go to the worker that has the workflow in its cache; it has
	// none any more.
	_, err = conn.client.WorkflowService().ResetStickyTaskQueue(ctx, &workflowservice.ResetStickyTaskQueueRequest{
		Namespace: conn.namespace, Execution: info.GetExecution(),
	})
	if err != nil && !gone(err) {
		return fmt.Errorf("sweep %s: %w", id, err)
	}
	run := info.GetExecution().GetRunId()
	lost := temporal.NewApplicationError("the worker is gone", contract.Detached)
	for _, act := range d.GetPendingActivities() {
		if act.GetState() != enumspb.PENDING_ACTIVITY_STATE_STARTED {
			continue
		}
		err := conn.client.CompleteActivityByID(ctx, conn.namespace, id, run, act.GetActivityId(), nil, lost)
		if err != nil && !gone(err) {
			return fmt.Errorf("sweep %s, activity %s: %w", id, act.GetActivityId(), err)
		}
	}
	return nil
}

// gone says that what a call was about has ended in the meantime.
func gone(err error) bool {
	var notFound *serviceerror.NotFound
	return errors.As(err, &notFound)
}
