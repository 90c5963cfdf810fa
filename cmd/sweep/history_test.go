package main

import (
	"compress/gzip"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/tenfold-ml/tenfold/activities/contract"
	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/workflows"
)

// recorded reads the histories that package workflows keeps of real sweeps.
func recorded(t *testing.T, pattern string) map[string][]*historypb.HistoryEvent {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("../../workflows/testdata", pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("no histories match %s: %v", pattern, err)
	}
	all := map[string][]*historypb.HistoryEvent{}
	for _, path := range files {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.Close() })
		z, err := gzip.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		h, err := client.HistoryFromJSON(z, client.HistoryJSONOptions{})
		if err != nil {
			t.Fatal(err)
		}
		all[strings.TrimSuffix(filepath.Base(path), ".json.gz")] = h.GetEvents()
	}
	return all
}

// readInto feeds a history and returns what was told, by kind.
func readInto(t *testing.T, h *historian, events []*historypb.HistoryEvent) map[string]int {
	t.Helper()
	told := map[string]int{}
	for _, e := range events {
		news, err := h.read(e)
		if err != nil {
			t.Fatalf("event %d: %v", e.GetEventId(), err)
		}
		for _, n := range news {
			told[n.Event]++
		}
	}
	return told
}

// outputOf is what the sweep itself said at the end of its history.
func outputOf(t *testing.T, events []*historypb.HistoryEvent) (out workflows.SweepOutput, ok bool) {
	t.Helper()
	a := events[len(events)-1].GetWorkflowExecutionCompletedEventAttributes()
	if a == nil {
		return out, false
	}
	if err := decode(a.GetResult(), &out); err != nil {
		t.Fatal(err)
	}
	return out, true
}

// TestHistorianAgreesWithTheSweep reads recorded histories, each alone, and
// compares what the historian made of all but the last event, in which the sweep
// says how it counted, with what that says.
func TestHistorianAgreesWithTheSweep(t *testing.T) {
	t.Parallel()
	compared := 0
	for name, events := range recorded(t, "*.json.gz") {
		h := newHistorian(name, nil)
		last := len(events) - 1
		told := readInto(t, h, events[:last])
		for _, n := range h.settle() {
			told[n.Event]++
		}
		s := h.snapshot()
		if s.total == 0 || s.counts.Pending < 0 || s.counts.Pending+s.counts.Running+s.done() != s.total {
			t.Errorf("%s: %+v do not add up to %d trials", name, s.counts, s.total)
		}
		out, ok := outputOf(t, events)
		if !ok {
			continue
		}
		compared++
		if diff := cmp.Diff(out.Counts, s.counts); diff != "" {
			t.Errorf("%s, which told %v (-sweep +historian):\n%s", name, told, diff)
		}
		readInto(t, h, events[last:])
		s = h.snapshot()
		if s.counts != out.Counts || s.state != state(out.Verdict) || len(s.running) > 0 {
			t.Errorf("%s: in the end it is %s with %+v and %d running", name, s.state, s.counts, len(s.running))
		}
		if !strings.HasPrefix(name, "continued") && told[eventTrialFailed] != out.Counts.Failed || len(s.failures) != out.Counts.Failed {
			t.Errorf("%s: %d trials failed, %d were told and %d are listed", name, out.Counts.Failed, told[eventTrialFailed], len(s.failures))
		}
	}
	if compared < 3 {
		t.Errorf("only %d histories had an end to compare with", compared)
	}
}

// endOfTrain finds the nth completed Train activity of a history.
func endOfTrain(t *testing.T, events []*historypb.HistoryEvent, n int) int {
	t.Helper()
	train := map[int64]bool{}
	for i, e := range events {
		if a := e.GetActivityTaskScheduledEventAttributes(); a.GetActivityType().GetName() == contract.TrainActivity {
			train[e.GetEventId()] = true
		}
		if a := e.GetActivityTaskCompletedEventAttributes(); train[a.GetScheduledEventId()] {
			if n--; n == 0 {
				return i
			}
		}
	}
	t.Fatal("there are fewer ends")
	return 0
}

// TestKilledTrialsHaveNotFailed lets a trial fail that is being stopped because too
// many have: the sweep does not count it, so nor does the historian.
func TestKilledTrialsHaveNotFailed(t *testing.T) {
	t.Parallel()
	events := recorded(t, "failed-1.json.gz")["failed-1"]
	third := endOfTrain(t, events, 3)
	out := contract.TrainOutput{Outcome: sweeps.OutcomeUserError, Message: "killed"}
	payloads, err := converter.GetDefaultDataConverter().ToPayloads(out)
	if err != nil {
		t.Fatal(err)
	}
	events[third].GetActivityTaskCompletedEventAttributes().Result = payloads
	h := newHistorian("failed", nil)
	told := readInto(t, h, events[:len(events)-1])
	s := h.snapshot()
	if told[eventTrialFailed] != 2 || s.counts.Failed != 2 || len(s.failures) != 2 {
		t.Errorf("%d are told, %d counted, %d listed; want 2", told[eventTrialFailed], s.counts.Failed, len(s.failures))
	}
}

// TestEndsAreClassifiedAsByTheWorkflow puts ends without a result into a history.
func TestEndsAreClassifiedAsByTheWorkflow(t *testing.T) {
	t.Parallel()
	timeout := func(kind enumspb.TimeoutType) *failurepb.Failure {
		return &failurepb.Failure{FailureInfo: &failurepb.Failure_TimeoutFailureInfo{
			TimeoutFailureInfo: &failurepb.TimeoutFailureInfo{TimeoutType: kind}}}
	}
	application := func(kind, message string) *failurepb.Failure {
		return &failurepb.Failure{Message: message, FailureInfo: &failurepb.Failure_ApplicationFailureInfo{
			ApplicationFailureInfo: &failurepb.ApplicationFailureInfo{Type: kind}}}
	}
	for name, c := range map[string]struct {
		failed, timedOut *failurepb.Failure
		want             sweeps.Outcome
	}{
		"heartbeat":        {timedOut: timeout(enumspb.TIMEOUT_TYPE_HEARTBEAT), want: sweeps.OutcomeLost},
		"took too long":    {timedOut: timeout(enumspb.TIMEOUT_TYPE_START_TO_CLOSE), want: sweeps.OutcomeInfra},
		"detached":         {failed: application(contract.Detached, "the worker stops"), want: sweeps.OutcomeLost},
		"context canceled": {failed: application("", "context canceled"), want: sweeps.OutcomeLost},
		"error":            {failed: application("", "broken"), want: sweeps.OutcomeInfra},
		"cancelled":        {want: sweeps.OutcomeLost},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			events := recorded(t, "happy-1.json.gz")["happy-1"]
			at := endOfTrain(t, events, 1)
			h := newHistorian("happy", nil)
			readInto(t, h, events[:at])
			old := events[at]
			id := old.GetActivityTaskCompletedEventAttributes().GetScheduledEventId()
			in := h.runs[id]
			e := &historypb.HistoryEvent{EventId: old.GetEventId(), EventTime: old.GetEventTime()}
			switch {
			case c.failed != nil:
				e.EventType = enumspb.EVENT_TYPE_ACTIVITY_TASK_FAILED
				e.Attributes = &historypb.HistoryEvent_ActivityTaskFailedEventAttributes{
					ActivityTaskFailedEventAttributes: &historypb.ActivityTaskFailedEventAttributes{ScheduledEventId: id, Failure: c.failed}}
			case c.timedOut != nil:
				e.EventType = enumspb.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT
				e.Attributes = &historypb.HistoryEvent_ActivityTaskTimedOutEventAttributes{
					ActivityTaskTimedOutEventAttributes: &historypb.ActivityTaskTimedOutEventAttributes{ScheduledEventId: id, Failure: c.timedOut}}
			default:
				e.EventType = enumspb.EVENT_TYPE_ACTIVITY_TASK_CANCELED
				e.Attributes = &historypb.HistoryEvent_ActivityTaskCanceledEventAttributes{
					ActivityTaskCanceledEventAttributes: &historypb.ActivityTaskCanceledEventAttributes{ScheduledEventId: id}}
			}
			readInto(t, h, []*historypb.HistoryEvent{e, {EventType: enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED}})
			if told := h.settle(); len(told) != 0 {
				t.Errorf("told %+v", told)
			}
			if got := h.open[h.find(in.ID)].last; got.Outcome != c.want {
				t.Errorf("%s (%s), want %s", got.Outcome, got.Message, c.want)
			}
			wantRelaunched := 0
			if c.want == sweeps.OutcomeLost {
				wantRelaunched = 1
			}
			if s := h.snapshot(); s.counts.Retries != 1 || s.relaunched != wantRelaunched {
				t.Errorf("%d retries, %d relaunched; want 1 and %d", s.counts.Retries, s.relaunched, wantRelaunched)
			}
		})
	}
}

// TestCancelledSweepsRunNothing reads a history to where the workflow writes its report.
func TestCancelledSweepsRunNothing(t *testing.T) {
	t.Parallel()
	events := recorded(t, "control-1.json.gz")["control-1"]
	h := newHistorian("control", nil)
	told := map[string]int{}
	for _, e := range events {
		for kind, n := range readInto(t, h, []*historypb.HistoryEvent{e}) {
			told[kind] += n
		}
		if s := h.snapshot(); s.state == state(workflows.PhaseReporting) {
			if s.counts.Running != 0 || len(s.running) != 0 || s.counts.Pending != 2 {
				t.Fatalf("reporting with %+v and %d running", s.counts, len(s.running))
			}
		}
	}
	if told[eventPaused] == 0 || told[eventResumed] == 0 || told[eventCancelled] != 1 {
		t.Errorf("told %v", told)
	}
}

// TestDeniedSweepsPause reads of a launcher that refused two runs, until somebody
// resumed the sweep.
func TestDeniedSweepsPause(t *testing.T) {
	t.Parallel()
	h := newHistorian("denied", nil)
	told := map[string]int{}
	paused := 0
	for _, e := range recorded(t, "denied-1.json.gz")["denied-1"] {
		for kind, n := range readInto(t, h, []*historypb.HistoryEvent{e}) {
			told[kind] += n
		}
		if s := h.snapshot(); s.state == state(workflows.PhasePaused) {
			paused++
			if !strings.Contains(s.reason, "the token has expired") || s.counts.Completed != 0 {
				t.Fatalf("paused with %q and %+v", s.reason, s.counts)
			}
		}
	}
	if told[eventPaused] != 1 || told[eventResumed] != 1 || told[eventTrialFailed] != 0 || paused == 0 {
		t.Errorf("told %v, paused for %d events", told, paused)
	}
}

// pages is a history of which some readings break off.
type pages struct {
	events []*historypb.HistoryEvent
	broken error // after the last event; nil if that is the end
}

func (p *pages) HasNext() bool { return len(p.events) > 0 || p.broken != nil }

func (p *pages) Next() (*historypb.HistoryEvent, error) {
	if len(p.events) == 0 {
		return nil, p.broken
	}
	e := p.events[0]
	p.events = p.events[1:]
	return e, nil
}

func TestEachEventReadsAnew(t *testing.T) {
	t.Parallel()
	e := func(id int64, kind enumspb.EventType) *historypb.HistoryEvent {
		return &historypb.HistoryEvent{EventId: id, EventType: kind}
	}
	const ended, task = enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED, enumspb.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED
	stale := errors.New("current and request branch tokens don't match")
	readings := []*pages{
		{[]*historypb.HistoryEvent{e(1, ended), e(2, ended), e(3, task)}, stale},
		{nil, stale},
		{[]*historypb.HistoryEvent{e(1, ended), e(2, ended), e(3, ended), e(4, ended)}, nil}, // 3 is another one now
	}
	read := func(readings []*pages) (ids []int64, opened int, err error) {
		err = eachEvent(t.Context(), func() client.HistoryEventIterator {
			opened++
			return readings[min(opened, len(readings))-1]
		}, func(e *historypb.HistoryEvent) error {
			ids = append(ids, e.GetEventId())
			return nil
		})
		return ids, opened, err
	}
	ids, _, err := read(readings)
	if diff := cmp.Diff([]int64{1, 2, 3, 4}, ids); err != nil || diff != "" {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
	if _, opened, err := read([]*pages{{nil, stale}}); !errors.Is(err, stale) || opened != rereads+1 {
		t.Errorf("%d readings, %v", opened, err)
	}
	if _, opened, err := read([]*pages{{nil, serviceerror.NewNotFound("gone")}}); err == nil || opened != 1 {
		t.Errorf("%d readings, %v", opened, err)
	}
}

// TestHistorianFollowsContinuations reads executions that continue each other
// into one historian: every trial is told of once.
func TestHistorianFollowsContinuations(t *testing.T) {
	t.Parallel()
	chain := recorded(t, "continued-*.json.gz")
	h := newHistorian("continued", nil)
	finished := map[string]int{}
	for _, name := range []string{"continued-1", "continued-2", "continued-3", "continued-4"} {
		events, ok := chain[name]
		if !ok {
			t.Fatalf("%s is missing", name)
		}
		for kind, n := range readInto(t, h, events) {
			finished[kind] += n
		}
	}
	s := h.snapshot()
	if s.counts.Completed != s.total {
		t.Errorf("%d of %d trials are completed", s.counts.Completed, s.total)
	}
	if finished[eventTrialStarted] != s.total {
		t.Errorf("%d starts told of %d trials", finished[eventTrialStarted], s.total)
	}
	if n := finished[eventTrialFinished]; n != s.total {
		t.Errorf("%d ends told of %d trials", n, s.total)
	}
	if len(s.best) == 0 || len(s.best) > maxBest {
		t.Errorf("%d best trials", len(s.best))
	}
	for i := 1; i < len(s.best); i++ {
		if s.best[i].ValidationError < s.best[i-1].ValidationError {
			t.Errorf("the best are not in order: %+v", s.best)
		}
	}
	if h.find("no such trial") != -1 {
		t.Error("a trial that is not of the sweep was found")
	}
}
