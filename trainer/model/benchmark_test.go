package model

import (
	"testing"

	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/trainer/optim"
)

// BenchmarkTrainStep is a whole update of MNIST-sized networks, minibatches of
// 128, on one thread; TENFOLD_BLAS chooses the BLAS.
func BenchmarkTrainStep(b *testing.B) {
	for _, c := range []struct {
		name    string
		hidden  []int
		dropout sweeps.Dropout
	}{
		{"784-128-128-10", []int{128, 128}, sweeps.Dropout{}},
		{"784-128-128-10 dropout", []int{128, 128}, sweeps.Dropout{Input: 0.2, Hidden: 0.5}},
		{"784-512-512-10 dropout", []int{512, 512}, sweeps.Dropout{Input: 0.2, Hidden: 0.5}},
		{"784-1024-1024-10", []int{1024, 1024}, sweeps.Dropout{}},
	} {
		b.Run(c.name, func(b *testing.B) {
			n := network(b, config(c.hidden, c.dropout), Options{Inputs: 784, Classes: 10, BatchSize: 128, Seed: 1})
			x, labels := cases(128, 784, 10, 0)
			sgd := optim.NewSGD(n.Params(), 0.9)
			trainStep(b, n, x, labels, 0) // compiles
			b.ReportAllocs()
			step := uint64(0)
			for b.Loop() {
				trainStep(b, n, x, labels, step)
				optim.ClipNorm(n.Params(), 15)
				sgd.Step(0.01)
				step++
			}
		})
	}
}

// BenchmarkPredict is 10,000 cases, as after an epoch.
func BenchmarkPredict(b *testing.B) {
	n := network(b, config([]int{128, 128}, sweeps.Dropout{}), Options{Inputs: 784, Classes: 10, BatchSize: 128, Seed: 1})
	x, _ := cases(10000, 784, 10, 0)
	probs := make([]float32, 10000*10)
	for b.Loop() {
		if err := n.Predict(x, probs); err != nil {
			b.Fatal(err)
		}
	}
}
