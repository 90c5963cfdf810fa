package model

import (
	"math"
	"slices"
	"testing"

	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/trainer/philox"
)

func TestMasksRepeatBySeedAndStep(t *testing.T) {
	t.Parallel()
	o := Options{Inputs: 5, Classes: 3, BatchSize: 16, Seed: 2}
	dropout := sweeps.Dropout{Input: 0.2, Hidden: 0.5}
	x, labels := cases(16, 5, 3, 1)
	n := network(t, config([]int{12, 7}, dropout), o)
	trainStep(t, n, x, labels, 41)
	want := gradient(n)
	trainStep(t, n, x, labels, 42)
	if slices.Equal(gradient(n), want) {
		t.Error("another step has the same masks")
	}
	trainStep(t, n, x, labels, 41)
	if !slices.Equal(gradient(n), want) {
		t.Error("the same step has other masks")
	}
	// As after a resume: a new network with the same weights.
	trainStep(t, network(t, config([]int{12, 7}, dropout), o), x, labels, 41)
	if !slices.Equal(gradient(n), want) {
		t.Error("a new network has other masks")
	}
	o.Seed = 3
	other := network(t, config([]int{12, 7}, dropout), o)
	for i, p := range other.Params() {
		copy(p.Value, n.Params()[i].Value)
	}
	trainStep(t, other, x, labels, 41)
	if slices.Equal(gradient(other), want) {
		t.Error("another seed has the same masks")
	}
}

// With one layer, logits are linear in the dropped inputs, so their mean over the
// masks is the prediction's. The gradient by the bias of the output layer shows
// the probabilities; with tiny weights these are linear too.
func TestTrainingAndPredictionAgreeOnAverage(t *testing.T) {
	t.Parallel()
	const inputs, classes, steps = 50, 3, 4000
	cfg := config(nil, sweeps.Dropout{Input: 0.5})
	cfg.Init.Scale = 0.05
	n := network(t, cfg, Options{Inputs: inputs, Classes: classes, BatchSize: 1, Seed: 2})
	x, _ := cases(1, inputs, classes, 1)
	labels := []int32{0}
	bias := n.Params()[1]
	mean, square := make([]float64, classes), make([]float64, classes)
	for step := range uint64(steps) {
		trainStep(t, n, x, labels, step)
		for i, g := range bias.Grad { // probability, less one for the label
			p := float64(g)
			if i == 0 {
				p++
			}
			mean[i] += p / steps
			square[i] += p * p / steps
		}
	}
	probs := make([]float32, classes)
	if err := n.Predict(x, probs); err != nil {
		t.Fatal(err)
	}
	for i, p := range probs {
		sd := math.Sqrt(square[i] - mean[i]*mean[i])
		if sd < 1e-3 {
			t.Fatalf("class %d: the masks change nothing", i)
		}
		// Five standard errors, and what is quadratic in the noise.
		if math.Abs(mean[i]-float64(p)) > 5*sd/math.Sqrt(steps)+sd*sd {
			t.Errorf("class %d: mean %v over the masks (sd %v), prediction %v", i, mean[i], sd, p)
		}
	}
}

// Dropout that scales while training is the same as dropout that scales at test
// time (Srivastava et al. 2014): a network whose weights behind a dropped layer
// are smaller by the probability p of keeping, trained with bare masks, has the
// same loss once they are divided by p, and predicts the same with them as they are.
func TestPredictionIsTheScaledOne(t *testing.T) {
	t.Parallel()
	const inputs, hidden, classes, step = 6, 5, 3, 9
	n := network(t, config([]int{hidden}, sweeps.Dropout{Input: 0.25, Hidden: 0.5}), Options{Inputs: inputs, Classes: classes, BatchSize: 1, Seed: 2})
	x, labels := cases(1, inputs, classes, 1)
	// layer computes x·w·scale + b with the bare mask on x; nil keeps all.
	layer := func(x []float64, w, b []float32, mask []bool, scale float64) []float64 {
		y := make([]float64, len(b))
		for j := range y {
			for i, v := range x {
				if mask == nil || mask[i] {
					y[j] += v * float64(w[i*len(b)+j]) * scale
				}
			}
			y[j] += float64(b[j])
		}
		return y
	}
	probabilities := func(inMask, hiddenMask []bool, inScale, hiddenScale float64) []float64 {
		p := n.Params()
		h := layer(widen(x), p[0].Value, p[1].Value, inMask, inScale)
		for i, v := range h {
			h[i] = max(v, 0)
		}
		z := layer(h, p[2].Value, p[3].Value, hiddenMask, hiddenScale)
		sum := 0.0
		for i, v := range z {
			z[i] = math.Exp(v)
			sum += z[i]
		}
		for i := range z {
			z[i] /= sum
		}
		return z
	}
	loss, _ := trainStep(t, n, x, labels, step)
	inMask, hiddenMask := bareMask(inputs, 0.75, 2, 0, step), bareMask(hidden, 0.5, 2, 1, step)
	if !slices.Contains(inMask, false) || !slices.Contains(hiddenMask, false) {
		t.Fatal("the masks of this step drop nothing")
	}
	if want := -math.Log(probabilities(inMask, hiddenMask, 1/0.75, 1/0.5)[labels[0]]); math.Abs(loss-want) > 1e-5 {
		t.Errorf("with dropout the loss is %v, want %v", loss, want)
	}
	probs := make([]float32, classes)
	if err := n.Predict(x, probs); err != nil {
		t.Fatal(err)
	}
	for i, want := range probabilities(nil, nil, 1, 1) {
		if math.Abs(float64(probs[i])-want) > 1e-5 {
			t.Errorf("class %d is predicted with %v, want %v", i, probs[i], want)
		}
	}
}

// bareMask says which elements of a row are kept, from the definition of the stream.
func bareMask(n int, keep float64, seed uint64, layer uint32, step uint64) []bool {
	s := philox.New(seed, philox.Dropout, layer, step)
	mask := make([]bool, n)
	for i := range mask {
		word := s.Block(uint32(i / 8))[i%8/2]
		mask[i] = word>>(16*(i%2))&0xffff < uint32(keep*65536)
	}
	return mask
}
