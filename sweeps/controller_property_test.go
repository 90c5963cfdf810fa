package sweeps_test

import (
	"testing"

	"github.com/tenfold-ml/tenfold/sweeps"
	"pgregory.net/rapid"
)

var badEnds = []sweeps.Outcome{
	sweeps.OutcomeInfra, sweeps.OutcomePreempted, sweeps.OutcomeLost, sweeps.OutcomeUserError, "unheard of",
}

func drawSettings(t *rapid.T) sweeps.ControllerSettings {
	s := sweeps.ControllerSettings{
		Trials:      rapid.IntRange(0, 30).Draw(t, "trials"),
		Parallelism: rapid.IntRange(1, 6).Draw(t, "parallelism"),
		KeepBest:    rapid.IntRange(0, 5).Draw(t, "keep"),
		Retries: sweeps.Retries{
			Infra:     rapid.IntRange(0, 3).Draw(t, "infra"),
			Preempted: rapid.IntRange(0, 3).Draw(t, "preempted"),
			User:      rapid.IntRange(0, 1).Draw(t, "user"),
		},
	}
	s.MaxFailedTrials = s.Trials
	return s
}

func drawFates(t *rapid.T, s sweeps.ControllerSettings) []fate {
	out := make([]fate, s.Trials)
	for i := range out {
		out[i] = fate{
			bad:      rapid.SliceOfN(rapid.SampledFrom(badEnds), 0, 4).Draw(t, "bad"),
			diverges: rapid.IntRange(0, 9).Draw(t, "diverges") == 0,
			err:      float64(rapid.IntRange(0, 8).Draw(t, "err")) / 8,
		}
	}
	return out
}

// shake does something to the world that must not change any decision, or ends
// one of its runs.
func shake(t *rapid.T, w *world) {
	do := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	switch rapid.SampledFrom([]string{"end", "end", "end", "end", "drain", "drain", "crash", "repeat", "stale", "future", "pause", "resume", "early"}).Draw(t, "action") {
	case "end":
		if len(w.live) > 0 && len(w.orphans) == 0 {
			w.end(rapid.IntRange(0, len(w.live)-1).Draw(t, "which"))
		}
	case "drain":
		do(w.drain())
	case "crash":
		_, err := w.crash()
		do(err)
		if rapid.Bool().Draw(t, "at once") {
			do(w.drain())
		}
	case "repeat":
		if len(w.past) > 0 {
			e := rapid.SampledFrom(w.past).Draw(t, "past")
			if e.Outcome == sweeps.OutcomeCompleted || e.Outcome == sweeps.OutcomeDiverged || e.Run.Attempt < w.attempt[e.Run.Index] || w.dead(e.Run) {
				w.ctl.Handle(e)
			}
		}
	case "stale":
		if len(w.live) > 0 {
			r := rapid.SampledFrom(w.live).Draw(t, "run")
			r.Attempt -= rapid.IntRange(1, 3).Draw(t, "back")
			w.ctl.Handle(sweeps.RunEnded{Run: r, Outcome: rapid.SampledFrom(badEnds).Draw(t, "outcome"), Message: "stale"})
		}
	case "future":
		r := sweeps.Run{Index: rapid.IntRange(-1, w.set.Trials).Draw(t, "index"), Attempt: 1000}
		w.ctl.Handle(sweeps.RunEnded{Run: r, Outcome: rapid.SampledFrom(badEnds).Draw(t, "outcome")})
		w.ctl.Handle(sweeps.RunEnded{Run: sweeps.Run{Index: w.set.Trials, Attempt: 1}, Outcome: sweeps.OutcomeCompleted})
	case "pause", "resume":
		w.pause(!w.paused)
	case "early":
		// An attempt that was given up turns out to have committed the result.
		if len(w.live) > 0 && len(w.orphans) == 0 && !w.stopping {
			r := rapid.SampledFrom(w.live).Draw(t, "run")
			if r.Attempt > 1 && w.fates[r.Index].within(w.set.Retries) {
				r.Attempt--
				w.report(w.truth(r))
				do(w.drain())
			}
		}
	}
}

// dead says that a run has ended and its trial runs no more or under a later attempt.
func (w *world) dead(r sweeps.Run) bool {
	p, ok := w.at[r.Index]
	return !ok || w.live[p] != r
}

// TestDecisionsDoNotDependOnHowItWent: whatever the order of the results, whatever
// comes twice or late, and wherever the process dies, the decisions at the end are
// those that the trials' fates imply, and each grid point gets there once.
func TestDecisionsDoNotDependOnHowItWent(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		set := drawSettings(t)
		w := newWorld(set, drawFates(t, set))
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			shake(t, w)
		}
		w.pause(false)
		v, err := w.finish(func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "which") })
		if err != nil {
			t.Fatal(err)
		}
		if v != sweeps.VerdictFinished {
			t.Fatalf("verdict %q", v)
		}
		if err := w.checkDecisions(); err != nil {
			t.Fatal(err)
		}
		end := mustJSON(t, w.ctl.Snapshot())
		for _, e := range w.past {
			w.ctl.Handle(e)
		}
		w.ctl.Handle(sweeps.Cancelled{})
		if v, done := w.ctl.Done(); !done || v != sweeps.VerdictFinished {
			t.Errorf("%q, %v after the end", v, done)
		}
		if after := mustJSON(t, w.ctl.Snapshot()); after != end {
			t.Errorf("events after the end changed it:\n%s\n%s", end, after)
		}
	})
}

// TestNothingIsLeftRunning: however a sweep is ended early, it launches no more
// and is done when every run has been stopped and reported ended.
func TestNothingIsLeftRunning(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		set := drawSettings(t)
		set.MaxFailedTrials = rapid.IntRange(0, 3).Draw(t, "max failed")
		w := newWorld(set, drawFates(t, set))
		n := rapid.IntRange(0, 40).Draw(t, "steps")
		for range n {
			shake(t, w)
		}
		cancelled := false
		if _, done := w.ctl.Done(); !done && rapid.Bool().Draw(t, "cancel") {
			cancelled = w.ctl.Stopping() == ""
			w.cancel()
			for range rapid.IntRange(0, 10).Draw(t, "more") {
				shake(t, w)
			}
		}
		if w.ctl.Stopping() == "" {
			w.pause(false)
		}
		v, err := w.finish(func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "which") })
		if err != nil {
			t.Fatal(err)
		}
		want := sweeps.VerdictFinished
		if w.ctl.Counts().Failed > set.MaxFailedTrials {
			want = sweeps.VerdictFailed
		}
		if cancelled && w.ctl.Stopping() == sweeps.VerdictCancelled {
			want = sweeps.VerdictCancelled
		}
		if v != want {
			t.Errorf("verdict %q, want %q", v, want)
		}
		if w.ctl.Counts().Running != 0 || len(w.ctl.InFlight()) != 0 {
			t.Errorf("at the end %+v, %v", w.ctl.Counts(), w.ctl.InFlight())
		}
	})
}
