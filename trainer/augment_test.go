package trainer

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/trainer/data/datatest"
	"github.com/tenfold-ml/tenfold/trainer/model"
)

func augmented() sweeps.Config {
	cfg := smallConfig()
	cfg.Data.Augment = sweeps.Augment{Shift: 1, Rotate: 10, Noise: 0.1}
	cfg.Train.Epochs, cfg.Train.BatchSize = 3, 128
	return cfg
}

// Augmentations are drawn anew after a resume, and are the same.
func TestResumeIsBitExactWithAugmentation(t *testing.T) {
	t.Parallel()
	cfg := augmented()
	want := undisturbed(t, cfg)
	if plain := undisturbed(t, smallConfig()); plain.Curve[0].TrainLoss == want.Curve[0].TrainLoss {
		t.Fatal("augmentation changed nothing: the test says nothing")
	}
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
}

// inputs records what a network is given.
type inputs struct {
	network
	trained, predicted [][]float32
	labels             []int32
}

func (n *inputs) TrainStep(m model.Minibatch, step uint64) (float64, int, error) {
	n.trained, n.labels = append(n.trained, slices.Clone(m.X)), append(n.labels, m.Labels...)
	return n.network.TrainStep(m, step)
}

func (n *inputs) Predict(x, probs []float32) error {
	n.predicted = append(n.predicted, slices.Clone(x))
	return n.network.Predict(x, probs)
}

// Training cases are varied, anew in every epoch; validation and test cases and
// all labels are what they were.
func TestOnlyTrainingCasesAreAugmented(t *testing.T) {
	t.Parallel()
	record := func(cfg sweeps.Config) *inputs {
		var in *inputs
		r := newRunner(t, cfg)
		r.wrap = func(n network) network { in = &inputs{network: n}; return in }
		if err := r.run(t.Context()); err != nil {
			t.Fatal(err)
		}
		return in
	}
	cfg := augmented()
	varied := record(cfg)
	cfg.Data.Augment = sweeps.Augment{}
	plain := record(cfg)
	if len(plain.predicted) == 0 || !cmp.Equal(varied.predicted, plain.predicted) {
		t.Error("what is predicted on differs")
	}
	if len(plain.labels) != 3*500 || !slices.Equal(varied.labels, plain.labels) {
		t.Error("labels differ")
	}
	for i := range plain.trained {
		if slices.Equal(varied.trained[i], plain.trained[i]) {
			t.Errorf("the inputs of step %d are not varied", i+1)
		}
	}
	// The same cases come in every epoch, but no input twice.
	seen := map[[3]float32]int{}
	for _, x := range varied.trained {
		for row := range slices.Chunk(x, 64) {
			seen[[3]float32{row[27], row[28], row[36]}]++
		}
	}
	if repeated := 3*500 - len(seen); repeated > 0 {
		t.Errorf("%d inputs came again", repeated)
	}
}

// Settings that don't fit the data are the configuration's fault.
func TestAugmentationThatDoesNotFitIsRefused(t *testing.T) {
	t.Parallel()
	cfg := augmented()
	cfg.Data.Augment.Shift = datatest.Small.Side
	if err := newRunner(t, cfg).run(t.Context()); ExitCode(err) != ExitConfig {
		t.Errorf("a shift by the whole side: %v", err)
	}
}
