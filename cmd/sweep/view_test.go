package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tenfold-ml/tenfold/activities/contract"
	"github.com/tenfold-ml/tenfold/internal/terminal"
	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/workflows"
)

func TestLiveLines(t *testing.T) {
	t.Parallel()
	begun := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	s := snapshot{
		sweep: "demo-1f2e3d4c", state: state(workflows.PhaseRunning), started: begun, total: 24,
		counts: sweeps.Counts{Completed: 10, Failed: 1, Running: 12, Pending: 1, Retries: 1},
		best:   []workflows.TrialStatus{{ValidationError: 0.0231, Settings: []sweeps.Setting{{Path: "train.learning_rate", Value: 0.1}}}},
	}
	for i := range 12 {
		r := runningTrial{index: i, settings: []sweeps.Setting{{Path: "seed", Value: i}}, progress: contract.Progress{ID: sweeps.TrialID(fmt.Sprintf("%016x", i))}}
		if i == 0 {
			r.progress.Phase, r.progress.Epoch, r.progress.Epochs, r.progress.ValidationError = contract.PhaseTraining, 3, 5, 0.0312
		}
		s.running = append(s.running, r)
	}
	got := liveLines(s, "2m05s", begun.Add(72*time.Second), 0, terminal.Style{})
	want := []string{
		"sweep demo-1f2e3d4c  running  1m12s, about 2m05s to go",
		"[#############.................] 11 of 24 trials done, 12 running, 1 waiting, 1 failed, 1 retry",
		"best so far 2.31%  learning_rate=0.1",
		"",
		"TRIAL                EPOCH  VALIDATION  SETTINGS",
		"0000000000000000       3/5       3.12%  seed=0",
		"0000000000000001  starting              seed=1",
	}
	if diff := cmp.Diff(want, got[:len(want)]); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if last := got[len(got)-1]; last != "and 2 more" || len(got) != len(want)+9 {
		t.Errorf("%d lines, the last %q", len(got), last)
	}
}

func TestPace(t *testing.T) {
	t.Parallel()
	begun := time.Unix(1000, 0)
	s := snapshot{state: state(workflows.PhaseRunning), total: 20, reused: 10, counts: sweeps.Counts{Completed: 10}}
	var p pace
	if _, ok := p.remaining(s, begun); ok {
		t.Error("an estimate out of nothing")
	}
	s.counts.Completed = 12 // two trials in ten seconds, eight to go
	if d, ok := p.remaining(s, begun.Add(10*time.Second)); !ok || d != 40*time.Second {
		t.Errorf("remaining = %v, %v; want 40s", d, ok)
	}
	s.running = []runningTrial{{progress: contract.Progress{Epoch: 1, Epochs: 2}}}
	if d, ok := p.remaining(s, begun.Add(10*time.Second)); !ok || d != 30*time.Second {
		t.Errorf("remaining = %v, %v; want 30s", d, ok)
	}
	s.state = state(workflows.PhasePaused)
	if _, ok := p.remaining(s, begun.Add(20*time.Second)); ok {
		t.Error("an estimate while paused")
	}
}

func TestLineViewHoldsStartsBack(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	v := &lineView{out: &b}
	err1, i0, i1 := 0.25, 0, 1
	now := time.Now()
	for _, e := range []event{
		{Event: eventTrialStarted, Time: now, Trial: "a", Index: &i0},
		{Event: eventTrialStarted, Time: now, Trial: "b", Index: &i1},
		{Event: eventTrialFinished, Trial: "a", Index: &i0, Reused: true, Outcome: sweeps.OutcomeCompleted, ValidationError: &err1},
		{Event: eventTrialRetried, Trial: "b", Index: &i1, Attempt: 2, Outcome: sweeps.OutcomeInfra, Message: "bad\x1b[2Jluck"},
		{Event: eventTrialFinished, Trial: "b", Index: &i1, Outcome: sweeps.OutcomeCompleted, ValidationError: &err1},
	} {
		if err := v.event(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := v.finish(&summary{Sweep: "s", State: state(workflows.PhaseFinished)}); err != nil {
		t.Fatal(err)
	}
	want := `trial 1 (b) started
trial 1 (b) retried, attempt 2: bad?[2Jluck
trial 1 (b) finished, validation error 25.00%
1 trial was trained already
sweep s: finished
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestStartsAreToldWhenATrialTrains holds a start back for as long as it takes.
func TestStartsAreToldWhenATrialTrains(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	v := &lineView{out: &b}
	for i, id := range []sweeps.TrialID{"a", "b", "c"} {
		if err := v.event(event{Event: eventTrialStarted, Time: time.Unix(0, 0), Trial: id, Index: &i}); err != nil {
			t.Fatal(err)
		}
	}
	s := snapshot{running: []runningTrial{
		{progress: contract.Progress{ID: "a", Phase: contract.PhaseQueued}}, {progress: contract.Progress{ID: "b"}},
		{progress: contract.Progress{ID: "c", Phase: contract.PhaseStarting}},
	}}
	if err := v.draw(s); err != nil {
		t.Fatal(err)
	}
	s.running[1].progress.Phase = contract.PhaseTraining
	if err := v.draw(s); err != nil {
		t.Fatal(err)
	}
	if err := v.event(event{Event: eventTrialFinished, Trial: "a", Reused: true}); err != nil {
		t.Fatal(err)
	}
	if err := v.draw(s); err != nil {
		t.Fatal(err)
	}
	want := "trial 2 (c) started\ntrial 1 (b) started\n1 trial was trained already\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestCountsOnNarrowTerminals(t *testing.T) {
	t.Parallel()
	s := snapshot{total: 12, counts: sweeps.Counts{Completed: 1, Running: 4, Pending: 7, Retries: 5}, relaunched: 4}
	all := "1 of 12 trials done, 4 running, 7 waiting, 1 retry, relaunched 4"
	for columns, want := range map[int][]string{
		0:   {"[##............................] " + all},
		100: {"[##............................] " + all},
		80:  {all},
		49:  {"1 of 12 trials done, 4 running, 7 waiting,", "1 retry, relaunched 4"},
		30:  {"1 of 12 trials done,", "4 running, 7 waiting, 1 retry,", "relaunched 4"},
		5:   {"1 of 12 trials done,", "4 running,", "7 waiting,", "1 retry,", "relaunched 4"},
	} {
		if diff := cmp.Diff(want, countLines(s, columns, terminal.Style{})); diff != "" {
			t.Errorf("%d columns, -want +got:\n%s", columns, diff)
		}
	}
}

func TestRetriesThatAreNoFailures(t *testing.T) {
	t.Parallel()
	style := terminal.NewStyle(true, func(string) string { return "" })
	for _, c := range []struct {
		retries, relaunched int
		want                []string
	}{
		{0, 0, nil},
		{4, 4, []string{"relaunched 4"}},
		{4, 3, []string{style.Yellow("1 retry"), "relaunched 3"}},
		{2, 0, []string{style.Yellow("2 retries")}},
	} {
		if diff := cmp.Diff(c.want, retryWords(c.retries, c.relaunched, style)); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
}

func TestSummaryLines(t *testing.T) {
	t.Parallel()
	test := 0.02
	s := &summary{
		Sweep: "demo", State: state(workflows.PhaseFinished), Seconds: 0.5, Trials: 2, Reused: 2,
		Counts: sweeps.Counts{Completed: 2}, MembersWanted: 3,
		Members: []member{{Rank: 1, Trial: "a", ValidationError: 0.01}, {Rank: 2, Trial: "b", ValidationError: 0.02}},
	}
	text := strings.Join(s.lines(terminal.Style{}), "\n")
	for _, want := range []string{
		"sweep demo: finished in 0.5s; 2 of 2 trials completed; all results were there",
		"     1  a           1.00%     –", "ensemble of 2 (3 wanted)",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("there is no %q in:\n%s", want, text)
		}
	}
	s.Ensemble, s.BestSingle = &measures{Members: 2, TestError: 0.015}, &member{TestError: &test}
	if text := strings.Join(s.lines(terminal.Style{}), "\n"); !strings.Contains(text, "ensemble of 2 (3 wanted)     1.50% test error") {
		t.Errorf("the ensemble's size is missing in:\n%s", text)
	}
	s.values = true
	if text := strings.Join(s.lines(terminal.Style{}), "\n"); !strings.Contains(text, "1.50% of the test values' variance unexplained") {
		t.Errorf("a sweep of values shows:\n%s", text)
	}
}

func TestSettingsLine(t *testing.T) {
	t.Parallel()
	got := settingsLine([]sweeps.Setting{
		{Path: "config.scale", Value: 0.0632455532034},
		{Path: "model.hidden", Value: []any{float64(512), float64(512)}},
		{Path: "model.init.scale", Value: 1.0},
		{Path: "train.optimiser", Value: "sgd\x1b[0m"},
	})
	if want := "config.scale=0.06325 hidden=[512,512] model.init.scale=1 optimiser=sgd?[0m"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestSpell(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		-time.Second: "0.0s", 400 * time.Millisecond: "0.4s", 45 * time.Second: "45s",
		59*time.Second + 900*time.Millisecond: "1m00s", 190 * time.Second: "3m10s", 125 * time.Minute: "2h05m",
	} {
		if got := spell(d); got != want {
			t.Errorf("spell(%v) = %s, want %s", d, got, want)
		}
	}
}

func TestPick(t *testing.T) {
	t.Parallel()
	ids := []string{"mnist-mlp-1f2e3d4c", "demo-00000000", "mnist-mlp-aaaaaaaa"}
	for _, c := range []struct{ arg, want, err string }{
		{"", "mnist-mlp-1f2e3d4c", ""},
		{"mnist-mlp", "mnist-mlp-1f2e3d4c", ""},
		{"mnist-mlp-aaaaaaaa", "mnist-mlp-aaaaaaaa", ""},
		{"mnist-mpl", "", `unknown sweep "mnist-mpl"; did you mean "mnist-mlp-1f2e3d4c"?`},
		{"zzzzzzzzzzzz", "", `unknown sweep "zzzzzzzzzzzz"; "sweep list" shows all`},
	} {
		got, err := pick(c.arg, ids)
		if got != c.want || (err != nil || c.err != "") && (err == nil || err.Error() != c.err) {
			t.Errorf("pick(%q) = %q, %v", c.arg, got, err)
		}
	}
	var user *userError
	if _, err := pick("", nil); !errors.As(err, &user) {
		t.Errorf("without sweeps: %v", err)
	}
}

func TestDistance(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "abc", 3}, {"kitten", "sitting", 3}, {"same", "same", 0}, {"abc", "", 3}} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("distance(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
