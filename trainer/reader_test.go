package trainer

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/trainer/data"
)

// readable is n augmented cases of four features in minibatches of size.
func readable(t *testing.T, n, size, buffers int) (*data.Batches, []buffer) {
	t.Helper()
	ds := &data.Dataset{Shape: []int{2, 2}, Classes: 3, Outputs: 2, Train: data.Split{Images: make([]uint8, 4*n), Labels: make([]uint8, 2*n), N: n}}
	for i := range ds.Train.Images {
		ds.Train.Images[i] = uint8(31 * i)
	}
	for i := range ds.Train.Labels {
		ds.Train.Labels[i] = uint8(i % 3)
	}
	b := data.NewBatches(ds.Train, nil, data.Identity(4), size)
	if err := b.Augment(sweeps.Augment{Shift: 1, Noise: 0.1}, ds.Shape); err != nil {
		t.Fatal(err)
	}
	b.Shuffle(1, 2)
	return b, newBuffers(buffers, size, ds)
}

// Reading ahead hands out what reading does, from any step on, wherever it ends.
func TestReadingAheadChangesNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		n, size := rapid.IntRange(1, 40).Draw(rt, "n"), rapid.IntRange(1, 9).Draw(rt, "size")
		one, single := readable(t, n, size, 1)
		two, double := readable(t, n, size, 2)
		from := rapid.IntRange(0, one.Steps()).Draw(rt, "from")
		to := rapid.IntRange(from, one.Steps()).Draw(rt, "to")
		a, b := newReader(one, from, single), newReader(two, from, double)
		for step := from; step < to; step++ {
			x, y := a.next(), b.next()
			if n := x.cases; n != y.cases || !slices.Equal(x.x[:4*n], y.x[:4*n]) || !slices.Equal(x.labels[:2*n], y.labels[:2*n]) {
				rt.Fatalf("step %d: %+v, ahead %+v", step, x, y)
			}
		}
		a.close()
		b.close()
	})
}

// What was handed out stays as it is while the next one is read.
func TestAMinibatchIsGoodUntilTheNext(t *testing.T) {
	t.Parallel()
	batches, buffers := readable(t, 64, 4, 2)
	r := newReader(batches, 0, buffers)
	defer r.close()
	for range batches.Steps() {
		b := r.next()
		want := slices.Clone(b.x)
		for range 20 {
			runtime.Gosched() // the goroutine goes on as far as it can
		}
		if !slices.Equal(want, b.x) {
			t.Fatal("a minibatch changed while it was in use")
		}
	}
}

// Reading ahead allocates nothing in the steady state. (Not parallel: it counts the
// allocations of the whole process.)
func TestReadingDoesNotAllocate(t *testing.T) {
	const runs = 100
	for buffers := 1; buffers <= 2; buffers++ {
		batches, room := readable(t, 4*(runs+5), 4, buffers)
		r := newReader(batches, 0, room)
		if n := testing.AllocsPerRun(runs, func() { r.next() }); n > 0 {
			t.Errorf("%d buffers: %v allocations a minibatch", buffers, n)
		}
		r.close()
	}
}

// A panic of the goroutine is one of the run, and leaves no goroutine. (Not parallel: it
// looks at those of the whole process.)
func TestAPanicWhileReadingAheadIsCaught(t *testing.T) {
	before := goleak.IgnoreCurrent()
	batches, buffers := readable(t, 12, 4, 2)
	buffers[1].x = nil
	func() {
		defer func() {
			var panicked *PanicError
			if err := caught(recover()); !errors.As(err, &panicked) || !strings.HasPrefix(panicked.Where, "data/") {
				t.Errorf("caught %v, want a panic in package data", err)
			}
		}()
		r := newReader(batches, 0, buffers)
		defer r.close()
		for range 3 {
			r.next()
		}
	}()
	if err := goleak.Find(before); err != nil {
		t.Error(err)
	}
}

// A run that reads ahead computes the same, also when it is interrupted, and leaves no
// goroutine behind. (Not parallel: it looks at those of the whole process.)
func TestRunsThatReadAhead(t *testing.T) {
	before := goleak.IgnoreCurrent()
	results := map[int]sweeps.Result{}
	for _, threads := range []int{1, 2} {
		r := newRunner(t, augmented())
		r.threads, r.blas = threads, "gonum" // whose sums do not depend on the threads
		for calls := 1; ; calls += 3 {
			ctx, cancel := context.WithCancelCause(t.Context())
			n := 0
			hook := func() {
				if n++; n == calls {
					cancel(ErrPreempted)
				}
			}
			r.wrap = func(net network) network { return &hooked{network: net, onStep: hook, onPredict: hook} }
			err := r.run(ctx)
			cancel(nil)
			if err == nil {
				break
			}
			if !errors.Is(err, ErrPreempted) {
				t.Fatal(err)
			}
			if err := goleak.Find(before); err != nil {
				t.Fatalf("preempted after %d calls: %v", calls, err)
			}
		}
		res := essence(r.result(t))
		res.Engine = ""
		results[threads] = res
	}
	if diff := cmp.Diff(results[1], results[2]); diff != "" {
		t.Error(diff)
	}
	r := newRunner(t, augmented())
	r.threads, r.blas = 2, "gonum"
	r.wrap = func(net network) network { return &hooked{network: net, onStep: func() { panic("a bug") }} }
	if err := r.run(t.Context()); ExitCode(err) != ExitPanic {
		t.Errorf("error %v", err)
	}
	if err := goleak.Find(before); err != nil {
		t.Errorf("after a panic: %v", err)
	}
}
