package nomad

import (
	"strconv"

	"github.com/hashicorp/nomad/api"
)

// Names within a job.
const (
	groupName = "trial"
	taskName  = "train"
)

// States as Nomad's API spells them.
const (
	jobDead = "dead"

	desiredRun   = "run"
	desiredEvict = "evict"

	clientComplete = "complete"
	clientFailed   = "failed"
	clientLost     = "lost"
	clientUnknown  = "unknown"

	taskDead = "dead"
)

// allocation is what matters of one: the same fields in lists, in answers about one,
// and in events.
type allocation struct {
	ID, JobID, Namespace     string
	NodeName                 string
	DesiredStatus            string
	DesiredDescription       string
	DesiredTransition        transition
	ClientStatus             string
	ClientDescription        string
	TaskStates               map[string]*api.TaskState
	PreemptedByAllocation    string
	CreateIndex, ModifyIndex uint64
}

// transition is what somebody asked of an allocation.
type transition struct{ Migrate, Reschedule, ForceReschedule *bool }

// over says that nothing of an allocation runs any more, as far as anybody can know:
// one that was stopped while its node cannot be reached may be an orphan there, which
// the store fences off.
func (a *allocation) over() bool {
	switch a.ClientStatus {
	case clientComplete, clientFailed, clientLost:
		return true
	case clientUnknown:
		return a.DesiredStatus != desiredRun
	}
	return false
}

// started says that the trainer has been started.
func (a *allocation) started() bool {
	t := a.TaskStates[taskName]
	return t != nil && !t.StartedAt.IsZero()
}

// ousted says that the cluster took an allocation's place away: a drained node, a
// job of higher priority, an operator. Nomad may put another one in its place.
func (a *allocation) ousted() bool {
	t := a.DesiredTransition
	for _, asked := range []*bool{t.Migrate, t.Reschedule, t.ForceReschedule} {
		if asked != nil && *asked {
			return true
		}
	}
	if a.DesiredStatus == desiredEvict || a.PreemptedByAllocation != "" {
		return true
	}
	switch a.DesiredDescription {
	case "alloc is being migrated", "alloc not needed as node is tainted",
		"alloc is lost since its node is down", "alloc was rescheduled because it failed":
		return true
	}
	return false
}

// event returns the last event of a type in the life of the trainer's task.
func (a *allocation) event(kind string) *api.TaskEvent {
	t := a.TaskStates[taskName]
	if t == nil {
		return nil
	}
	for i := len(t.Events) - 1; i >= 0; i-- {
		if e := t.Events[i]; e != nil && e.Type == kind {
			return e
		}
	}
	return nil
}

// detail is a number in the details of an event, or other.
func detail(e *api.TaskEvent, name string, other int) int {
	n, err := strconv.Atoi(e.Details[name])
	if err != nil {
		return other
	}
	return n
}
