package sweeps_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tenfold-ml/tenfold/sweeps"
)

func mustJSON(t interface {
	Helper()
	Fatal(...any)
}, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// wish is commands in short: "launch 0#1 +2s", "stop 3#2".
func wish(cs []sweeps.Command) []string {
	var out []string
	for _, c := range cs {
		switch c := c.(type) {
		case sweeps.Launch:
			s := fmt.Sprintf("launch %d#%d", c.Run.Index, c.Run.Attempt)
			if c.Backoff > 0 {
				s += " +" + c.Backoff.String()
			}
			out = append(out, s)
		case sweeps.Stop:
			out = append(out, fmt.Sprintf("stop %d#%d", c.Run.Index, c.Run.Attempt))
		}
	}
	return out
}

func wantNext(t *testing.T, c *sweeps.Controller, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, wish(c.Next())); diff != "" {
		t.Errorf("next (-want +got):\n%s", diff)
	}
}

func ended(index, attempt int, o sweeps.Outcome) sweeps.RunEnded {
	return sweeps.RunEnded{Run: sweeps.Run{Index: index, Attempt: attempt}, Outcome: o, Message: string(o) + " it was"}
}

func completed(index, attempt int, err float64) sweeps.RunEnded {
	return sweeps.RunEnded{Run: sweeps.Run{Index: index, Attempt: attempt}, Outcome: sweeps.OutcomeCompleted, ValidationError: err}
}

func TestLaunchesUpToTheParallelismRetriesFirst(t *testing.T) {
	t.Parallel()
	c := sweeps.NewController(sweeps.ControllerSettings{Trials: 5, Parallelism: 2, KeepBest: 2, Retries: sweeps.Retries{Infra: 1, Preempted: 2}})
	wantNext(t, c, "launch 0#1", "launch 1#1")
	wantNext(t, c)
	c.Handle(ended(1, 1, sweeps.OutcomePreempted))
	c.Handle(completed(0, 1, 0.5))
	wantNext(t, c, "launch 1#2", "launch 2#1")
	c.Handle(ended(2, 1, sweeps.OutcomeLost))
	c.Handle(ended(1, 2, sweeps.OutcomeInfra))
	wantNext(t, c, "launch 1#3 +1s", "launch 2#2 +1s")
	c.Handle(completed(2, 2, 0.25))
	c.Handle(completed(1, 3, 0.5))
	wantNext(t, c, "launch 3#1", "launch 4#1")
	c.Handle(completed(3, 1, 0.75))
	if _, done := c.Done(); done {
		t.Error("done with a run in flight")
	}
	c.Handle(completed(4, 1, 0.25))
	wantNext(t, c)
	if v, done := c.Done(); !done || v != sweeps.VerdictFinished {
		t.Errorf("%q, %v", v, done)
	}
	if diff := cmp.Diff([]sweeps.Ranked{{Index: 2, ValidationError: 0.25}, {Index: 4, ValidationError: 0.25}}, c.Best()); diff != "" {
		t.Error(diff)
	}
	if got, want := c.Counts(), (sweeps.Counts{Completed: 5, Retries: 3}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestBackoffAndRetriesByCause(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		retries sweeps.Retries
		ends    []sweeps.Outcome
		want    []time.Duration // before each launch after the first; fewer than ends: it failed
	}{
		{"infra doubles to a minute", sweeps.Retries{Infra: 100},
			[]sweeps.Outcome{"infra", "infra", "infra", "infra", "infra", "infra", "infra", "infra"},
			[]time.Duration{1e9, 2e9, 4e9, 8e9, 16e9, 32e9, 60e9, 60e9}},
		{"infra runs out", sweeps.Retries{Infra: 2}, []sweeps.Outcome{"infra", "infra", "infra"}, []time.Duration{1e9, 2e9}},
		{"an unknown outcome is infra", sweeps.Retries{Infra: 1}, []sweeps.Outcome{"", "what"}, []time.Duration{1e9}},
		{"preempted and lost share", sweeps.Retries{Preempted: 2}, []sweeps.Outcome{"preempted", "lost", "preempted"}, []time.Duration{0, 1e9}},
		{"user errors are final", sweeps.Retries{Infra: 9, Preempted: 9}, []sweeps.Outcome{"user_error"}, nil},
		{"unless told otherwise", sweeps.Retries{User: 1}, []sweeps.Outcome{"user_error", "user_error"}, []time.Duration{1e9}},
		{"causes are counted apart", sweeps.Retries{Infra: 1, Preempted: 1, User: 1},
			[]sweeps.Outcome{"infra", "preempted", "user_error", "infra"}, []time.Duration{1e9, 0, 1e9}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := sweeps.NewController(sweeps.ControllerSettings{Trials: 1, Parallelism: 1, MaxFailedTrials: 1, Retries: tt.retries})
			c.Next()
			var got []time.Duration
			for n, o := range tt.ends {
				c.Handle(ended(0, n+1, o))
				for _, cmd := range c.Next() {
					got = append(got, cmd.(sweeps.Launch).Backoff)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			failed := len(tt.want) < len(tt.ends)
			if _, done := c.Done(); done != failed {
				t.Errorf("done %v", done)
			}
			if last := tt.ends[len(tt.ends)-1]; failed {
				if diff := cmp.Diff(map[int]string{0: string(last) + " it was"}, c.Failures()); diff != "" && last != "" {
					t.Error(diff)
				}
			}
		})
	}
}

// A run that never had a chance is launched again, however often that happens.
func TestExcusedRunsAreNotCounted(t *testing.T) {
	t.Parallel()
	c := sweeps.NewController(sweeps.ControllerSettings{Trials: 1, Parallelism: 1, Retries: sweeps.Retries{Preempted: 1}})
	c.Next()
	for n := range 5 {
		e := ended(0, n+1, sweeps.OutcomeLost)
		e.Excused = true
		c.Handle(e)
		wantNext(t, c, fmt.Sprintf("launch 0#%d +1s", n+2))
	}
	for n := range 2 {
		c.Handle(ended(0, 6+n, sweeps.OutcomeLost))
		c.Next()
	}
	if got, want := c.Counts(), (sweeps.Counts{Failed: 1, Retries: 6}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestPauseHoldsLaunchesBackAndLetsRunsGoOn(t *testing.T) {
	t.Parallel()
	set := sweeps.ControllerSettings{Trials: 3, Parallelism: 2, Retries: sweeps.Retries{Preempted: 1}}
	c := sweeps.NewController(set)
	c.Next()
	c.Handle(sweeps.Paused{})
	if !c.Paused() {
		t.Error("not paused")
	}
	c.Handle(ended(0, 1, sweeps.OutcomePreempted))
	wantNext(t, c)
	if got, want := c.Counts(), (sweeps.Counts{Pending: 2, Running: 1}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	c, err := sweeps.RestoreController(set, c.Snapshot())
	if err != nil {
		t.Fatal(err)
	}
	if !c.Paused() {
		t.Error("the pause was forgotten")
	}
	wantNext(t, c, "launch 1#2") // to watch what goes on running
	wantNext(t, c)
	c.Handle(sweeps.Resumed{})
	wantNext(t, c, "launch 0#2")
}

func TestResultOfAnAttemptThatWasGivenUpIsTheTruth(t *testing.T) {
	t.Parallel()
	c := sweeps.NewController(sweeps.ControllerSettings{Trials: 2, Parallelism: 1, KeepBest: 1, Retries: sweeps.Retries{Preempted: 9}})
	c.Next()
	c.Handle(ended(0, 1, sweeps.OutcomeLost))
	wantNext(t, c, "launch 0#2 +1s")
	c.Handle(ended(0, 1, sweeps.OutcomeUserError)) // stale
	c.Handle(completed(0, 1, 0.1))
	wantNext(t, c, "stop 0#2", "launch 1#1")
	c.Handle(ended(0, 2, sweeps.OutcomeInfra)) // of the run that was stopped
	c.Handle(completed(0, 2, 0.1))
	c.Handle(ended(1, 1, sweeps.OutcomeLost))
	c.Handle(sweeps.RunEnded{Run: sweeps.Run{Index: 1, Attempt: 1}, Outcome: sweeps.OutcomeDiverged}) // while it waits for its retry
	wantNext(t, c)
	if v, done := c.Done(); !done || v != sweeps.VerdictFinished {
		t.Errorf("%q, %v", v, done)
	}
	if got, want := c.Counts(), (sweeps.Counts{Completed: 1, Diverged: 1, Retries: 1}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestDoneWaitsForCommandsToBeDrained(t *testing.T) {
	t.Parallel()
	set := sweeps.ControllerSettings{Trials: 1, Parallelism: 1, Retries: sweeps.Retries{Preempted: 9}}
	c := sweeps.NewController(set)
	c.Next()
	c.Handle(ended(0, 1, sweeps.OutcomePreempted))
	c.Next()
	c.Handle(completed(0, 1, 0.1))
	c, err := sweeps.RestoreController(set, c.Snapshot())
	if err != nil {
		t.Fatal(err)
	}
	if _, done := c.Done(); done {
		t.Error("done with a stop to carry out")
	}
	wantNext(t, c, "stop 0#2")
	if _, done := c.Done(); !done {
		t.Error("not done")
	}
}

func TestTooManyFailedTrialsFailTheSweep(t *testing.T) {
	t.Parallel()
	set := sweeps.ControllerSettings{Trials: 9, Parallelism: 4, MaxFailedTrials: 1, KeepBest: 1, Retries: sweeps.Retries{Preempted: 1}}
	c := sweeps.NewController(set)
	c.Next()
	c.Handle(ended(0, 1, sweeps.OutcomeUserError))
	c.Handle(ended(1, 1, sweeps.OutcomePreempted))
	wantNext(t, c, "launch 1#2", "launch 4#1")
	c.Handle(ended(2, 1, sweeps.OutcomeInfra))
	if got := c.Stopping(); got != sweeps.VerdictFailed {
		t.Errorf("stopping %q", got)
	}
	c.Handle(sweeps.Cancelled{}) // the first reason stands
	wantNext(t, c, "stop 1#2", "stop 3#1", "stop 4#1")
	c.Handle(completed(3, 1, 0.5)) // it was quicker than the stop
	c.Handle(ended(1, 2, sweeps.OutcomeUserError))
	// After a restart whoever is in flight is stopped again, not launched.
	c, err := sweeps.RestoreController(set, c.Snapshot())
	if err != nil {
		t.Fatal(err)
	}
	if _, done := c.Done(); done {
		t.Error("done with a run in flight")
	}
	wantNext(t, c, "stop 4#1")
	c.Handle(ended(4, 1, sweeps.OutcomeLost))
	wantNext(t, c)
	if v, done := c.Done(); !done || v != sweeps.VerdictFailed {
		t.Errorf("%q, %v", v, done)
	}
	c.Handle(completed(4, 1, 0.1)) // too late to count
	if got, want := c.Counts(), (sweeps.Counts{Pending: 6, Completed: 1, Failed: 2, Retries: 1}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestCancelRightAfterARestart(t *testing.T) {
	t.Parallel()
	set := sweeps.ControllerSettings{Trials: 2, Parallelism: 1}
	c := sweeps.NewController(set)
	c.Next()
	c, err := sweeps.RestoreController(set, c.Snapshot())
	if err != nil {
		t.Fatal(err)
	}
	c.Handle(sweeps.Cancelled{})
	wantNext(t, c, "stop 0#1")
	c.Handle(ended(0, 1, sweeps.OutcomeLost))
	if v, done := c.Done(); !done || v != sweeps.VerdictCancelled {
		t.Errorf("%q, %v", v, done)
	}
}

func TestAResultThatCannotBeRankedIsDiverged(t *testing.T) {
	t.Parallel()
	for _, x := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		c := sweeps.NewController(sweeps.ControllerSettings{Trials: 1, KeepBest: 1})
		wantNext(t, c, "launch 0#1") // a parallelism of 0 counts as 1
		c.Handle(completed(0, 1, x))
		if n := c.Counts(); n.Diverged != 1 || len(c.Best()) != 0 {
			t.Errorf("%v: %+v, best %v", x, n, c.Best())
		}
	}
}

func TestNothingToDo(t *testing.T) {
	t.Parallel()
	c := sweeps.NewController(sweeps.ControllerSettings{Trials: -1})
	wantNext(t, c)
	if v, done := c.Done(); !done || v != sweeps.VerdictFinished {
		t.Errorf("%q, %v", v, done)
	}
}

func TestMessagesAreBounded(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ in, want string }{
		{"", "no reason given"},
		{" \n ", "no reason given"},
		{"one\r\n\ttwo  three", "one two three"},
		{"bad \xff byte", "bad \uFFFD byte"},
		{strings.Repeat("é", 200), strings.Repeat("é", 118) + "…"},
		{strings.Repeat("x", 1<<20), strings.Repeat("x", 237) + "…"},
	} {
		c := sweeps.NewController(sweeps.ControllerSettings{Trials: 1, MaxFailedTrials: 1})
		c.Next()
		c.Handle(sweeps.RunEnded{Run: sweeps.Run{Index: 0, Attempt: 1}, Outcome: sweeps.OutcomeInfra, Message: tt.in})
		if got := c.Failures()[0]; got != tt.want {
			t.Errorf("%.20q: %q", tt.in, got)
		}
	}
}

// TestSnapshotFormat pins version 1: sweeps that are under way must be restored
// by later versions of this code.
func TestSnapshotFormat(t *testing.T) {
	t.Parallel()
	const v1 = `{"version":1,"trials":20,"next":12,"completed":"DwE=","diverged":"EA==","failed":"IA==",` +
		`"open":[{"i":6,"a":3,"infra":1,"pre":1},{"i":7,"a":1,"infra":1,"wait":true,"backoff":1000000000},{"i":9,"a":1},{"i":10,"a":1},{"i":11,"a":1}],` +
		`"stops":[{"index":8,"attempt":2}],"keep_best":2,"best":[{"index":3,"validation_error":0.125},{"index":0,"validation_error":0.25}],` +
		`"messages":{"5":"no such file"},"retries":4,"paused":true}`
	set := sweeps.ControllerSettings{Trials: 20, Parallelism: 5, KeepBest: 2, MaxFailedTrials: 3, Retries: sweeps.Retries{Infra: 5, Preempted: 5}}
	c, err := restore(set, []byte(v1))
	if err != nil {
		t.Fatal(err)
	}
	if got := mustJSON(t, c.Snapshot()); got != v1 {
		t.Errorf("written again:\n%s\nwant\n%s", got, v1)
	}
	if got, want := c.Counts(), (sweeps.Counts{Pending: 9, Running: 4, Completed: 5, Diverged: 1, Failed: 1, Retries: 4}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if diff := cmp.Diff(map[int]string{5: "no such file"}, c.Failures()); diff != "" {
		t.Error(diff)
	}
	wantNext(t, c, "stop 8#2", "launch 6#4", "launch 9#2", "launch 10#2", "launch 11#2")
	c.Handle(sweeps.Resumed{})
	wantNext(t, c, "launch 7#2 +1s")
	c.Handle(ended(6, 4, sweeps.OutcomeInfra))
	wantNext(t, c, "launch 6#5 +2s")
}

func TestBadSnapshotsAreRefused(t *testing.T) {
	t.Parallel()
	set := sweeps.ControllerSettings{Trials: 9, Parallelism: 2, KeepBest: 1, MaxFailedTrials: 9}
	c := sweeps.NewController(set)
	c.Next()
	c.Handle(completed(0, 1, 0.5))
	c.Next()
	c.Handle(ended(1, 1, sweeps.OutcomeInfra))
	c.Next()
	for name, spoil := range map[string]func(*sweeps.Snapshot){
		"future version":       func(s *sweeps.Snapshot) { s.Version = 2 },
		"no version":           func(s *sweeps.Snapshot) { s.Version = 0 },
		"other plan":           func(s *sweeps.Snapshot) { s.Trials = 8 },
		"next below":           func(s *sweeps.Snapshot) { s.Next = -1 },
		"next above":           func(s *sweeps.Snapshot) { s.Next = 10 },
		"lost trials":          func(s *sweeps.Snapshot) { s.Next = 5 },
		"completed is unknown": func(s *sweeps.Snapshot) { s.Completed = []byte{0, 0, 0, 1} },
		"done twice":           func(s *sweeps.Snapshot) { s.Diverged = []byte{1} },
		"open and done":        func(s *sweeps.Snapshot) { s.Open[0].Index = 0 },
		"open twice":           func(s *sweeps.Snapshot) { s.Open[0].Index = s.Open[1].Index },
		"open below":           func(s *sweeps.Snapshot) { s.Open[0].Index = -1 },
		"open above":           func(s *sweeps.Snapshot) { s.Open[0].Index = 9 },
		"no attempt":           func(s *sweeps.Snapshot) { s.Open[0].Attempt = 0 },
		"negative ends":        func(s *sweeps.Snapshot) { s.Open[0].Preempted = -5 },
		"negative backoff":     func(s *sweeps.Snapshot) { s.Open[0].Backoff = -5 },
		"ranked not completed": func(s *sweeps.Snapshot) { s.Best[0].Index = 2 },
		"ranked above":         func(s *sweeps.Snapshot) { s.Best[0].Index = 200 },
		"ranked NaN":           func(s *sweeps.Snapshot) { s.Best[0].ValidationError = math.NaN() },
		"ranked twice":         func(s *sweeps.Snapshot) { s.Best = append(s.Best, s.Best[0]) },
		"nobody ranked":        func(s *sweeps.Snapshot) { s.Best = nil },
		"forgot the best":      func(s *sweeps.Snapshot) { s.KeepBest, s.Best = 0, nil },
		"message of no one":    func(s *sweeps.Snapshot) { s.Messages[3] = "?" },
		"stop above":           func(s *sweeps.Snapshot) { s.Stops = []sweeps.Run{{Index: 9, Attempt: 1}} },
		"retries":              func(s *sweeps.Snapshot) { s.Retries = -1 },
		"verdict":              func(s *sweeps.Snapshot) { s.Stopping = "finished" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := c.Snapshot()
			spoil(&s)
			if _, err := sweeps.RestoreController(set, s); !errors.Is(err, sweeps.ErrSnapshot) {
				t.Errorf("error %v", err)
			}
		})
	}
	if _, err := sweeps.RestoreController(set, c.Snapshot()); err != nil {
		t.Error(err)
	}
}

func TestRestoreWithOtherSettings(t *testing.T) {
	t.Parallel()
	set := sweeps.ControllerSettings{Trials: 9, Parallelism: 4, KeepBest: 3}
	c := sweeps.NewController(set)
	c.Next()
	for i := range 4 {
		c.Handle(completed(i, 1, float64(4-i)/8))
	}
	c.Next()
	set.Parallelism, set.KeepBest = 2, 1
	c, err := sweeps.RestoreController(set, c.Snapshot())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]sweeps.Ranked{{Index: 3, ValidationError: 0.125}}, c.Best()); diff != "" {
		t.Error(diff)
	}
	// What runs is attached to, though it is more than may run from now on.
	wantNext(t, c, "launch 4#2", "launch 5#2", "launch 6#2", "launch 7#2")
	c.Handle(completed(4, 2, 0.5))
	c.Handle(completed(5, 2, 0.5))
	wantNext(t, c)
	c.Handle(completed(6, 2, 0.5))
	wantNext(t, c, "launch 8#1")
	if diff := cmp.Diff([]sweeps.Run{{Index: 7, Attempt: 2}, {Index: 8, Attempt: 1}}, c.InFlight()); diff != "" {
		t.Error(diff)
	}
}
