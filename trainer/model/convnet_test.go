package model

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"gorgonia.org/tensor"

	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/trainer/optim"
)

// convLayers fit planes of 7×6.
func convLayers() []sweeps.ConvLayer {
	return []sweeps.ConvLayer{
		{Channels: 4, Kernel: 3, Stride: 1, Padding: 1, Pool: 2},
		{Channels: 3, Kernel: 2, Stride: 1},
	}
}

func convConfig(layers []sweeps.ConvLayer, hidden []int, dropout sweeps.Dropout) sweeps.Model {
	cfg := config(hidden, dropout)
	cfg.Kind, cfg.Conv = "convnet", layers
	return cfg
}

func TestConvnetsAgreeWithTheTapeMachine(t *testing.T) {
	t.Parallel()
	for _, layers := range [][]sweeps.ConvLayer{
		convLayers(),
		{{Channels: 2, Kernel: 3, Stride: 2, Padding: 2, Pool: 3}},
		{{Channels: 5, Kernel: 1, Stride: 1}},
	} {
		for _, dropout := range []sweeps.Dropout{{}, {Input: 0.2, Hidden: 0.5}} {
			for _, dtype := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
				for threads := 1; threads <= 2; threads++ {
					compareWithTapeMachine(t, convConfig(layers, []int{9}, dropout), dtype, 5, threads)
				}
			}
		}
	}
}

func TestConvnetParameters(t *testing.T) {
	t.Parallel()
	n := network(t, convConfig(convLayers(), []int{9}, sweeps.Dropout{}),
		Options{Inputs: 84, Shape: []int{2, 7, 6}, Classes: 4, BatchSize: 2, Seed: 1})
	var got []string
	for _, p := range n.Params() {
		got = append(got, fmt.Sprint(p.Name, p.Shape))
	}
	want := "conv0.weight[4 2 3 3] conv0.bias[4] conv1.weight[3 4 2 2] conv1.bias[3] dense0.weight[12 9] dense0.bias[9] dense1.weight[9 4] dense1.bias[4]"
	if s := strings.Join(got, " "); s != want {
		t.Errorf("parameters %s, want %s", s, want)
	}
}

// The scale of initial filters is by their fan-in, channels times kernel squared.
func TestConvnetFanIn(t *testing.T) {
	t.Parallel()
	n := network(t, convConfig([]sweeps.ConvLayer{{Channels: 2000, Kernel: 3, Stride: 1}}, []int{1}, sweeps.Dropout{}),
		Options{Inputs: 48, Shape: []int{3, 4, 4}, Classes: 2, BatchSize: 1, Seed: 1})
	sum := 0.0
	w := n.Params()[0].Value
	for _, v := range w {
		sum += float64(v) * float64(v)
	}
	if variance := sum / float64(len(w)); math.Abs(variance*27-1) > 0.03 {
		t.Errorf("variance %v, want 1/27", variance)
	}
}

// Training gives the same bits with one thread and two, for whole and partial
// minibatches, and learns.
func TestConvnetTrains(t *testing.T) {
	t.Parallel()
	train := func(threads int) (first, last float64, weights []float32) {
		n := network(t, convConfig(convLayers(), []int{16}, sweeps.Dropout{}),
			Options{Inputs: 84, Shape: []int{2, 7, 6}, Classes: 4, BatchSize: 20, Seed: 1, Threads: threads, BLAS: "gonum"})
		sgd := optim.NewSGD(n.Params(), 0.9)
		x, labels := cases(20, 84, 4, 0)
		for step := range 120 {
			rows := 20 - step%2*7
			last, _ = trainStep(t, n, x[:rows*84], labels[:rows], uint64(step))
			if step == 0 {
				first = last
			}
			sgd.Step(0.05)
		}
		for _, p := range n.Params() {
			weights = append(weights, p.Value...)
		}
		return first, last, weights
	}
	first, last, one := train(1)
	if !(last < first/10) {
		t.Errorf("the loss went from %v to %v", first, last)
	}
	_, _, two := train(2)
	for i := range one {
		if one[i] != two[i] {
			t.Fatalf("weight %d is %v with one thread and %v with two", i, one[i], two[i])
		}
	}
}

func TestConvnetsThatCannotBe(t *testing.T) {
	t.Parallel()
	layer := sweeps.ConvLayer{Channels: 2, Kernel: 3, Stride: 1, Pool: 2}
	for _, c := range []struct {
		name   string
		layers []sweeps.ConvLayer
		shape  []int
		inputs int
		want   string
	}{
		{"no layers", nil, []int{6, 6}, 36, "conv has no layers"},
		{"no shape", []sweeps.ConvLayer{layer}, []int{36}, 36, "cases are not planes"},
		{"another size", []sweeps.ConvLayer{layer}, []int{6, 6}, 35, "a shape of [6 6] for cases of 35 features"},
		{"shrunk", []sweeps.ConvLayer{layer, layer}, []int{6, 6}, 36, "layer 2: a kernel of 3 does not fit planes of 2×2"},
		{"pool", []sweeps.ConvLayer{{Channels: 1, Kernel: 6, Stride: 1, Pool: 2}}, []int{6, 6}, 36, "layer 1: a pool of 2 does not fit planes of 1×1"},
		{"stride", []sweeps.ConvLayer{{Channels: 1, Kernel: 6}}, []int{6, 6}, 36, "layer 1: stride is 0"},
	} {
		n, err := New(convConfig(c.layers, nil, sweeps.Dropout{}), Options{Inputs: c.inputs, Shape: c.shape, Classes: 2, BatchSize: 1})
		if err == nil {
			t.Errorf("%s: built", c.name)
			_ = n.Close()
			continue
		}
		if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v, want one line with %q", c.name, err, c.want)
		}
	}
}

// A step of a convnet in the steady state allocates nothing. (Not parallel: it counts
// the allocations of the whole process.)
func TestConvnetStepsDoNotAllocate(t *testing.T) {
	if raceDetector {
		t.Skip("under the race detector, sync.Pool drops entries on purpose")
	}
	for _, blas := range []string{"gonum", "openblas"} {
		for _, threads := range []int{1, 2} {
			n := network(t, convConfig(convLayers(), []int{16}, sweeps.Dropout{Input: 0.2, Hidden: 0.5}),
				Options{Inputs: 84, Shape: []int{2, 7, 6}, Classes: 4, BatchSize: 20, Seed: 1, Threads: threads, BLAS: blas})
			x, labels := cases(20, 84, 4, 0)
			probs := make([]float32, 20*4)
			step := uint64(0)
			allocations := testing.AllocsPerRun(50, func() {
				trainStep(t, n, x, labels, step)
				trainStep(t, n, x[:84*7], labels[:7], step)
				if err := n.Predict(x, probs); err != nil {
					t.Fatal(err)
				}
				step++
			})
			if allocations > 1 { // the garbage collector may empty a pool now and then
				t.Errorf("%s, %d threads: %v allocations a step", blas, threads, allocations)
			}
		}
	}
}

// BenchmarkConvnetStep is a whole update of a convnet of 32 and 64 filters of 3×3, two
// pools and 128 dense units on MNIST-sized planes, minibatches of 128.
func BenchmarkConvnetStep(b *testing.B) {
	layers := []sweeps.ConvLayer{
		{Channels: 32, Kernel: 3, Stride: 1, Padding: 1, Pool: 2}, {Channels: 64, Kernel: 3, Stride: 1, Padding: 1, Pool: 2},
	}
	for threads := 1; threads <= 2; threads++ {
		b.Run(fmt.Sprintf("threads=%d", threads), func(b *testing.B) {
			n := network(b, convConfig(layers, []int{128}, sweeps.Dropout{}),
				Options{Inputs: 784, Shape: []int{28, 28}, Classes: 10, BatchSize: 128, Seed: 1, Threads: threads})
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
