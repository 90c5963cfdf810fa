package trainer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/storage/mem"
	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/trainer/checkpoint"
	"github.com/tenfold-ml/tenfold/trainer/data/datatest"
)

// undisturbed is the result of a run that nothing happened to.
func undisturbed(t *testing.T, cfg sweeps.Config) sweeps.Result {
	t.Helper()
	r := newRunner(t, cfg)
	if err := r.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	return essence(r.result(t))
}

// interruption ends an attempt after some calls of the network.
type interruption struct {
	Calls int
	// Kind is "preempt", or "crash": a panic, which leaves what a SIGKILL does.
	Kind string
	// Saving says whether the attempt saves at every chance, or only when preempted.
	Saving bool
}

// interrupted runs attempts that are interrupted one after the other, then one
// that is not, and returns the result.
func interrupted(t *rapid.T, r *runner, plan []interruption) {
	t.Helper()
	for _, in := range plan {
		ctx, cancel := context.WithCancelCause(t.Context())
		calls := 0
		hook := func() {
			if calls++; calls != in.Calls {
				return
			}
			if in.Kind == "crash" {
				panic("killed")
			}
			cancel(ErrPreempted)
		}
		r.wrap = func(n network) network { return &hooked{network: n, onStep: hook, onPredict: hook} }
		r.every = time.Hour // no checkpoint but when preempted
		if in.Saving {
			r.every = -1
		}
		err := r.run(ctx)
		cancel(nil)
		var killed *PanicError
		switch {
		case err == nil: // it had ended before
		case in.Kind == "crash" && errors.As(err, &killed):
		case in.Kind == "preempt" && errors.Is(err, ErrPreempted) && ExitCode(err) == ExitPreempted:
		default:
			t.Fatalf("attempt %d: %v", r.attempt, err)
		}
	}
	r.wrap = nil
	if err := r.run(t.Context()); err != nil {
		t.Fatalf("the last attempt: %v", err)
	}
}

// The heart of it: wherever a run is preempted or killed, however often, it ends
// in the same weights, predictions and metrics, bit for bit.
func TestResumeIsBitExact(t *testing.T) {
	t.Parallel()
	cfg := smallConfig()
	cfg.Train.Epochs, cfg.Train.BatchSize = 4, 128 // 4 steps an epoch
	want := undisturbed(t, cfg)
	rapid.Check(t, func(rt *rapid.T) {
		plan := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) interruption {
			return interruption{
				Calls:  rapid.IntRange(1, 24).Draw(rt, "calls"),
				Kind:   rapid.SampledFrom([]string{"preempt", "crash"}).Draw(rt, "kind"),
				Saving: rapid.Bool().Draw(rt, "saving"),
			}
		}), 1, 6).Draw(rt, "plan")
		r := newRunner(t, cfg)
		interrupted(rt, r, plan)
		if diff := cmp.Diff(want, essence(r.result(t))); diff != "" {
			rt.Fatalf("a disturbed run ended otherwise:\n%s", diff)
		}
	})
}

// So it is with the other optimisers, whose state is another.
func TestResumeIsBitExactWithEveryOptimizer(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*sweeps.Train){
		"nesterov": func(c *sweeps.Train) { c.Nesterov, c.WeightDecay, c.MaxNorm = true, 0.001, 1 },
		"adam": func(c *sweeps.Train) {
			c.Optimizer, c.Momentum, c.LearningRate, c.WeightDecay = "adam", 0, 0.01, 0.01
			c.Adam = sweeps.Adam{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := smallConfig()
			cfg.Train.Epochs, cfg.Train.BatchSize = 3, 128
			change(&cfg.Train)
			want := undisturbed(t, cfg)
			rapid.Check(t, func(rt *rapid.T) {
				r := newRunner(t, cfg)
				var plan []interruption
				for range rapid.IntRange(1, 3).Draw(rt, "interruptions") {
					plan = append(plan, interruption{
						Calls: rapid.IntRange(1, 12).Draw(rt, "calls"), Kind: rapid.SampledFrom([]string{"preempt", "crash"}).Draw(rt, "kind"), Saving: true,
					})
				}
				interrupted(rt, r, plan)
				if diff := cmp.Diff(want, essence(r.result(t))); diff != "" {
					rt.Fatalf("a disturbed run ended otherwise:\n%s", diff)
				}
			})
		})
	}
}

// A preempted run goes on exactly where it was: no step is done twice.
func TestPreemptionLosesNoStep(t *testing.T) {
	t.Parallel()
	r := newRunner(t, smallConfig())
	var steps []int
	total := 0
	for i := 0; ; i++ {
		ctx, cancel := context.WithCancelCause(t.Context())
		n := 0
		r.wrap = func(net network) network {
			return &hooked{network: net, onStep: func() {
				n++
				total++
				if n == 5 {
					cancel(ErrPreempted)
				}
			}}
		}
		r.every = time.Hour
		err := r.run(ctx)
		cancel(nil)
		steps = append(steps, n)
		if err == nil {
			break
		}
		if !errors.Is(err, ErrPreempted) || i > 100 {
			t.Fatal(err)
		}
	}
	if total != 6*8 {
		t.Errorf("%d steps in all, want 48: %v", total, steps)
	}
	if diff := cmp.Diff(undisturbed(t, smallConfig()), essence(r.result(t))); diff != "" {
		t.Error(diff)
	}
}

// Before the first step there is nothing to save, and it is a preemption all the same.
func TestPreemptionBeforeTheFirstStep(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(ErrPreempted)
	r := newRunner(t, smallConfig())
	if err := r.run(ctx); ExitCode(err) != ExitPreempted {
		t.Errorf("error = %v", err)
	}
	if n := countKeys(t, r.store, storage.CheckpointDir(r.id)); n != 0 {
		t.Errorf("%d objects of checkpoints", n)
	}
}

// Another end of the context is no preemption.
func TestCancellationIsNoPreemption(t *testing.T) {
	t.Parallel()
	r := newRunner(t, smallConfig())
	ctx, cancel := context.WithCancel(t.Context())
	r.wrap = func(n network) network { return &hooked{network: n, onStep: cancel} }
	r.every = time.Hour
	err := r.run(ctx)
	if !errors.Is(err, context.Canceled) || ExitCode(err) != ExitFailure {
		t.Errorf("error = %v", err)
	}
	if n := countKeys(t, r.store, storage.CheckpointDir(r.id)); n != 0 {
		t.Errorf("%d objects of checkpoints", n)
	}
}

// preemptedTwice leaves two checkpoints, after 11 and 22 of 48 steps.
func preemptedTwice(t *testing.T) (r *runner, newest, before storage.Checkpoint) {
	t.Helper()
	r = newRunner(t, smallConfig())
	for range 2 {
		ctx, cancel := context.WithCancelCause(t.Context())
		n := 0
		r.wrap = func(net network) network {
			return &hooked{network: net, onStep: func() {
				if n++; n == 11 {
					cancel(ErrPreempted)
				}
			}}
		}
		r.every = time.Hour
		if err := r.run(ctx); !errors.Is(err, ErrPreempted) {
			t.Fatal(err)
		}
		cancel(nil)
	}
	r.wrap = nil
	good, bad, err := r.store.Checkpoints(t.Context(), r.id)
	if err != nil || len(bad) > 0 || len(good) != 2 {
		t.Fatalf("checkpoints %v, %v, %v", good, bad, err)
	}
	if good[0].Epoch != 2 || good[0].Step != 6 || good[1].Epoch != 1 || good[1].Step != 3 {
		t.Fatalf("checkpoints at %d.%d and %d.%d", good[0].Epoch, good[0].Step, good[1].Epoch, good[1].Step)
	}
	return r, good[0], good[1]
}

func TestADamagedCheckpointIsPassedOver(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	want := undisturbed(t, smallConfig())
	// replace stores other bytes as an artifact of the newest checkpoint, with a
	// record that vouches for them.
	replace := func(t *testing.T, r *runner, c storage.Checkpoint, change func(*checkpoint.Snapshot)) {
		t.Helper()
		weights, err := r.store.ReadArtifact(ctx, c.Weights)
		if err != nil {
			t.Fatal(err)
		}
		state, err := r.store.ReadArtifact(ctx, c.State)
		if err != nil {
			t.Fatal(err)
		}
		s, err := checkpoint.Decode(weights, state)
		if err != nil {
			t.Fatal(err)
		}
		change(s)
		if weights, state, err = s.Encode(); err != nil {
			t.Fatal(err)
		}
		if _, err := r.store.PutCheckpointAt(ctx, r.id, c.Epoch, c.Step, c.Attempt+100, weights, state); err != nil {
			t.Fatal(err)
		}
	}
	overwrite := func(t *testing.T, r *runner, key string, b []byte) {
		t.Helper()
		if err := r.store.PutAll(ctx, key, b); err != nil {
			t.Fatal(err)
		}
	}
	read := func(t *testing.T, r *runner, key string) []byte {
		t.Helper()
		b, err := r.store.ReadAll(ctx, key)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for name, c := range map[string]struct {
		damage func(*testing.T, *runner, storage.Checkpoint)
		want   []string // in the warning
		from   int      // epoch that the next attempt starts from
	}{
		"weights flipped": {func(t *testing.T, r *runner, c storage.Checkpoint) {
			b := read(t, r, c.Weights.Key)
			b[len(b)/2] ^= 1
			overwrite(t, r, c.Weights.Key, b)
		}, []string{"epoch 2, step 6, attempt 2", ".safetensors", "SHA-256"}, 1},
		"weights truncated": {func(t *testing.T, r *runner, c storage.Checkpoint) {
			overwrite(t, r, c.Weights.Key, read(t, r, c.Weights.Key)[:100])
		}, []string{".safetensors"}, 1},
		"state gone": {func(t *testing.T, r *runner, c storage.Checkpoint) {
			if err := r.store.Backend().Delete(ctx, c.State.Key); err != nil {
				t.Fatal(err)
			}
		}, []string{".state", "missing"}, 1},
		"record torn": {func(t *testing.T, r *runner, c storage.Checkpoint) {
			overwrite(t, r, storage.CheckpointStepRecordKey(r.id, c.Epoch, c.Step, c.Attempt), []byte(`{"version":`))
		}, []string{"2.6-a2.json"}, 1},
		"another network": {func(t *testing.T, r *runner, c storage.Checkpoint) {
			replace(t, r, c, func(s *checkpoint.Snapshot) {
				s.Parameters[0].Shape = []int{32, 48}
			})
		}, []string{"attempt 102", "dense0.weight has shape [32 48], where the network has [64 24]"}, 2},
		"a layer missing": {func(t *testing.T, r *runner, c storage.Checkpoint) {
			replace(t, r, c, func(s *checkpoint.Snapshot) { s.Parameters = s.Parameters[1:] })
		}, []string{"5 tensors, where the network has 6"}, 2},
		"another optimiser": {func(t *testing.T, r *runner, c storage.Checkpoint) {
			replace(t, r, c, func(s *checkpoint.Snapshot) { s.Optimizer[0].Name = "adam" })
		}, []string{"tensor 0 is adam"}, 2},
		"other statistics": {func(t *testing.T, r *runner, c storage.Checkpoint) {
			replace(t, r, c, func(s *checkpoint.Snapshot) { s.Mean[3]++ })
		}, []string{"input.mean differs"}, 2},
		"other data": {func(t *testing.T, r *runner, c storage.Checkpoint) {
			replace(t, r, c, func(s *checkpoint.Snapshot) { s.State.StepsPerEpoch = 9 })
		}, []string{"step 6 of 9, where an epoch has 8"}, 2},
		"another place": {func(t *testing.T, r *runner, c storage.Checkpoint) {
			replace(t, r, c, func(s *checkpoint.Snapshot) { s.State.Step = 7 })
		}, []string{"it is of epoch 2, step 7"}, 2},
		"no schedule": {func(t *testing.T, r *runner, c storage.Checkpoint) {
			replace(t, r, c, func(s *checkpoint.Snapshot) { s.State.Schedule = nil })
		}, []string{"schedule"}, 2},
		"a state of the future": {func(t *testing.T, r *runner, c storage.Checkpoint) {
			replace(t, r, c, func(s *checkpoint.Snapshot) { s.State.Version = 2 })
		}, []string{"its version is 2, not 1"}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, newest, _ := preemptedTwice(t)
			c.damage(t, r, newest)
			if err := r.run(ctx); err != nil {
				t.Fatal(err)
			}
			names, lines := r.events(t)
			i := slices.Index(names, "warning")
			if i < 0 {
				t.Fatalf("no warning among %v", names)
			}
			message := lines[i]["message"].(string)
			for _, want := range c.want {
				if !strings.Contains(message, want) {
					t.Errorf("warning %q, want %q in it", message, want)
				}
			}
			if start := lines[slices.Index(names, "start")]; start["epoch"] != float64(c.from) {
				t.Errorf("the run went on at epoch %v, want %d", start["epoch"], c.from)
			}
			if diff := cmp.Diff(want, essence(r.result(t))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// With every checkpoint damaged the run starts over.
func TestAllCheckpointsDamaged(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r, a, b := preemptedTwice(t)
	for _, c := range []storage.Checkpoint{a, b} {
		if err := r.store.PutAll(ctx, c.Weights.Key, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.run(ctx); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(undisturbed(t, smallConfig()), essence(r.result(t))); diff != "" {
		t.Error(diff)
	}
}

// The budget is not part of what is trained: more epochs go on where fewer ended,
// and fewer ignore what is beyond them.
func TestAnotherBudget(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	cfg := smallConfig()
	run := func(r *runner, epochs int) sweeps.Result {
		t.Helper()
		r.epochs = epochs
		if err := r.run(ctx); err != nil {
			t.Fatal(err)
		}
		return essence(r.result(t))
	}
	r := newRunner(t, cfg)
	three := run(r, 3)
	six := run(r, 6)
	if _, lines := r.events(t); lines[0]["epoch"] != float64(3) {
		t.Errorf("six epochs began at %v, want where three had ended", lines[0]["epoch"])
	}
	fresh := newRunner(t, cfg)
	if diff := cmp.Diff(run(fresh, 6), six); diff != "" {
		t.Errorf("six epochs after three: %s", diff)
	}
	if diff := cmp.Diff(three, run(fresh, 3)); diff != "" {
		t.Errorf("three epochs after six: %s", diff)
	}
	for _, res := range []sweeps.Result{three, six} {
		if _, err := r.store.ReadArtifact(ctx, res.Checkpoint); err != nil {
			t.Errorf("weights after %d epochs: %v", res.Epochs, err)
		}
	}
}

// While a run goes on, it keeps the newest checkpoint and the one before.
func TestCheckpointsDoNotPileUp(t *testing.T) {
	t.Parallel()
	r := newRunner(t, smallConfig())
	most := 0
	r.wrap = func(n network) network {
		return &hooked{network: n, onStep: func() {
			most = max(most, countKeys(t, r.store, storage.CheckpointDir(r.id)))
		}}
	}
	if err := r.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if most != 3*kept {
		t.Errorf("at most %d objects of checkpoints at a time, want %d", most, 3*kept)
	}
}

// Within an epoch, checkpoints are saved for runs whose epochs take long.
func TestCheckpointsWithinAnEpoch(t *testing.T) {
	t.Parallel()
	store := storage.New(mem.New())
	r := &runner{store: store, id: newTrial(t, store, smallConfig(), datatest.Small), epochs: 1, every: -1}
	if err := r.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, lines := r.events(t)
	var at []string
	for _, l := range lines {
		if l["event"] == "checkpoint" {
			at = append(at, fmt.Sprint(l["epoch"], ".", l["step"]))
		}
	}
	if diff := cmp.Diff([]string{"0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "1.0"}, at); diff != "" {
		t.Error(diff)
	}
}
