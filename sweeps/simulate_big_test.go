package sweeps_test

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/tenfold-ml/tenfold/sweeps"
)

func bigSettings(trials int) sweeps.ControllerSettings {
	return sweeps.ControllerSettings{
		Trials: trials, Parallelism: 500, MaxFailedTrials: trials, KeepBest: 10,
		Retries: sweeps.Retries{Infra: 5, Preempted: 100},
	}
}

// TestSimulatedGrid runs a grid of 100,000 points to its end through failures,
// preemptions, losses, pauses and restarts. It is not parallel, so that the
// heap that it measures is its own.
func TestSimulatedGrid(t *testing.T) {
	const trials = 100_000
	rng := rand.New(rand.NewPCG(1, 2))
	w := newWorld(bigSettings(trials), randomFates(rng, trials))
	began := cpuTime(t)
	var biggest int
	var heap uint64
	for step := 0; ; step++ {
		if err := w.drain(); err != nil {
			t.Fatalf("step %d: %v", step, err)
		}
		if _, done := w.ctl.Done(); done {
			break
		}
		if step == 0 && w.done != 0 {
			t.Errorf("%d trials are done at the start", w.done)
		}
		if step%2000 == 1999 {
			b, err := w.crash()
			if err != nil {
				t.Fatalf("step %d: %v", step, err)
			}
			biggest = max(biggest, len(b))
			if err := w.drain(); err != nil {
				t.Fatalf("step %d: %v", step, err)
			}
			w.past = w.past[:0]
		}
		switch {
		case step%1000 == 100:
			w.pause(true)
		case step%1000 == 200:
			w.pause(false)
		case step == 70_000:
			heap = controllerHeap(t, w)
		}
		if len(w.live) > 0 {
			w.end(rng.IntN(len(w.live)))
		} else if w.paused {
			w.pause(false)
		}
	}
	took := cpuTime(t) - began
	if v, _ := w.ctl.Done(); v != sweeps.VerdictFinished {
		t.Errorf("verdict %q", v)
	}
	if err := w.checkDecisions(); err != nil {
		t.Error(err)
	}
	if w.done != w.set.Trials {
		t.Errorf("%d of %d trials are done at the end", w.done, w.set.Trials)
	}
	t.Logf("%d launches in %v, controller's heap %d kB, biggest snapshot %d kB", w.launches, took, heap/1000, biggest/1000)
	if biggest > 150_000 {
		t.Errorf("a snapshot of %d bytes", biggest)
	}
	if heap > 2_000_000 {
		t.Errorf("the controller holds %d bytes", heap)
	}
	if took > 20*time.Second { // about 0.3 s, or 4 s under -race
		t.Errorf("it took %v of computing", took)
	}
}

// controllerHeap measures what the heap shrinks by without the controller.
func controllerHeap(t *testing.T, w *world) uint64 {
	t.Helper()
	var with, without runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&with)
	s := w.ctl.Snapshot()
	w.ctl = nil
	runtime.GC()
	runtime.ReadMemStats(&without)
	ctl, err := sweeps.RestoreController(w.set, s)
	if err != nil {
		t.Fatal(err)
	}
	w.ctl = ctl
	for _, r := range w.live {
		w.orphans[r.Index] = true
	}
	if err := w.drain(); err != nil {
		t.Fatal(err)
	}
	return with.HeapAlloc - min(with.HeapAlloc, without.HeapAlloc)
}

// TestWorstSnapshot is the bound on a snapshot's size when everything that it
// lists one by one is as long as it gets.
func TestWorstSnapshot(t *testing.T) {
	t.Parallel()
	set := bigSettings(100_000)
	set.Retries = sweeps.Retries{}
	c := sweeps.NewController(set)
	long := make([]byte, 5000)
	for i := range long {
		long[i] = byte('a' + i%26)
	}
	for ended := 0; ended < set.Trials-set.Parallelism; {
		for _, cmd := range c.Next() {
			r := cmd.(sweeps.Launch).Run
			e := sweeps.RunEnded{Run: r, Outcome: sweeps.OutcomeInfra, Message: string(long)}
			switch r.Index % 3 {
			case 1:
				e = sweeps.RunEnded{Run: r, Outcome: sweeps.OutcomeDiverged}
			case 2:
				e = sweeps.RunEnded{Run: r, Outcome: sweeps.OutcomeCompleted, ValidationError: 1 / float64(r.Index)}
			}
			c.Handle(e)
			ended++
		}
	}
	c.Next()
	b := mustJSON(t, c.Snapshot())
	if len(b) > 150_000 {
		t.Errorf("%d bytes", len(b))
	}
	kept := 0
	for i, m := range c.Failures() {
		if m == "" {
			t.Fatalf("trial %d failed without a message", i)
		}
		if m != "failed" {
			kept++
		}
	}
	if n := len(c.Failures()); n < 30_000 || kept != 100 {
		t.Errorf("%d failures, %d messages", n, kept)
	}
}

// TestSimulationIsDeterministic: the same events give the same commands, in the
// same order, and other events do not.
func TestSimulationIsDeterministic(t *testing.T) {
	t.Parallel()
	run := func(seed uint64) string {
		rng := rand.New(rand.NewPCG(seed, 0))
		w := newWorld(bigSettings(5000), randomFates(rng, 5000))
		h := sha256.New()
		w.onCommand = func(c sweeps.Command) {
			if _, err := fmt.Fprintf(h, "%T %+v\n", c, c); err != nil {
				t.Error(err)
			}
		}
		for step := range 4000 {
			if err := w.drain(); err != nil {
				t.Fatal(err)
			}
			if step%500 == 499 {
				if _, err := w.crash(); err != nil {
					t.Fatal(err)
				}
				continue
			}
			w.end(rng.IntN(len(w.live)))
		}
		if _, err := w.finish(rng.IntN); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("%x", h.Sum(nil))
	}
	one, same, other := run(1), run(1), run(2)
	if one != same {
		t.Error("the same seed gave different commands")
	}
	if one == other {
		t.Error("another seed gave the same commands: the simulation does not vary")
	}
}
