package recipes

import (
	"cmp"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/sweeps/ensemble"
	"github.com/tenfold-ml/tenfold/trainer"
	"github.com/tenfold-ml/tenfold/trainer/data"
)

// forms has every recipe.
var forms = []form{
	{
		recipe: "demo",
		small: func(s *sweeps.Spec) {
			few(4000, 1000, 3, 2)(s)
			first(s, "train.learning_rate", 3)
			only(s, "model.init.scale", 1.0)
		},
		check: averageHelps(0.15, 0.98),
	},
	{
		recipe: "demo-short",
		small: func(s *sweeps.Spec) {
			few(4000, 1000, 3, 2)(s)
			first(s, "train.learning_rate", 2)
		},
		check: averageHelps(0.15, 0.98),
	},
	{
		recipe: "mnist-mlp",
		small:  few(5000, 1000, 5, 4),
		check:  averageHelps(0.09, 0.98),
	},
	{
		recipe: "mnist-convnet",
		small:  few(3000, 500, 4, 1),
		check:  convolutionsHelp,
	},
	{
		recipe: "deep-init",
		small: func(s *sweeps.Spec) {
			few(12_800, 1000, 3, 1)(s)
			first(s, "model.hidden", 1)
		},
		check: deepNetsNeedScale,
	},
	{
		recipe:  "fashion-mlp",
		small:   few(5000, 1000, 6, 4),
		needs:   fashion,
		install: "install the package dataset-fashion-mnist, or set TENFOLD_FASHION_MNIST_DIR",
		check:   averageHelps(0.25, 0.98),
	},
	parity(20), parity(25), parity(29), parity(31), parity(40),
	{
		recipe: "sorting",
		small: func(s *sweeps.Spec) {
			few(0, 1000, 1, 2)(s)
			s.Data.Limit, s.Data.Cases, s.Data.Test = 0, 61_000, 2000
		},
		check: sortsSome,
	},
	{
		recipe: "adding",
		small: func(s *sweeps.Spec) {
			s.Data.Length, s.Data.Cases, s.Train.Epochs = 100, 22_000, 3
			only(s, "model.forget_bias", -2.0, 1.0)
			first(s, "seed", 1)
		},
		check: forgetBiasAdds,
	},
	{
		recipe: "clipping",
		small: func(s *sweeps.Spec) {
			few(4000, 1000, 2, 1)(s)
			only(s, "train.learning_rate", 0.03)
		},
		check: limitKeepsFinite,
	},
	{
		recipe: "charlm",
		small: func(s *sweeps.Spec) {
			s.Train.Epochs = 2
			first(s, "seed", 1)
		},
		needs:   opticks,
		install: "it comes with Go's source",
		check:   readsText,
	},
	{
		recipe: "batch-size",
		small:  few(6400, 1000, 3, 1),
		check:  rateFitsEveryBatchSize,
	},
	{
		recipe: "dropout",
		small: func(s *sweeps.Spec) {
			few(2000, 1000, 30, 1)(s)
			only(s, "model.dropout.hidden", 0.0, 0.5)
		},
		check: lowersError(0.95, map[string]any{"model.dropout.input": 0, "model.dropout.hidden": 0},
			map[string]any{"model.dropout.input": 0.2, "model.dropout.hidden": 0.5}),
	},
	{
		recipe: "augmentation",
		small: func(s *sweeps.Spec) {
			few(2000, 1000, 25, 1)(s)
			only(s, "data.augment.shift", 0.0, 1.0)
			only(s, "data.augment.noise", 0.0)
		},
		check: lowersError(0.85, map[string]any{"data.augment.shift": 0, "data.augment.rotate": 0},
			map[string]any{"data.augment.shift": 1, "data.augment.rotate": 10}),
	},
}

// with returns the outcomes that have these values of swept settings, and fails
// when there are none.
func (r trained) with(t *testing.T, settings map[string]any) []Outcome {
	t.Helper()
	var found []Outcome
	for _, o := range r.outcomes {
		fits := true
		for path, value := range settings {
			fits = fits && o.Is(path, value)
		}
		if fits {
			found = append(found, o)
		}
	}
	if len(found) == 0 {
		t.Fatalf("no trial has %v", settings)
	}
	return found
}

// test measures a trial's test predictions.
func (r trained) test(t *testing.T, o Outcome) ensemble.Measures {
	t.Helper()
	if o.Result.Status != sweeps.Completed {
		t.Fatalf("%v: %s, %s", o.Settings, o.Result.Status, o.Result.Note)
	}
	m, err := trainer.TestMeasures(t.Context(), r.store, o.Trial, o.Result)
	if err != nil {
		t.Fatal(err)
	}
	return m.Measures
}

// testErrors are those of outcomes, on test.
func (r trained) testErrors(t *testing.T, outcomes []Outcome) []float64 {
	t.Helper()
	var errs []float64
	for _, o := range outcomes {
		errs = append(errs, r.test(t, o).Error)
	}
	return errs
}

// averageHelps demands that every network is below an error, and that the average of
// all beats their mean: in error, and in NLL by a factor. That the NLL does not get
// worse holds of any networks (Jensen's inequality); the factor makes it a claim.
func averageHelps(maxError, nllFactor float64) func(*testing.T, trained) {
	return func(t *testing.T, r trained) {
		ds, err := data.Load(t.Context(), r.store, r.outcomes[0].Trial.Dataset, data.TestLabels)
		if err != nil {
			t.Fatal(err)
		}
		var errs, nlls []float64
		var members [][]float32
		for _, o := range r.outcomes {
			m := r.test(t, o)
			errs, nlls = append(errs, m.Error), append(nlls, m.NLL)
			p, err := Predictions(t.Context(), r.store, o)
			if err != nil {
				t.Fatal(err)
			}
			members = append(members, p)
		}
		mean, err := ensemble.Average(members)
		if err != nil {
			t.Fatal(err)
		}
		m, err := ensemble.Measure(mean, ds.Classes, ds.Labels(ds.Test, nil))
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("average of %d: test error %.2f%%, %.4f nats; mean of the members %.2f%%, %.4f nats",
			len(members), 100*m.Error, m.NLL, 100*Mean(errs), Mean(nlls))
		if worst := slices.Max(errs); worst > maxError {
			t.Errorf("the worst network has a test error of %.2f%%, want at most %.0f%%", 100*worst, 100*maxError)
		}
		if m.Error >= Mean(errs) {
			t.Errorf("the average's test error of %.2f%% is not below the members' mean of %.2f%%", 100*m.Error, 100*Mean(errs))
		}
		if m.NLL > nllFactor*Mean(nlls) {
			t.Errorf("the average has %.4f nats, want at most %g of the members' mean of %.4f", m.NLL, nllFactor, Mean(nlls))
		}
	}
}

// convolutionsHelp trains the same dense layers on the same cases without the
// convolutions.
func convolutionsHelp(t *testing.T, r trained) {
	dense := r.spec
	dense.Model.Kind, dense.Model.Conv = "mlp", nil
	outcomes, err := Train(t.Context(), r.store, dense)
	if err != nil {
		t.Fatal(err)
	}
	with, without := Mean(r.testErrors(t, r.outcomes)), Mean(r.testErrors(t, outcomes))
	t.Logf("test error %.2f%%, and %.2f%% without convolutions", 100*with, 100*without)
	if with > 0.75*without {
		t.Errorf("test error %.2f%%, and %.2f%% without convolutions; want at most three quarters of that", 100*with, 100*without)
	}
}

// deepNetsNeedScale demands that scales that are too small stay at ln 10, those that
// fit leave it, and one that is far too large diverges or learns nothing.
func deepNetsNeedScale(t *testing.T, r trained) {
	guessing := math.Log(10)
	for _, x := range []struct {
		kind   string
		scale  float64
		learns bool
	}{
		{"normal", 0.02, false}, {"normal", 0.1, true}, {"normal", 1, false},
		{"scaled", 0.02, false}, {"scaled", 0.1, false}, {"scaled", 1, true},
		{"he", 0.02, false}, {"he", 0.1, false}, {"he", 1, true},
	} {
		for _, o := range r.with(t, map[string]any{"model.init.kind": x.kind, "model.init.scale": x.scale}) {
			nll := o.Result.ValidationNLL
			if o.Result.Status == sweeps.Diverged {
				nll = math.Inf(1)
			}
			if x.learns && !(nll < 0.75*guessing) {
				t.Errorf("%s %g: %.3f nats; it should have left ln 10", x.kind, x.scale, nll)
			}
			if !x.learns && nll < 0.97*guessing {
				t.Errorf("%s %g: %.3f nats; it should have stayed at ln 10", x.kind, x.scale, nll)
			}
		}
	}
}

// lowersError demands that the mean test error with some settings is at most this
// factor of the one without them.
func lowersError(factor float64, without, with map[string]any) func(*testing.T, trained) {
	return func(t *testing.T, r trained) {
		before, after := Mean(r.testErrors(t, r.with(t, without))), Mean(r.testErrors(t, r.with(t, with)))
		t.Logf("test error %.2f%% with %v, %.2f%% with %v", 100*before, without, 100*after, with)
		if after > factor*before {
			t.Errorf("test error %.2f%% with %v, %.2f%% with %v; want at most %g of that", 100*after, with, 100*before, without, factor)
		}
	}
}

// rateFitsEveryBatchSize demands that one rate trains with each size of batch, a
// 64-fold range, in which the gradient's sum would grow as much; that with it the
// smaller batches, which take more steps, are ahead; and that a rate that is too
// large for the largest batch is so for all, which says that averages are not what
// stands against it.
func rateFitsEveryBatchSize(t *testing.T, r trained) {
	errs := map[int]float64{}
	for _, size := range []int{16, 64, 256, 1024} {
		errs[size] = Mean(r.testErrors(t, r.with(t, map[string]any{"train.batch_size": size, "train.learning_rate": 0.1})))
		if errs[size] > 0.3 {
			t.Errorf("batches of %d with a rate of 0.1: test error %.2f%%, want at most 30%%", size, 100*errs[size])
		}
		for _, o := range r.with(t, map[string]any{"train.batch_size": size, "train.learning_rate": 3}) {
			if o.Result.Status == sweeps.Completed && r.test(t, o).Error < 0.5 {
				t.Errorf("batches of %d learn with a rate of 3", size)
			}
		}
	}
	for small, large := range map[int]int{16: 256, 64: 1024} {
		if errs[small] > 0.85*errs[large] {
			t.Errorf("with a rate of 0.1 the test error is %.2f%% with batches of %d and %.2f%% with %d; sixteen times the steps should help more",
				100*errs[small], small, 100*errs[large], large)
		}
	}
}

// parity of so many bits, one pass over half a million cases: with signs as initial
// weights it is well on its way, without them it guesses.
func parity(bits int) form {
	return form{
		recipe: fmt.Sprintf("parity-%d", bits),
		small: func(s *sweeps.Spec) {
			s.Train.Epochs = 1
			only(s, "model.init.kind", "sign", "scaled")
			first(s, "seed", 1)
		},
		check: func(t *testing.T, r trained) {
			if r.spec.Data.Bits != bits {
				t.Errorf("the recipe is about %d bits", r.spec.Data.Bits)
			}
			sign := r.testErrors(t, r.with(t, map[string]any{"model.init.kind": "sign"}))
			scaled := r.testErrors(t, r.with(t, map[string]any{"model.init.kind": "scaled"}))
			if Mean(sign) > 0.38 || Mean(scaled) < 0.43 {
				t.Errorf("test error %.2f%% with sign and %.2f%% with scaled; want at most 38%% and at least 43%%", 100*Mean(sign), 100*Mean(scaled))
			}
		},
	}
}

// fashion is where Fashion-MNIST is looked for.
func fashion() string {
	return cmp.Or(os.Getenv("TENFOLD_FASHION_MNIST_DIR"), "/usr/share/datasets/fashion-mnist")
}

// opticks is the text of charlm, which comes with Go. Where there is no Go it is only
// the file's name.
func opticks() string {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		root = nil
	}
	return filepath.Join(strings.TrimSpace(string(root)), "src", "testdata", "Isaac.Newton-Opticks.txt")
}

// sortsSome demands that bits are far better than guessed, and that the average of
// the networks beats their mean in bits, whole numbers and likelihood.
func sortsSome(t *testing.T, r trained) {
	averageHelps(0.3, 0.995)(t, r)
	var bits, numbers []float64
	var members [][]float32
	for _, o := range r.outcomes {
		p, err := Predictions(t.Context(), r.store, o)
		if err != nil {
			t.Fatal(err)
		}
		members = append(members, p)
		a := accuracy(t, r, p)
		bits, numbers = append(bits, a.Bits), append(numbers, a.Numbers)
	}
	mean, err := ensemble.Average(members)
	if err != nil {
		t.Fatal(err)
	}
	all := accuracy(t, r, mean)
	t.Logf("bits %.4f of %.4f, numbers %.4f of %.4f", all.Bits, Mean(bits), all.Numbers, Mean(numbers))
	if all.Bits <= Mean(bits) || all.Numbers <= Mean(numbers) {
		t.Errorf("the average has %.4f of the bits and %.4f of the numbers right, its members %.4f and %.4f; want more",
			all.Bits, all.Numbers, Mean(bits), Mean(numbers))
	}
}

func accuracy[T ensemble.Real](t *testing.T, r trained, probs []T) Sorted {
	t.Helper()
	ds, err := data.Load(t.Context(), r.store, r.outcomes[0].Trial.Dataset, data.TestLabels)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Sorting(probs, ds.Labels(ds.Test, nil), r.spec.Data.Bits, r.spec.Data.Numbers)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// forgetBiasAdds demands that a forget gate that begins open, with a limit on the
// gradient's norm, learns in a time in which one that begins shut and has no limit
// does not.
func forgetBiasAdds(t *testing.T, r trained) {
	open := Mean(r.testErrors(t, r.with(t, map[string]any{"model.forget_bias": 1, "train.clip_norm": 1})))
	shut := Mean(r.testErrors(t, r.with(t, map[string]any{"model.forget_bias": -2, "train.clip_norm": 0})))
	if open > 0.15 || shut < 2*open {
		t.Errorf("%.4f of the variance is left with a bias of 1 and %.4f with -2 and no limit; want at most 0.15, and twice that or more", open, shut)
	}
}

// limitKeepsFinite demands that without a limit every network diverges or learns
// nothing, and that with one each is finite and better than guessing.
func limitKeepsFinite(t *testing.T, r trained) {
	for _, o := range r.with(t, map[string]any{"train.clip_norm": 0}) {
		if o.Result.Status == sweeps.Completed && o.Result.ValidationError < 0.8 {
			t.Errorf("%v: learned to %.2f%% without a limit", o.Settings, 100*o.Result.ValidationError)
		}
	}
	for _, limit := range []int{5, 15} {
		for _, o := range r.with(t, map[string]any{"train.clip_norm": limit}) {
			if o.Result.Status != sweeps.Completed || o.Result.ValidationError > 0.75 {
				t.Errorf("%v: %s with a validation error of %.2f%%; want one below 75%%", o.Settings, o.Result.Status, 100*o.Result.ValidationError)
			}
		}
	}
}

// readsText demands fewer bits a character than the frequencies of characters need,
// on text that it was not trained on.
func readsText(t *testing.T, r trained) {
	ds, err := data.Load(t.Context(), r.store, r.outcomes[0].Trial.Dataset, data.TestLabels)
	if err != nil {
		t.Fatal(err)
	}
	labels := ds.Labels(ds.Test, nil)
	counts := make([]float64, ds.Classes)
	for _, l := range labels {
		counts[l]++
	}
	entropy := 0.0
	for _, n := range counts {
		if n > 0 {
			entropy -= n / float64(len(labels)) * math.Log2(n/float64(len(labels)))
		}
	}
	bits := r.test(t, r.outcomes[0]).NLL / math.Ln2
	t.Logf("%.3f bits a character; by frequencies alone %.3f", bits, entropy)
	if bits > 0.8*entropy {
		t.Errorf("%.3f bits a character on test, want at most 0.8 of the %.3f that frequencies alone give", bits, entropy)
	}
}
