package rig_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/tenfold-ml/tenfold/activities"
	"github.com/tenfold-ml/tenfold/activities/simulated"
	"github.com/tenfold-ml/tenfold/bench/internal/rig"
	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/workflows"
)

// trainers counts what was launched, and holds it up as long as hold is open.
type trainers struct {
	store *storage.Store
	hold  chan struct{} // nil holds nothing

	mu       sync.Mutex
	launched []uint64 // seeds
	running  int
}

func (tr *trainers) launcher(store *storage.Store) (activities.Launcher, error) {
	tr.store = store
	return simulated.New(tr.train, simulated.Options{Cores: 100, Grace: 5 * time.Second}), nil
}

func (tr *trainers) train(ctx context.Context, run *simulated.Run) activities.Exit {
	fail := func(err error) activities.Exit { return activities.Exit{Code: 1, Stderr: err.Error()} }
	trial, err := tr.store.Trial(ctx, run.Key.Trial)
	if err != nil {
		return fail(err)
	}
	tr.mu.Lock()
	tr.launched = append(tr.launched, trial.Config.Seed)
	tr.running++
	tr.mu.Unlock()
	defer func() {
		tr.mu.Lock()
		tr.running--
		tr.mu.Unlock()
	}()
	if tr.hold != nil {
		select {
		case <-tr.hold:
		case <-ctx.Done():
			return activities.Exit{Code: 75}
		}
	}
	_, won, err := tr.store.CommitResult(ctx, rig.Result(trial, run.Key.Trial, run.Attempt))
	if err == nil && !won {
		err = errors.New("somebody else committed a result")
	}
	if err != nil {
		return fail(err)
	}
	return activities.Exit{}
}

// seeds lists what was launched, sorted, and says how many of them run.
func (tr *trainers) seeds() ([]uint64, int) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return slices.Sorted(slices.Values(tr.launched)), tr.running
}

// waitRunning waits until n trainers run.
func (tr *trainers) waitRunning(t *testing.T, n int) {
	t.Helper()
	waitFor(t, fmt.Sprintf("%d trainers to run", n), func() bool {
		_, running := tr.seeds()
		return running == n
	})
}

func waitFor(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("waited for %s in vain", what)
		}
		time.Sleep(2 * time.Millisecond) // polls
	}
}

func start(t *testing.T, tr *trainers) *rig.Rig {
	t.Helper()
	r, err := rig.Start(t.Context(), rig.Options{Dir: t.TempDir(), Launcher: tr.launcher})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return r
}

func submit(t *testing.T, r *rig.Rig, in workflows.SweepInput) client.WorkflowRun {
	t.Helper()
	run, err := r.Submit(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

func wait(t *testing.T, run client.WorkflowRun) workflows.SweepOutput {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	var out workflows.SweepOutput
	if err := run.Get(ctx, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// upTo is 1 … n.
func upTo(n int) []uint64 {
	out := make([]uint64, n)
	for i := range out {
		out[i] = uint64(i + 1)
	}
	return out
}

func TestSweep(t *testing.T) {
	t.Parallel()
	tr := &trainers{}
	r := start(t, tr)
	in := workflows.SweepInput{Sweep: "s", Spec: rig.Spec("s", 30, 8), SearchAttributes: true}
	out := wait(t, submit(t, r, in))
	if out.Verdict != sweeps.VerdictFinished || out.Counts.Completed != 30 || out.Counts.Retries != 0 {
		t.Errorf("got %+v", out)
	}
	if seeds, _ := tr.seeds(); !slices.Equal(seeds, upTo(30)) {
		t.Errorf("trained %v", seeds)
	}
	waitFor(t, "the sweep to be found by its phase", func() bool {
		n, err := r.Client.CountWorkflow(t.Context(), &workflowservice.CountWorkflowExecutionsRequest{
			Query: workflows.PhaseSearchAttribute + ` = "finished"`,
		})
		return err == nil && n.GetCount() == 1
	})
	// A second sweep over the same points finds everything done.
	in.Sweep = "again"
	if out := wait(t, submit(t, r, in)); out.Counts.Completed != 30 {
		t.Errorf("the second time: %+v", out)
	}
	if seeds, _ := tr.seeds(); len(seeds) != 30 {
		t.Errorf("the second time trained %d trials again", len(seeds)-30)
	}
}

// TestContinueAsNewAttaches has all trainers running when the workflow continues
// as new, again and again.
func TestContinueAsNewAttaches(t *testing.T) {
	t.Parallel()
	const trials = 24
	tr := &trainers{hold: make(chan struct{})}
	r := start(t, tr)
	run := submit(t, r, workflows.SweepInput{Sweep: "s", Spec: rig.Spec("s", trials, 6), ContinueAfter: 5})
	for range trials {
		tr.hold <- struct{}{}
	}
	out := wait(t, run)
	if out.Verdict != sweeps.VerdictFinished || out.Counts.Completed != trials || out.Counts.Retries != 0 {
		t.Errorf("got %+v", out)
	}
	if seeds, _ := tr.seeds(); !slices.Equal(seeds, upTo(trials)) {
		t.Errorf("trained %v", seeds)
	}
	if s, err := r.Status(t.Context(), "s"); err != nil || s.Continued < 3 || s.Phase != workflows.PhaseFinished {
		t.Errorf("status %+v, %v", s, err)
	}
}

// TestWorkerRestart loses the worker while trainers run, which go on.
func TestWorkerRestart(t *testing.T) {
	t.Parallel()
	const trials = 6
	tr := &trainers{hold: make(chan struct{})}
	r := start(t, tr)
	run := submit(t, r, workflows.SweepInput{Sweep: "s", Spec: rig.Spec("s", trials, 4)})
	tr.waitRunning(t, 4)
	if err := r.RestartWorker(); err != nil {
		t.Fatal(err)
	}
	close(tr.hold)
	if out := wait(t, run); out.Counts.Completed != trials {
		t.Errorf("got %+v", out)
	}
	if seeds, _ := tr.seeds(); !slices.Equal(seeds, upTo(trials)) {
		t.Errorf("trained %v", seeds)
	}
}

func TestCancelLeavesNothingRunning(t *testing.T) {
	t.Parallel()
	for name, cancel := range map[string]func(*rig.Rig) error{
		"update": func(r *rig.Rig) error {
			_, err := r.Control(t.Context(), "s", workflows.CancelUpdate)
			return err
		},
		"request": func(r *rig.Rig) error { return r.Client.CancelWorkflow(t.Context(), "s", "") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := &trainers{hold: make(chan struct{})}
			r := start(t, tr)
			run := submit(t, r, workflows.SweepInput{Sweep: "s", Spec: rig.Spec("s", 12, 5)})
			tr.waitRunning(t, 5)
			if err := cancel(r); err != nil {
				t.Fatal(err)
			}
			out := wait(t, run)
			if _, running := tr.seeds(); out.Verdict != sweeps.VerdictCancelled || running != 0 || out.Counts.Running != 0 {
				t.Errorf("got %+v, %d trainers run", out, running)
			}
			if s, err := r.Status(t.Context(), "s"); err != nil || s.Phase != workflows.PhaseCancelled {
				t.Errorf("status %+v, %v", s, err)
			}
		})
	}
}

func TestPause(t *testing.T) {
	t.Parallel()
	tr := &trainers{hold: make(chan struct{})}
	r := start(t, tr)
	run := submit(t, r, workflows.SweepInput{Sweep: "s", Spec: rig.Spec("s", 7, 3), SearchAttributes: true})
	tr.waitRunning(t, 3)
	if s, err := r.Control(t.Context(), "s", workflows.PauseUpdate); err != nil || s.Phase != workflows.PhasePaused || len(s.InFlight) != 3 {
		t.Fatalf("paused: %+v, %v", s, err)
	}
	waitFor(t, "the sweep to be listed as paused", func() bool {
		n, err := r.Client.CountWorkflow(t.Context(), &workflowservice.CountWorkflowExecutionsRequest{
			Query: workflows.PhaseSearchAttribute + ` = "paused"`,
		})
		return err == nil && n.GetCount() == 1
	})
	close(tr.hold) // those that run go on, and end
	waitFor(t, "three trials to complete", func() bool {
		s, err := r.Status(t.Context(), "s")
		return err == nil && s.Counts.Completed == 3 && s.Counts.Running == 0
	})
	if seeds, _ := tr.seeds(); len(seeds) != 3 {
		t.Errorf("the pause launched %v", seeds)
	}
	if s, err := r.Control(t.Context(), "s", workflows.ResumeUpdate); err != nil || s.Phase != workflows.PhaseRunning {
		t.Fatalf("resumed: %+v, %v", s, err)
	}
	if out := wait(t, run); out.Counts.Completed != 7 {
		t.Errorf("got %+v", out)
	}
	if _, err := r.Control(t.Context(), "s", workflows.PauseUpdate); err == nil {
		t.Error("a finished sweep was paused")
	}
}
