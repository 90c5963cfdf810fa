package model

import (
	"errors"
	"testing"

	"go.uber.org/goleak"

	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/trainer/engine/cpu"
	"github.com/tenfold-ml/tenfold/trainer/philox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// config returns a relu network with the usual initial weights.
func config(hidden []int, dropout sweeps.Dropout) sweeps.Model {
	return sweeps.Model{Kind: "mlp", Hidden: hidden, Activation: "relu", Init: sweeps.Init{Kind: "scaled", Scale: 1}, Dropout: dropout}
}

// network builds a network that the test closes.
func network(tb testing.TB, cfg sweeps.Model, o Options) *Network {
	tb.Helper()
	n, err := New(cfg, o)
	if errors.Is(err, cpu.ErrNoOpenBLAS) {
		tb.Skip("needs OpenBLAS: ", err)
	}
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := n.Close(); err != nil {
			tb.Error(err)
		}
	})
	return n
}

// cases draws inputs from N(0,1) and labels evenly.
func cases(rows, inputs, classes int, stream uint64) ([]float32, []int32) {
	z := make([]float64, rows*inputs)
	philox.New(77, philox.Init, 1, stream).Normals(z)
	x := make([]float32, len(z))
	for i, v := range z {
		x[i] = float32(v)
	}
	labels := make([]int32, rows)
	s := philox.New(77, philox.Split, 1, stream)
	for i := range labels {
		labels[i] = int32(s.Block(uint32(i))[0] % uint32(classes))
	}
	return x, labels
}

// minibatchOf draws cases for a network: symbols or N(0,1), and labels or N(0,1).
func minibatchOf(o Options, rows int, stream uint64) Minibatch {
	x, _ := cases(rows, o.Inputs, 2, stream)
	if o.Symbols > 0 {
		_, symbols := cases(rows*o.Inputs, 1, o.Symbols, stream)
		for i, s := range symbols {
			x[i] = float32(s)
		}
	}
	if o.Classes == 0 {
		targets, _ := cases(rows, o.outputs(), 2, stream+1000)
		return Minibatch{X: x, Targets: targets}
	}
	_, labels := cases(rows*o.outputs(), 1, o.Classes, stream+1000)
	return Minibatch{X: x, Labels: labels}
}

// trainOn is trainStep for any minibatch.
func trainOn(tb testing.TB, n *Network, m Minibatch, step uint64) (float64, int) {
	tb.Helper()
	loss, wrong, err := n.TrainStep(m, step)
	if err != nil {
		tb.Fatal(err)
	}
	return loss, wrong
}

// gradient copies all gradients into one slice.
func gradient(n *Network) []float32 {
	var g []float32
	for _, p := range n.Params() {
		g = append(g, p.Grad...)
	}
	return g
}

func trainStep(tb testing.TB, n *Network, x []float32, labels []int32, step uint64) (float64, int) {
	tb.Helper()
	loss, wrong, err := n.TrainStep(Minibatch{X: x, Labels: labels}, step)
	if err != nil {
		tb.Fatal(err)
	}
	return loss, wrong
}
