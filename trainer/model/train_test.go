package model

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/trainer/engine"
	"github.com/tenfold-ml/tenfold/trainer/optim"
)

func TestLearnsTheParityOfThreeBits(t *testing.T) {
	t.Parallel()
	n := network(t, config([]int{16, 16}, sweeps.Dropout{}), Options{Inputs: 3, Classes: 2, BatchSize: 8, Seed: 1})
	var x []float32
	var labels []int32
	for i := range 8 {
		a, b, c := i&1, i>>1&1, i>>2&1
		x = append(x, float32(2*a-1), float32(2*b-1), float32(2*c-1))
		labels = append(labels, int32(a^b^c))
	}
	sgd := optim.NewSGD(n.Params(), 0.9)
	first, _ := trainStep(t, n, x, labels, 0)
	for step := range uint64(200) {
		trainStep(t, n, x, labels, step)
		sgd.Step(0.1)
	}
	if loss, wrong := trainStep(t, n, x, labels, 200); wrong != 0 || loss > first/20 {
		t.Errorf("after 200 steps the loss is %v (first %v), %d are wrong", loss, first, wrong)
	}
	probs := make([]float32, 16)
	if err := n.Predict(x, probs); err != nil {
		t.Fatal(err)
	}
	for i, label := range labels {
		if p := probs[2*i+int(label)]; p < 0.9 {
			t.Errorf("case %d: its class has probability %v", i, p)
		}
	}
}

// Without dropout, loss and error of a step are those of the predictions.
func TestStepReportsWhatPredictionsSay(t *testing.T) {
	t.Parallel()
	n := network(t, config([]int{20}, sweeps.Dropout{}), Options{Inputs: 5, Classes: 3, BatchSize: 16, Seed: 2})
	x, labels := cases(16, 5, 3, 1)
	loss, wrong := trainStep(t, n, x, labels, 0)
	probs := make([]float32, 16*3)
	if err := n.Predict(x, probs); err != nil {
		t.Fatal(err)
	}
	nll, missed := 0.0, 0
	for i, label := range labels {
		row := probs[3*i : 3*i+3]
		nll -= math.Log(float64(row[label])) / 16
		if slices.Max(row) != row[label] {
			missed++
		}
	}
	if math.Abs(nll-loss) > 1e-5 || missed != wrong {
		t.Errorf("step: loss %v, %d wrong; predictions: %v, %d", loss, wrong, nll, missed)
	}
}

// The loss is a mean, so the same cases twice give the same gradient, and the
// learning rate means the same for every size of minibatch.
func TestGradientDoesNotDependOnTheBatchSize(t *testing.T) {
	t.Parallel()
	n := network(t, config([]int{12, 7}, sweeps.Dropout{}), Options{Inputs: 5, Classes: 3, BatchSize: 32, Seed: 2})
	x, labels := cases(16, 5, 3, 1)
	loss, wrong := trainStep(t, n, x, labels, 0)
	once := gradient(n)
	doubled, doubledWrong := trainStep(t, n, slices.Concat(x, x), slices.Concat(labels, labels), 0)
	if math.Abs(loss-doubled) > 1e-6 || doubledWrong != 2*wrong {
		t.Errorf("loss %v and %d wrong, doubled %v and %d", loss, wrong, doubled, doubledWrong)
	}
	closeTo(t, "gradient of the doubled batch", gradient(n), once)
}

// The gradient of a minibatch is the weighted mean of those of its parts, of
// whatever size, and parts do not disturb one another.
func TestPartialMinibatches(t *testing.T) {
	t.Parallel()
	n := network(t, config([]int{12, 7}, sweeps.Dropout{}), Options{Inputs: 5, Classes: 3, BatchSize: 16, Seed: 2})
	x, labels := cases(16, 5, 3, 1)
	loss, _ := trainStep(t, n, x, labels, 0)
	whole := gradient(n)
	for _, cut := range []int{1, 5, 8, 15} {
		a, _ := trainStep(t, n, x[:cut*5], labels[:cut], 0)
		first := gradient(n)
		b, _ := trainStep(t, n, x[cut*5:], labels[cut:], 0)
		second := gradient(n)
		u, v := float32(cut)/16, float32(16-cut)/16
		for i := range first {
			first[i] = u*first[i] + v*second[i]
		}
		closeTo(t, "gradient of the parts", first, whole)
		if mean := float64(u)*a + float64(v)*b; math.Abs(mean-loss) > 1e-6 {
			t.Errorf("cut at %d: the parts' mean loss is %v, the whole's %v", cut, mean, loss)
		}
	}
	again, _ := trainStep(t, n, x, labels, 0)
	if again != loss || !slices.Equal(gradient(n), whole) {
		t.Error("the whole minibatch gives other bits after the parts")
	}
}

func TestPredictInPieces(t *testing.T) {
	t.Parallel()
	const rows = 39
	x, _ := cases(rows, 5, 3, 1)
	var want []float32
	for _, batch := range []int{rows, 1, 8, 13, 64} {
		n := network(t, config([]int{12}, sweeps.Dropout{Input: 0.5, Hidden: 0.5}), Options{Inputs: 5, Classes: 3, BatchSize: batch, Seed: 2})
		probs := make([]float32, rows*3)
		if err := n.Predict(x, probs); err != nil {
			t.Fatal(err)
		}
		if want == nil {
			want = probs
		}
		closeTo(t, "probabilities", probs, want)
		for i := 0; i < len(probs); i += 3 {
			if sum := probs[i] + probs[i+1] + probs[i+2]; math.Abs(float64(sum)-1) > 1e-6 {
				t.Errorf("row %d sums to %v", i/3, sum)
			}
		}
	}
}

// A network whose weights are not numbers must not look well.
func TestDivergenceShows(t *testing.T) {
	t.Parallel()
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		n := network(t, config([]int{4, 4}, sweeps.Dropout{Hidden: 0.5}), Options{Inputs: 3, Classes: 2, BatchSize: 8, Seed: 1})
		for i := range n.Params()[0].Value {
			n.Params()[0].Value[i] = float32(bad)
		}
		x, labels := cases(8, 3, 2, 1)
		loss, wrong := trainStep(t, n, x, labels, 0)
		if math.IsNaN(bad) && wrong != 8 {
			t.Errorf("weights of %v: %d of 8 are wrong", bad, wrong)
		}
		if !math.IsNaN(loss) && !math.IsInf(loss, 0) {
			t.Errorf("weights of %v: the loss is %v", bad, loss)
		}
	}
}

func TestBadMinibatches(t *testing.T) {
	t.Parallel()
	n := network(t, config([]int{4}, sweeps.Dropout{}), Options{Inputs: 3, Classes: 2, BatchSize: 8, Seed: 1})
	x, labels := cases(9, 3, 2, 1)
	for _, c := range []struct {
		name   string
		x      []float32
		labels []int32
		says   string
	}{
		{"no rows", nil, nil, "0 rows"},
		{"too many rows", x, labels, "9 rows"},
		{"too few features", x[:23], labels[:8], "23 numbers"},
		{"a label too large", x[:6], []int32{0, 2}, "label 2 of row 1"},
		{"a negative label", x[:6], []int32{-1, 0}, "label -1 of row 0"},
	} {
		if _, _, err := n.TrainStep(Minibatch{X: c.x, Labels: c.labels}, 0); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.says)
		}
	}
	for _, c := range []struct{ x, probs int }{{0, 0}, {4, 2}, {6, 2}, {6, 6}} {
		if err := n.Predict(make([]float32, c.x), make([]float32, c.probs)); err == nil {
			t.Errorf("predict accepts %d inputs for %d outputs", c.x, c.probs)
		}
	}
	// Nothing of this breaks the network.
	trainStep(t, n, x[:24], labels[:8], 0)
}

func TestClosedNetwork(t *testing.T) {
	t.Parallel()
	n := network(t, config([]int{4}, sweeps.Dropout{}), Options{Inputs: 3, Classes: 2, BatchSize: 8, Seed: 1, Threads: 2})
	x, labels := cases(8, 3, 2, 1)
	trainStep(t, n, x, labels, 0)
	if err := errors.Join(n.Close(), n.Close()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := n.TrainStep(Minibatch{X: x, Labels: labels}, 0); !errors.Is(err, engine.ErrClosed) {
		t.Errorf("TrainStep: error %v, want %v", err, engine.ErrClosed)
	}
	if err := n.Predict(x, make([]float32, 16)); !errors.Is(err, engine.ErrClosed) {
		t.Errorf("Predict: error %v, want %v", err, engine.ErrClosed)
	}
}

// closeTo compares what differs only in the order of additions.
func closeTo(t *testing.T, what string, got, want []float32) {
	t.Helper()
	for i := range want {
		if !(math.Abs(float64(got[i]-want[i])) <= 2e-6*(1+math.Abs(float64(want[i])))) {
			t.Errorf("%s: element %d is %v, want %v", what, i, got[i], want[i])
			return
		}
	}
}
