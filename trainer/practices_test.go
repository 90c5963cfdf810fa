package trainer

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/trainer/checkpoint"
	"github.com/tenfold-ml/tenfold/trainer/data"
	"github.com/tenfold-ml/tenfold/trainer/model"
)

// The tests of this file fail when one of the practices is broken between its
// setting and the run, whatever its own package says.

// watched shows a network's weights before each of its steps, and at the end. It
// insists that steps are counted on, over epochs and attempts: by the count the masks
// of dropout differ.
type watched struct {
	network
	t     *testing.T
	steps *uint64 // of all attempts
	seen  func(weights [][]float32, grads bool)
}

func (w *watched) TrainStep(m model.Minibatch, step uint64) (float64, int, error) {
	if step != *w.steps {
		w.t.Errorf("step %d is called %d", *w.steps, step)
	}
	*w.steps++
	w.show(false)
	loss, wrong, err := w.network.TrainStep(m, step)
	w.show(true)
	return loss, wrong, err
}

func (w *watched) Close() error {
	w.show(false)
	return w.network.Close()
}

func (w *watched) show(grads bool) {
	var arrays [][]float32
	for _, p := range w.Params() {
		if grads {
			arrays = append(arrays, slices.Clone(p.Grad))
		} else {
			arrays = append(arrays, slices.Clone(p.Value))
		}
	}
	w.seen(arrays, grads)
}

// watch runs a trial and returns the weights before each step and after the last,
// and the gradients of each step before they are limited.
func watch(t *testing.T, cfg sweeps.Config) (r *runner, weights, grads [][][]float32) {
	t.Helper()
	r = newRunner(t, cfg)
	steps := new(uint64)
	r.wrap = func(n network) network {
		return &watched{n, t, steps, func(arrays [][]float32, isGrads bool) {
			if isGrads {
				grads = append(grads, arrays)
			} else {
				weights = append(weights, arrays)
			}
		}}
	}
	if err := r.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	return r, weights, grads
}

func norm(arrays ...[]float32) float64 {
	sum := 0.0
	for _, a := range arrays {
		for _, v := range a {
			sum += float64(v) * float64(v)
		}
	}
	return math.Sqrt(sum)
}

func difference(a, b []float32) []float32 {
	d := slices.Clone(a)
	for i := range d {
		d[i] -= b[i]
	}
	return d
}

// The metrics say in how many steps the gradient was limited, and no plain step is
// longer than the rate times the limit.
func TestGradientsAreLimitedAndCounted(t *testing.T) {
	t.Parallel()
	cfg := smallConfig()
	cfg.Train.Momentum, cfg.Train.Epochs, cfg.Train.ClipNorm = 0, 3, 1.2
	r, weights, grads := watch(t, cfg)
	curve := r.result(t).Curve
	steps := len(grads) / len(curve)
	some := false
	for e, m := range curve {
		clipped, sum := 0, 0.0
		for s := e * steps; s < (e+1)*steps; s++ {
			size := norm(grads[s]...)
			sum += size
			if size > cfg.Train.ClipNorm {
				clipped++
			}
			var moved [][]float32
			for i, w := range weights[s+1] {
				moved = append(moved, difference(w, weights[s][i]))
			}
			if want := m.LearningRate * min(size, cfg.Train.ClipNorm); math.Abs(norm(moved...)-want) > 1e-4*want {
				t.Errorf("step %d moves by %v, want %v", s, norm(moved...), want)
			}
		}
		if want := float64(clipped) / float64(steps); m.Clipped != want || math.Abs(m.GradientNorm-sum/float64(steps)) > 1e-9*sum {
			t.Errorf("epoch %d: clipped %v, norm %v; want %v, %v", e+1, m.Clipped, m.GradientNorm, want, sum/float64(steps))
		}
		some = some || m.Clipped > 0 && m.Clipped < 1
	}
	if !some {
		t.Error("no epoch has steps above and below the limit: the test says little")
	}
}

// The metrics have |update| / |weights| of every parameter at each epoch's last step.
func TestUpdateRatiosAreReported(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*sweeps.Train){
		"classical": func(*sweeps.Train) {},
		"nesterov":  func(c *sweeps.Train) { c.Nesterov = true },
		"adam": func(c *sweeps.Train) {
			c.Optimizer, c.LearningRate, c.Adam = "adam", 0.001, sweeps.Adam{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := smallConfig()
			cfg.Train.Epochs = 2
			change(&cfg.Train)
			r, weights, grads := watch(t, cfg)
			curve := r.result(t).Curve
			steps := len(grads) / len(curve)
			names := []string{"dense0.weight", "dense0.bias", "dense1.weight", "dense1.bias", "dense2.weight", "dense2.bias"}
			for e, m := range curve {
				before, after := weights[(e+1)*steps-1], weights[(e+1)*steps]
				for i, name := range names {
					want := norm(difference(after[i], before[i])) / norm(after[i])
					if got := m.UpdateRatio[name]; !(want > 0) || math.Abs(got-want) > 1e-3*want {
						t.Errorf("epoch %d: the ratio of %s is %v, want %v", e+1, name, got, want)
					}
				}
				if len(m.UpdateRatio) != len(names) {
					t.Errorf("epoch %d: %d ratios, want %d", e+1, len(m.UpdateRatio), len(names))
				}
			}
		})
	}
}

// Every step of a trial has its number, and with it masks of its own, also when the
// trial is interrupted within an epoch and between two.
func TestStepsAreCountedOnAfterAResume(t *testing.T) {
	t.Parallel()
	cfg := smallConfig() // 8 steps an epoch
	cfg.Train.Epochs = 4
	steps := new(uint64)
	r := newRunner(t, cfg)
	for _, stop := range []uint64{3, 16, 21, 0} {
		ctx, cancel := context.WithCancelCause(t.Context())
		r.wrap = func(n network) network {
			return &watched{n, t, steps, func([][]float32, bool) {
				if *steps == stop {
					cancel(ErrPreempted)
				}
			}}
		}
		err := r.run(ctx)
		cancel(nil)
		if stop > 0 && (!errors.Is(err, ErrPreempted) || *steps != stop) || stop == 0 && err != nil {
			t.Fatalf("stopped after %d steps, wanted %d: %v", *steps, stop, err)
		}
	}
	if *steps != 32 {
		t.Errorf("%d steps in all, want 32", *steps)
	}
}

// Mean and deviation, which the checkpoint keeps, are of the training cases alone, and
// the floor raises the small deviations.
func TestStandardisationIsOfTheTrainingCases(t *testing.T) {
	t.Parallel()
	const floor = 1 // about half of the features have less than the root mean square
	cfg := smallConfig()
	cfg.Train.Epochs, cfg.Data.StdFloor = 1, floor
	r := newRunner(t, cfg)
	if err := r.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	saved, _, _, err := checkpoint.Latest(t.Context(), r.store, r.id, 1, nil)
	if err != nil || saved == nil {
		t.Fatalf("no checkpoint: %v", err)
	}
	trial, err := r.store.Trial(t.Context(), r.id)
	if err != nil {
		t.Fatal(err)
	}
	ds, err := data.Load(t.Context(), r.store, trial.Dataset)
	if err != nil {
		t.Fatal(err)
	}
	train, _, err := data.Partition(ds, cfg.Data)
	if err != nil {
		t.Fatal(err)
	}
	n := ds.Features()
	mean, deviation, power := make([]float64, n), make([]float64, n), 0.0
	for j := range n {
		for _, i := range train {
			mean[j] += float64(ds.Train.Images[int(i)*n+j]) / 255 / float64(len(train))
		}
		for _, i := range train {
			d := float64(ds.Train.Images[int(i)*n+j])/255 - mean[j]
			deviation[j] += d * d / float64(len(train))
		}
		power += deviation[j] / float64(n)
		deviation[j] = math.Sqrt(deviation[j])
	}
	raised := 0
	for j := range n {
		want := max(deviation[j], floor*math.Sqrt(power))
		if want > deviation[j] {
			raised++
		}
		if math.Abs(float64(saved.Mean[j])-mean[j]) > 1e-6 || math.Abs(float64(saved.Std[j])-want) > 1e-6 {
			t.Errorf("feature %d: %v ± %v in the checkpoint, want %v ± %v", j, saved.Mean[j], saved.Std[j], mean[j], want)
		}
	}
	if raised == 0 || raised == n {
		t.Errorf("the floor raises %d of %d deviations: the test says little", raised, n)
	}
}

// With log1p a run standardises, trains on and predicts from logarithms, its
// checkpoint says so, and it goes on from it.
func TestLogarithmsAreWhatIsLearnedFrom(t *testing.T) {
	t.Parallel()
	cfg := smallConfig()
	cfg.Train.Epochs, cfg.Data.Log1p, cfg.Data.Augment.Noise = 2, true, 0.1
	want := undisturbed(t, cfg)
	r := newRunner(t, cfg)
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	steps := 0
	r.wrap = func(n network) network {
		return &hooked{network: n, onStep: func() {
			if steps++; steps == 5 {
				cancel(ErrPreempted)
			}
		}}
	}
	if err := r.run(ctx); !errors.Is(err, ErrPreempted) {
		t.Fatalf("error = %v", err)
	}
	if err := r.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, essence(r.result(t))); diff != "" || steps != 16 {
		t.Errorf("after %d steps an interrupted run ended otherwise:\n%s", steps, diff)
	}
	saved, _, _, err := checkpoint.Latest(t.Context(), r.store, r.id, 2, nil)
	if err != nil || saved == nil || !saved.Log1p {
		t.Fatalf("the checkpoint does not say log1p: %+v, %v", saved, err)
	}
	trial, err := r.store.Trial(t.Context(), r.id)
	if err != nil {
		t.Fatal(err)
	}
	ds, err := data.Load(t.Context(), r.store, trial.Dataset)
	if err != nil {
		t.Fatal(err)
	}
	// By hand: logarithms of the bytes, then the checkpoint's statistics.
	features := ds.Features()
	x := make([]float32, len(ds.Test.Images))
	for i, b := range ds.Test.Images {
		x[i] = (float32(math.Log1p(float64(b))) - saved.Mean[i%features]) / saved.Std[i%features]
	}
	mean := 0.0
	train, _, err := data.Partition(ds, cfg.Data)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range train {
		mean += math.Log1p(float64(ds.Train.Images[int(i)*features])) / float64(len(train))
	}
	if math.Abs(float64(saved.Mean[0])-mean) > 1e-5 {
		t.Errorf("the mean of the first feature is %v, want %v", saved.Mean[0], mean)
	}
	o := ModelOptions(cfg, ds)
	o.BatchSize, o.Threads = ds.Test.N, 1
	net, err := model.New(cfg.Model, o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = net.Close() }()
	for i, p := range net.Params() {
		copy(p.Value, saved.Parameters[i].Data)
	}
	predictions := make([]float32, ds.Test.N*o.Predictions())
	if err := net.Predict(x, predictions); err != nil {
		t.Fatal(err)
	}
	b, err := r.store.ReadArtifact(t.Context(), r.result(t).TestPredictions)
	if err != nil {
		t.Fatal(err)
	}
	stored, err := decodeNPY(b, len(predictions))
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range predictions {
		if math.Abs(float64(p-stored[i])) > 1e-5 {
			t.Fatalf("prediction %d of the test cases is %v, by hand %v", i, stored[i], p)
		}
	}
}

// The rate is divided when the validation error has not fallen for so many
// epochs, by what the setting says, and the run ends when it is tiny.
func TestTheRateFollowsThePlateaus(t *testing.T) {
	t.Parallel()
	for _, divideBy := range []float64{2, 5} {
		cfg := smallConfig()
		cfg.Train.Epochs = 60
		cfg.Train.Schedule = sweeps.Schedule{Kind: "plateau", DivideBy: divideBy, Patience: 2, StopBelow: 0.1 / (divideBy * divideBy * 1.5)}
		r := newRunner(t, cfg)
		if err := r.run(t.Context()); err != nil {
			t.Fatal(err)
		}
		curve := r.result(t).Curve
		rate, best, waited := 0.1, math.Inf(1), 0
		for e, m := range curve {
			if m.LearningRate != rate {
				t.Errorf("by %v: epoch %d has the rate %v, want %v", divideBy, e+1, m.LearningRate, rate)
			}
			if m.ValidationError < best {
				best, waited = m.ValidationError, 0
			} else if waited++; waited == 2 {
				rate, waited = rate/divideBy, 0
			}
		}
		if len(curve) == 60 || rate >= cfg.Train.Schedule.StopBelow {
			t.Errorf("by %v: ended after %d epochs with a rate of %v, which is not below %v", divideBy, len(curve), rate, cfg.Train.Schedule.StopBelow)
		}
	}
}

// With max_norm, the weights that enter a unit are within the limit after every step.
func TestMaxNormHoldsThroughoutARun(t *testing.T) {
	t.Parallel()
	largest := func(limit float64) float64 {
		cfg := smallConfig()
		cfg.Train.Epochs, cfg.Train.MaxNorm = 2, limit
		_, weights, _ := watch(t, cfg)
		widths := []int{24, 16}
		top := 0.0
		for _, arrays := range weights[1:] { // the first are the initial ones
			for layer, units := range widths {
				w := arrays[2*layer]
				for unit := range units {
					var column []float32
					for i := unit; i < len(w); i += units {
						column = append(column, w[i])
					}
					top = max(top, norm(column))
				}
			}
		}
		return top
	}
	if free := largest(0); free <= 1 {
		t.Fatalf("without a limit the largest norm is %v: the test says nothing", free)
	}
	if got := largest(1); got > 1 {
		t.Errorf("with a limit of 1 the largest norm is %v", got)
	}
}

// The loss is a mean, so the first step moves about as far whatever the size of the
// minibatch. That it is exact, package model's tests show.
func TestTheRateIsIndependentOfTheBatchSize(t *testing.T) {
	t.Parallel()
	moved := map[int]float64{}
	for _, size := range []int{100, 200, 400} {
		cfg := smallConfig()
		cfg.Model.Dropout = sweeps.Dropout{}
		cfg.Train.Epochs, cfg.Train.ClipNorm, cfg.Train.BatchSize = 1, 0, size
		_, weights, _ := watch(t, cfg)
		var update [][]float32
		for i, w := range weights[1] {
			update = append(update, difference(w, weights[0][i]))
		}
		moved[size] = norm(update...)
	}
	// A sum instead of the mean would move four times as far.
	if ratio := moved[400] / moved[100]; ratio < 0.6 || ratio > 1.3 {
		t.Errorf("the first step moves by %v: four times the cases, %v times as far", moved, ratio)
	}
}
