package sweeps_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"

	"github.com/tenfold-ml/tenfold/sweeps"
)

// fate is what the simulated world holds for a trial: the runs that end badly,
// in order, and the result after them. A trial whose bad ends are more than the
// retries allow fails.
type fate struct {
	bad      []sweeps.Outcome
	diverges bool
	err      float64
}

// within says whether the bad ends are within the retries.
func (f fate) within(r sweeps.Retries) bool {
	var infra, preempted, user int
	for _, o := range f.bad {
		switch o {
		case sweeps.OutcomePreempted, sweeps.OutcomeLost:
			preempted++
		case sweeps.OutcomeUserError:
			user++
		default:
			infra++
		}
	}
	return infra <= r.Infra && preempted <= r.Preempted && user <= r.User
}

// world is everything around a controller, simulated: it carries out commands,
// ends runs as fate has it, and checks on the way what must always hold.
type world struct {
	set   sweeps.ControllerSettings
	ctl   *sweeps.Controller
	fates []fate

	live     []sweeps.Run // in flight, in no order
	at       map[int]int  // trial → place in live
	orphans  map[int]bool // in flight at a crash and not yet launched or stopped again
	stopped  map[int]int  // trial → attempt that was asked to stop
	spent    []int        // bad ends per trial so far
	attempt  []int        // the highest attempt per trial so far
	retries  int
	paused   bool
	stopping bool
	past     []sweeps.RunEnded // what was reported, for repeats
	launches int
	done     int
	// onCommand, where set, sees every command.
	onCommand func(sweeps.Command)
}

func newWorld(set sweeps.ControllerSettings, fates []fate) *world {
	return &world{
		set: set, ctl: sweeps.NewController(set), fates: fates,
		at: map[int]int{}, orphans: map[int]bool{}, stopped: map[int]int{},
		spent: make([]int, len(fates)), attempt: make([]int, len(fates)),
	}
}

// drain carries out what the controller wants.
func (w *world) drain() error {
	for _, c := range w.ctl.Next() {
		if w.onCommand != nil {
			w.onCommand(c)
		}
		switch c := c.(type) {
		case sweeps.Launch:
			if err := w.launch(c); err != nil {
				return err
			}
		case sweeps.Stop:
			i := c.Run.Index
			p, ok := w.at[i]
			if c.Run.Attempt > w.attempt[i] || ok && w.live[p] != c.Run {
				return fmt.Errorf("stop of %v, which is not the current run", c.Run)
			}
			if !ok {
				break // it ended before the stop could be carried out
			}
			delete(w.orphans, i)
			if w.stopping {
				w.stopped[i] = c.Run.Attempt
			} else {
				w.remove(i) // superseded: its trial has a result
			}
		}
	}
	if again := w.ctl.Next(); len(again) > 0 {
		return fmt.Errorf("%d more commands right after draining", len(again))
	}
	if len(w.orphans) > 0 {
		return fmt.Errorf("nobody cares for %v after a crash", w.orphans)
	}
	if len(w.live) > w.set.Parallelism {
		return fmt.Errorf("%d in flight, parallelism %d", len(w.live), w.set.Parallelism)
	}
	n := w.ctl.Counts()
	if n.Running != len(w.live) {
		return fmt.Errorf("counts %+v, but %d run", n, len(w.live))
	}
	if sum := n.Pending + n.Running + n.Completed + n.Diverged + n.Failed; sum != w.set.Trials || n.Pending < 0 {
		return fmt.Errorf("counts %+v add up to %d", n, sum)
	}
	done := n.Completed + n.Diverged + n.Failed
	if done < w.done {
		return fmt.Errorf("%d trials were done, and now %d are", w.done, done)
	}
	w.done = done
	if !w.paused && !w.stopping && n.Pending > 0 && n.Running < w.set.Parallelism {
		return fmt.Errorf("idle places: %+v", n)
	}
	return nil
}

func (w *world) launch(c sweeps.Launch) error {
	i := c.Run.Index
	switch {
	case c.Run.Attempt <= w.attempt[i]:
		return fmt.Errorf("launch of %v after attempt %d", c.Run, w.attempt[i])
	case w.stopping:
		return fmt.Errorf("launch of %v while stopping", c.Run)
	case c.Backoff < 0 || c.Backoff > 60e9:
		return fmt.Errorf("backoff %v", c.Backoff)
	}
	w.attempt[i] = c.Run.Attempt
	w.launches++
	if p, ok := w.at[i]; ok {
		if !w.orphans[i] {
			return fmt.Errorf("launch of %v, which runs", c.Run)
		}
		delete(w.orphans, i)
		w.live[p] = c.Run
		return nil
	}
	if w.paused {
		return fmt.Errorf("launch of %v while paused", c.Run)
	}
	if c.Run.Attempt > 1 {
		w.retries++
	}
	w.at[i] = len(w.live)
	w.live = append(w.live, c.Run)
	return nil
}

func (w *world) remove(i int) {
	p := w.at[i]
	last := len(w.live) - 1
	w.live[p] = w.live[last]
	w.at[w.live[p].Index] = p
	w.live = w.live[:last]
	delete(w.at, i)
	delete(w.orphans, i)
}

// end ends the run at a place in live as fate has it, or as killed.
func (w *world) end(place int) {
	r := w.live[place]
	e := w.truth(r)
	if w.stopped[r.Index] == r.Attempt {
		e = sweeps.RunEnded{Run: r, Outcome: sweeps.OutcomeInfra, Message: "killed"}
	} else if w.spent[r.Index] < len(w.fates[r.Index].bad) {
		n := w.spent[r.Index]
		e = sweeps.RunEnded{Run: r, Outcome: w.fates[r.Index].bad[n], Message: fmt.Sprintf("bad end %d\nof trial %d", n, r.Index)}
		w.spent[r.Index]++
	}
	w.remove(r.Index)
	w.report(e)
}

// truth is the result of a trial, as any of its runs may report it.
func (w *world) truth(r sweeps.Run) sweeps.RunEnded {
	f := w.fates[r.Index]
	if f.diverges {
		return sweeps.RunEnded{Run: r, Outcome: sweeps.OutcomeDiverged}
	}
	return sweeps.RunEnded{Run: r, Outcome: sweeps.OutcomeCompleted, ValidationError: f.err}
}

func (w *world) report(e sweeps.RunEnded) {
	w.past = append(w.past, e)
	w.ctl.Handle(e)
	w.stopping = w.ctl.Stopping() != ""
}

func (w *world) pause(on bool) {
	w.paused = on
	if on {
		w.ctl.Handle(sweeps.Paused{})
	} else {
		w.ctl.Handle(sweeps.Resumed{})
	}
}

func (w *world) cancel() {
	w.ctl.Handle(sweeps.Cancelled{})
	w.stopping = w.ctl.Stopping() != ""
}

// crash replaces the controller by one restored from its snapshot, which has
// been through JSON, and returns the snapshot.
func (w *world) crash() ([]byte, error) {
	b, err := json.Marshal(w.ctl.Snapshot())
	if err != nil {
		return nil, err
	}
	before := w.ctl.Counts()
	w.ctl, err = restore(w.set, b)
	if err != nil {
		return nil, err
	}
	if after := w.ctl.Counts(); after != before {
		return nil, fmt.Errorf("counts %+v before a restart, %+v after", before, after)
	}
	if again, err := json.Marshal(w.ctl.Snapshot()); err != nil || string(again) != string(b) {
		return nil, fmt.Errorf("snapshot changed by restoring it:\n%s\n%s (%w)", b, again, err)
	}
	clear(w.stopped)
	for _, r := range w.live {
		w.orphans[r.Index] = true
	}
	return b, nil
}

func restore(set sweeps.ControllerSettings, b []byte) (*sweeps.Controller, error) {
	var s sweeps.Snapshot
	if err := json.Unmarshal(b, &s); err != nil {
		return nil, err
	}
	return sweeps.RestoreController(set, s)
}

// expected computes the final decisions from the fates alone.
func (w *world) expected() (best []sweeps.Ranked, n sweeps.Counts, failed []int) {
	for i, f := range w.fates {
		switch {
		case !f.within(w.set.Retries):
			n.Failed++
			failed = append(failed, i)
		case f.diverges:
			n.Diverged++
		default:
			n.Completed++
			best = append(best, sweeps.Ranked{Index: i, ValidationError: f.err})
		}
	}
	sort.SliceStable(best, func(a, b int) bool { return best[a].ValidationError < best[b].ValidationError })
	return best[:min(len(best), w.set.KeepBest)], n, failed
}

// finish drives what is left to its end, in the order that pick chooses.
func (w *world) finish(pick func(n int) int) (sweeps.Verdict, error) {
	for {
		if err := w.drain(); err != nil {
			return "", err
		}
		if v, done := w.ctl.Done(); done {
			if len(w.live) > 0 {
				return v, fmt.Errorf("%s, but %v still run", v, w.live)
			}
			return v, nil
		}
		if len(w.live) == 0 {
			return "", errors.New("nothing runs, and it is not done")
		}
		w.end(pick(len(w.live)))
	}
}

// checkDecisions compares the final decisions with those that fate implies.
func (w *world) checkDecisions() error {
	best, n, failed := w.expected()
	got := w.ctl.Counts()
	got.Retries = 0
	if got != n {
		return fmt.Errorf("counts %+v, want %+v", got, n)
	}
	if b := w.ctl.Best(); !slices.Equal(b, best) {
		return fmt.Errorf("best %v, want %v", b, best)
	}
	var which []int
	for i := range w.ctl.Failures() {
		which = append(which, i)
	}
	sort.Ints(which)
	if !slices.Equal(which, failed) {
		return fmt.Errorf("failed %v, want %v", which, failed)
	}
	if r := w.ctl.Counts().Retries; r != w.retries {
		return fmt.Errorf("%d retries counted, %d made", r, w.retries)
	}
	return nil
}

// randomFates draws the fates of a big simulated grid.
func randomFates(rng *rand.Rand, n int) []fate {
	out := make([]fate, n)
	for i := range out {
		f := &out[i]
		f.err = float64(rng.IntN(2000)) / 10000 // coarse, so that there are ties
		f.diverges = rng.Float64() < 0.02
		for rng.Float64() < 0.2 {
			f.bad = append(f.bad, []sweeps.Outcome{
				sweeps.OutcomeInfra, sweeps.OutcomePreempted, sweeps.OutcomePreempted, sweeps.OutcomeLost,
			}[rng.IntN(4)])
		}
		if rng.Float64() < 0.0005 {
			f.bad = append(f.bad, sweeps.OutcomeUserError)
		}
	}
	return out
}
