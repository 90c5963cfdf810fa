package main

import (
	"cmp"
	"slices"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/temporal"

	"github.com/tenfold-ml/tenfold/activities/contract"
	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/workflows"
)

// step is an activity of the sweep itself.
type step struct {
	name string
	// trial is that of a Stop activity.
	trial sweeps.TrialID
}

// ending is the end of an activity that the controller has to know of.
type ending struct {
	id        int64 // of the event
	scheduled int64 // the event that scheduled the activity
	at        time.Time
	prepare   *contract.PrepareOutput // of Prepare; nil otherwise
	cancelled bool                    // it is a request to cancel, and nothing else is set
	in        contract.TrainInput
	end       sweeps.RunEnded
	fault     bool // it ends the sweep
	denied    bool // it pauses the sweep, unless that was resumed since began
	began     int
	reused    bool
}

// read takes in one event of the history, and returns what there is to tell.
func (h *historian) read(e *historypb.HistoryEvent) ([]event, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var news []event
	switch e.GetEventType() {
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED:
		// The workflow sees its updates before the ends that it learns of with them.
	default:
		var err error
		if news, err = h.follow(); err != nil {
			return nil, err
		}
	}
	more, err := h.take(e)
	if err != nil {
		return nil, err
	}
	return h.untold(append(news, more...)), nil
}

// settle returns what there is to tell of a workflow task that nothing came after.
func (h *historian) settle() []event {
	h.mu.Lock()
	defer h.mu.Unlock()
	news, err := h.follow()
	if err != nil {
		return nil // the next event says so too
	}
	return h.untold(news)
}

// untold leaves out what was there before anybody looked.
func (h *historian) untold(news []event) []event {
	if h.executions > 1 {
		return news
	}
	return slices.DeleteFunc(news, func(n event) bool { return n.id <= h.skip })
}

func (h *historian) take(e *historypb.HistoryEvent) ([]event, error) {
	id, at := e.GetEventId(), e.GetEventTime().AsTime()
	switch e.GetEventType() {
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED:
		return nil, h.begin(e.GetWorkflowExecutionStartedEventAttributes(), at)
	case enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
		h.due, h.pending, h.unsettled = h.pending, nil, true
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
		return h.scheduled(id, e.GetActivityTaskScheduledEventAttributes(), at)
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
		a := e.GetActivityTaskCompletedEventAttributes()
		return nil, h.ended(ending{id: id, scheduled: a.GetScheduledEventId(), at: at}, a.GetResult(), nil)
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_FAILED:
		a := e.GetActivityTaskFailedEventAttributes()
		return nil, h.ended(ending{id: id, scheduled: a.GetScheduledEventId(), at: at}, nil, asError(a.GetFailure()))
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT:
		a := e.GetActivityTaskTimedOutEventAttributes()
		return nil, h.ended(ending{id: id, scheduled: a.GetScheduledEventId(), at: at}, nil, asError(a.GetFailure()))
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_CANCELED:
		a := e.GetActivityTaskCanceledEventAttributes()
		return nil, h.ended(ending{id: id, scheduled: a.GetScheduledEventId(), at: at}, nil, temporal.NewCanceledError())
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED:
		in := e.GetWorkflowExecutionUpdateAcceptedEventAttributes().GetAcceptedRequest().GetInput()
		return h.control(id, in.GetName(), in.GetArgs(), at)
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED:
		h.pending = append(h.pending, ending{id: id, at: at, cancelled: true})
		h.reason = e.GetWorkflowExecutionCancelRequestedEventAttributes().GetCause()
	default:
		return nil, h.over(e)
	}
	return nil, nil
}

// asError is what the workflow is given for a failure.
func asError(f *failurepb.Failure) error {
	return temporal.GetDefaultFailureConverter().FailureToError(f)
}

// begin starts the sweep, or goes on with it where the workflow continued as new.
func (h *historian) begin(a *historypb.WorkflowExecutionStartedEventAttributes, at time.Time) error {
	var in workflows.SweepInput
	if err := decode(a.GetInput(), &in); err != nil {
		return err
	}
	clear(h.steps) // events are numbered anew
	clear(h.runs)
	clear(h.began)
	h.resumed = 0
	h.pending, h.due, h.unsettled = nil, nil, false
	h.executions++
	h.spec = in.Spec
	if in.State == nil {
		h.started = at
		return nil
	}
	s := &in.State.Controller
	h.started, h.paused, h.reason, h.relaunched = in.State.Started, s.Paused, in.State.Message, in.State.Relaunched
	if err := h.prepared(in.State.Prepare, s); err != nil {
		return err
	}
	// Who was watched before is attached to again, by new activities. What ended just
	// when the workflow continued as new is not in its snapshot, and ends once more.
	known := h.open
	h.open = map[int]*openRun{}
	for _, o := range s.Open {
		t := known[o.Index]
		if t == nil {
			t = &openRun{index: o.Index, id: h.trial(o.Index), settings: h.plan.Settings(o.Index), since: at, told: h.executions > 1}
		}
		if !o.Waiting {
			t.last = sweeps.RunEnded{}
		}
		h.open[o.Index] = t
	}
	return nil
}

// control takes note of what was asked of the sweep.
func (h *historian) control(id int64, update string, args *commonpb.Payloads, at time.Time) ([]event, error) {
	var c workflows.Control
	if len(args.GetPayloads()) > 0 {
		if err := decode(args, &c); err != nil {
			return nil, err
		}
	}
	n := event{id: id, Time: at, Sweep: h.sweep, Message: c.Reason}
	switch update {
	case workflows.PauseUpdate:
		n.Event, h.paused = eventPaused, true
		h.tellController(sweeps.Paused{})
	case workflows.ResumeUpdate:
		n.Event, h.paused = eventResumed, false
		h.resumed++
		h.tellController(sweeps.Resumed{})
	case workflows.CancelUpdate:
		n.Event = eventCancelled
		h.cancel()
	default:
		return nil, nil
	}
	h.reason = c.Reason
	return []event{n}, nil
}

func (h *historian) cancel() {
	h.tellController(sweeps.Cancelled{})
	if h.phase != workflows.PhaseFailing {
		h.phase = workflows.PhaseCancelling
	}
}

// tellController passes an event on, or keeps it until there is a controller.
func (h *historian) tellController(e sweeps.Event) {
	if h.controller == nil {
		h.early = append(h.early, e)
		return
	}
	h.controller.Handle(e)
}

func (h *historian) scheduled(id int64, a *historypb.ActivityTaskScheduledEventAttributes, at time.Time) ([]event, error) {
	s := step{name: a.GetActivityType().GetName()}
	switch s.name {
	case contract.TrainActivity:
		var in contract.TrainInput
		if err := decode(a.GetInput(), &in); err != nil {
			return nil, err
		}
		h.runs[id], h.began[id] = in, h.resumed
		return h.launched(id, in, at), nil
	case contract.StopActivity:
		var in contract.StopInput
		if err := decode(a.GetInput(), &in); err != nil {
			return nil, err
		}
		s.trial = in.ID
	case contract.AssembleActivity:
		h.phase = workflows.PhaseAssembling
	case contract.ReportActivity:
		h.phase = workflows.PhaseReporting
	}
	h.steps[id] = s
	return nil, nil
}

func (h *historian) launched(id int64, in contract.TrainInput, at time.Time) []event {
	i := h.find(in.ID)
	if i < 0 {
		return nil
	}
	h.launches[in.ID] = true
	t := h.open[i]
	switch {
	case t == nil:
		t = &openRun{index: i, id: in.ID, settings: h.plan.Settings(i), since: at}
		h.open[i] = t
		return []event{h.about(eventTrialStarted, id, in, t, at)}
	case t.last.Outcome != "":
		n := h.about(eventTrialRetried, id, in, t, at)
		n.Outcome, n.Message = t.last.Outcome, t.last.Message
		t.last = sweeps.RunEnded{}
		return []event{n}
	}
	return nil // attached to again
}

// ended keeps the end of an activity until the workflow takes it. The workflow's
// own classification says what it means.
func (h *historian) ended(e ending, result *commonpb.Payloads, failed error) error {
	if in, ok := h.runs[e.scheduled]; ok {
		delete(h.runs, e.scheduled)
		var out contract.TrainOutput
		if failed == nil {
			if err := decode(result, &out); err != nil {
				return err
			}
		}
		// What a later attempt finds, an earlier one of this sweep has trained.
		e.reused = out.Reused && in.Attempt == 1
		e.in, e.fault, e.denied, e.began = in, workflows.UsersFault(failed), workflows.Denied(failed), h.began[e.scheduled]
		delete(h.began, e.scheduled)
		e.end = workflows.Ended(sweeps.Run{Index: h.find(in.ID), Attempt: in.Attempt}, out, failed)
		h.pending = append(h.pending, e)
		return nil
	}
	s := h.steps[e.scheduled]
	delete(h.steps, e.scheduled)
	if failed != nil {
		return nil // it is tried again, or the sweep fails
	}
	switch s.name {
	case contract.PrepareActivity:
		e.prepare = &contract.PrepareOutput{}
		if err := decode(result, e.prepare); err != nil {
			return err
		}
		h.pending = append(h.pending, e)
	case contract.StopActivity:
		e.end = sweeps.RunEnded{Run: sweeps.Run{Index: h.find(s.trial)}, Outcome: sweeps.OutcomeLost, Message: "stopped"}
		h.pending = append(h.pending, e)
	}
	return nil
}

// follow does what the last workflow task did: it took the ends that it had been
// told of in the order in which it had launched them, each followed by the launches that
// it left room for.
func (h *historian) follow() ([]event, error) {
	if !h.unsettled {
		return nil, nil
	}
	due := h.due
	h.due, h.unsettled = nil, false
	slices.SortStableFunc(due, func(a, b ending) int {
		if a.cancelled != b.cancelled { // a request to cancel is seen last
			return cmp.Compare(b.scheduled, a.scheduled) // it was never scheduled
		}
		return cmp.Compare(a.scheduled, b.scheduled)
	})
	var news []event
	for _, e := range due {
		switch {
		case e.cancelled:
			h.cancel()
		case e.prepare != nil:
			if err := h.prepared(*e.prepare, nil); err != nil {
				return nil, err
			}
			h.advance()
		case h.controller == nil:
		case e.in.ID == "":
			h.stopped(e)
		default:
			if e.fault {
				h.controller.Handle(sweeps.Cancelled{})
				h.phase = workflows.PhaseFailing
			}
			if e.denied && e.began == h.resumed && h.controller.Stopping() == "" {
				news = append(news, h.hold(e)...)
			}
			if t := h.open[e.end.Run.Index]; t != nil {
				t.last = e.end
			}
			news = append(news, h.trialEnded(e)...)
		}
	}
	if h.controller != nil {
		h.advance()
	}
	return news, nil
}

// hold pauses the sweep for a run that was refused, which is told once.
func (h *historian) hold(e ending) []event {
	h.controller.Handle(sweeps.Paused{})
	h.reason = e.end.Message
	if h.paused {
		return nil
	}
	h.paused = true
	return []event{{id: e.id, Event: eventPaused, Time: e.at, Sweep: h.sweep, Message: e.end.Message}}
}

// stopped is the end of a run that nobody watched, or of which the watcher's own
// word counts when it comes.
func (h *historian) stopped(e ending) {
	if h.controller.Stopping() == "" {
		return
	}
	for _, in := range h.runs {
		if h.find(in.ID) == e.end.Run.Index {
			return
		}
	}
	for _, r := range h.controller.InFlight() {
		if r.Index == e.end.Run.Index {
			e.end.Run = r
			h.controller.Handle(e.end)
			return
		}
	}
}

// over takes note of how the execution ended, if that is what an event says.
func (h *historian) over(e *historypb.HistoryEvent) error {
	switch e.GetEventType() {
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:
		var out workflows.SweepOutput
		if err := decode(e.GetWorkflowExecutionCompletedEventAttributes().GetResult(), &out); err != nil {
			return err
		}
		h.phase = workflows.Phase(out.Verdict)
		if out.Counts != (sweeps.Counts{}) { // else it was cancelled before it was prepared
			h.output = &out.Counts
		}
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT:
		h.phase = workflows.PhaseFailed
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED:
		h.phase = workflows.PhaseCancelled
		h.reason = e.GetWorkflowExecutionTerminatedEventAttributes().GetReason()
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED:
		h.phase = workflows.PhaseCancelled
	}
	return nil
}
