package main

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// TestLatest makes sweeps of executions that continue each other and of earlier ones
// of the same spec.
func TestLatest(t *testing.T) {
	t.Parallel()
	const (
		running   = enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING
		completed = enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED
		continued = enumspb.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW
	)
	at := func(minute int) time.Time { return time.Date(2026, 1, 1, 0, minute, 0, 0, time.UTC) }
	execution := func(id string, minute int, s enumspb.WorkflowExecutionStatus) *workflowpb.WorkflowExecutionInfo {
		return &workflowpb.WorkflowExecutionInfo{
			Execution: &commonpb.WorkflowExecution{WorkflowId: id}, StartTime: timestamppb.New(at(minute)), Status: s,
		}
	}
	type row struct {
		ID             string
		Started, Newer time.Time
	}
	var got []row
	for _, k := range latest([]*workflowpb.WorkflowExecutionInfo{
		execution("long", 1, continued), // of an earlier time
		execution("long", 2, completed),
		execution("long", 3, continued),
		execution("short", 4, completed),
		execution("long", 5, continued),
		execution("long", 6, running),
		execution("lagging", 7, continued), // its continuation is not listed yet
	}) {
		got = append(got, row{k.id, k.started, k.info.GetStartTime().AsTime()})
	}
	want := []row{{"lagging", at(7), at(7)}, {"long", at(3), at(6)}, {"short", at(4), at(4)}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
