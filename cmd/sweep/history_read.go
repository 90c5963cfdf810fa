package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
)

// tell reads the history of a workflow from its first event on, and that of the
// executions that continue it, and calls f after each event. With wait it goes on
// until the workflow ends, without it until there is no more for now.
func (h *historian) tell(ctx context.Context, conn *connection, run string, wait bool, f func(news []event)) error {
	for run != "" {
		this, next := run, ""
		pages := func() client.HistoryEventIterator {
			return conn.client.GetWorkflowHistory(ctx, h.sweep, this, wait, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		}
		err := eachEvent(ctx, pages, func(e *historypb.HistoryEvent) error {
			news, err := h.read(e)
			if err != nil {
				return err
			}
			f(news)
			if a := e.GetWorkflowExecutionContinuedAsNewEventAttributes(); a != nil {
				next = a.GetNewExecutionRunId()
			}
			return nil
		})
		if err != nil {
			return err
		}
		run = next
	}
	f(h.settle())
	return nil
}

// readAll reads the history of the latest execution, as far as it has got.
func (h *historian) readAll(ctx context.Context, conn *connection) error {
	d, err := conn.client.DescribeWorkflowExecution(ctx, h.sweep, "")
	if err != nil {
		return fmt.Errorf("look for sweep %s: %w", h.sweep, err)
	}
	run := d.GetWorkflowExecutionInfo().GetExecution().GetRunId()
	return h.tell(ctx, conn, run, false, func([]event) {})
}

const (
	// rereads is how often in a row something is read anew before the error counts.
	rereads = 5
	// rereadPause is the time between two tries.
	rereadPause = 100 * time.Millisecond
)

// eachEvent calls f for each event of an execution, once. The server now and then
// refuses to go on with a reading, as when what it had shown of a workflow task
// came to nothing ("current and request branch tokens don't match"); reading anew,
// with the pages that open gives, helps.
func eachEvent(ctx context.Context, open func() client.HistoryEventIterator, f func(*historypb.HistoryEvent) error) error {
	last, failures := int64(0), 0
	for {
		var broken error
		for iter := open(); iter.HasNext(); {
			e, err := iter.Next()
			if err != nil {
				broken = err
				break
			}
			if tentative(e) || e.GetEventId() <= last {
				continue
			}
			last, failures = e.GetEventId(), 0
			if err := f(e); err != nil {
				return err
			}
		}
		if broken == nil {
			return nil
		}
		failures++
		if ctx.Err() != nil || !passing(broken) || failures > rereads {
			return fmt.Errorf("read the sweep's history: %w", broken)
		}
		select {
		case <-ctx.Done():
		case <-time.After(rereadPause):
		}
	}
}

// tentative says that the server may show an event before it is certain, and give
// its number to another one if nothing comes of it. Such events tell nothing.
func tentative(e *historypb.HistoryEvent) bool {
	t := e.GetEventType()
	return t == enumspb.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED || t == enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED
}

// passing says that an error of the server's may be gone at the next try.
func passing(err error) bool {
	var away *serviceerror.Unavailable
	return !gone(err) && !errors.As(err, &away)
}

func decode(payloads *commonpb.Payloads, into any) error {
	if err := converter.GetDefaultDataConverter().FromPayloads(payloads, into); err != nil {
		return fmt.Errorf("read the sweep's history: %w", err)
	}
	return nil
}
