package workflows

import (
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// Names that clients use. They are in histories and in other people's scripts,
// so they never change.
const (
	// SweepWorkflow is the type of the workflow: [Sweep].
	SweepWorkflow = "Sweep"
	// StatusQuery takes nothing and returns a [Status].
	StatusQuery = "status"
	// PauseUpdate, ResumeUpdate and CancelUpdate take a [Control] and return a
	// [Status]. Each may be repeated; what has been done already is done no more.
	// They are refused, as an application error of type [RefusedError], once it
	// is too late for them.
	PauseUpdate  = "pause"
	ResumeUpdate = "resume"
	CancelUpdate = "cancel"
	// DefaultTaskQueue is where workers look for workflows and activities unless
	// told otherwise.
	DefaultTaskQueue = "tenfold"
)

// RefusedError is the type of the application error of an update that comes too
// late. Those of activities, and of workflows that pass them on, are in
// activities/contract.
const RefusedError = "Refused"

// PhaseSearchAttribute holds the [Phase] of a sweep, a keyword. The workflow sets it
// where [SweepInput] says that the server knows it.
const PhaseSearchAttribute = "TenfoldPhase"

// SearchAttributes lists what to register with a server.
func SearchAttributes() map[string]enumspb.IndexedValueType {
	return map[string]enumspb.IndexedValueType{PhaseSearchAttribute: enumspb.INDEXED_VALUE_TYPE_KEYWORD}
}

func phaseKey() temporal.SearchAttributeKeyKeyword {
	return temporal.NewSearchAttributeKeyKeyword(PhaseSearchAttribute)
}

// Register registers the workflows of this package under their names.
func Register(r worker.WorkflowRegistry) {
	r.RegisterWorkflowWithOptions(Sweep, workflow.RegisterOptions{Name: SweepWorkflow})
}

// WorkerOptions are those of a worker that can serve a sweep of the widest
// parallelism. Callers add what is theirs: Identity, interceptors.
func WorkerOptions() worker.Options {
	return worker.Options{
		// Twice the 500 runs that a sweep may have in flight: after a
		// continue-as-new the old watchers hold their slots for another heartbeat.
		// A Train activity only waits, so slots are cheap.
		MaxConcurrentActivityExecutionSize: 1200,
		MaxConcurrentActivityTaskPollers:   8,
		MaxConcurrentWorkflowTaskPollers:   4,
		// Progress is seen, and a cancellation noticed, within this time.
		MaxHeartbeatThrottleInterval:     2 * time.Second,
		DefaultHeartbeatThrottleInterval: 2 * time.Second,
		// On a machine whose cores all train, a workflow task that launches hundreds
		// of runs can take more than the second that the SDK takes for a deadlock.
		DeadlockDetectionTimeout: 10 * time.Second,
		// Activities that see the worker stop detach at once; this is for the others.
		WorkerStopTimeout: 5 * time.Second,
	}
}
