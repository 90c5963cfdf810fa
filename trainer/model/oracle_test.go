package model

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/trainer/engine"
	"github.com/tenfold-ml/tenfold/trainer/engine/cpu"
)

// wholeNetwork is a training graph with values for all of its leaves.
type wholeNetwork struct {
	*trainingGraph
	params [][]float64 // when it is in float64: the parameters' memory
}

func newWholeNetwork(t *testing.T, dtype tensor.Dtype, cfg sweeps.Model, rows int) wholeNetwork {
	t.Helper()
	o := Options{Inputs: 6, Classes: 4, BatchSize: rows, Seed: 3}
	if cfg.Kind == "convnet" {
		o.Shape, o.Inputs = []int{2, 7, 6}, 2*7*6
	}
	return newWholeNetworkOf(t, dtype, cfg, o)
}

func newWholeNetworkOf(t *testing.T, dtype tensor.Dtype, cfg sweeps.Model, o Options) wholeNetwork {
	t.Helper()
	rows := o.BatchSize
	arch, err := newArchitecture(cfg, o)
	if err != nil {
		t.Fatal(err)
	}
	w := wholeNetwork{}
	var values []gorgonia.Value
	for i, p := range initialParams(arch.parameters(), sweeps.Init{Kind: "scaled", Scale: 1}, 3) {
		if p.Shape[0] == len(p.Value) { // biases that are not zero test more
			b, _ := cases(1, len(p.Value), 2, uint64(100+i))
			copy(p.Value, b)
		}
		if dtype == tensor.Float64 {
			w.params = append(w.params, widen(p.Value))
			values = append(values, tensor.New(tensor.WithShape(p.Shape...), tensor.WithBacking(w.params[i])))
		} else {
			values = append(values, tensor.New(tensor.WithShape(p.Shape...), tensor.WithBacking(p.Value)))
		}
	}
	if w.trainingGraph, err = newTrainingGraph(arch, dtype, rows, o, values); err != nil {
		t.Fatal(err)
	}
	m := minibatchOf(o, rows, 0)
	floats := func(x []float32, shape ...int) gorgonia.Value {
		if dtype == tensor.Float64 {
			return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(widen(x)))
		}
		return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(x))
	}
	leaves := map[*gorgonia.Node]gorgonia.Value{
		w.x:    floats(m.X, rows, o.Inputs),
		w.step: tensor.New(tensor.WithShape(1), tensor.WithBacking([]int64{5})),
	}
	if w.labels != nil {
		leaves[w.labels] = tensor.New(tensor.WithShape(len(m.Labels)), tensor.WithBacking(m.Labels))
	} else {
		leaves[w.targets] = floats(m.Targets, rows, o.outputs())
	}
	for i, n := range w.memories {
		x, _ := cases(n.Shape()[0], n.Shape()[1], 2, uint64(200+i))
		leaves[n] = floats(x, n.Shape()...)
	}
	for node, v := range leaves {
		if err := gorgonia.Let(node, v); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// results are the nodes to compare.
func (w wholeNetwork) results() gorgonia.Nodes {
	nodes := gorgonia.Nodes{w.loss}
	if w.wrong != nil {
		nodes = append(nodes, w.wrong)
	}
	return slices.Concat(nodes, w.grads, w.final)
}

func (w wholeNetwork) values(t *testing.T) [][]float64 {
	t.Helper()
	var all [][]float64
	for _, n := range w.results() {
		switch d := n.Value().Data().(type) {
		case []float64:
			all = append(all, append([]float64(nil), d...))
		case []float32:
			all = append(all, widen(d))
		case float64:
			all = append(all, []float64{d})
		case float32:
			all = append(all, []float64{float64(d)})
		default:
			t.Fatalf("a value of %T", d)
		}
	}
	return all
}

func widen(x []float32) []float64 {
	d := make([]float64, len(x))
	for i, v := range x {
		d[i] = float64(v)
	}
	return d
}

// The engine and Gorgonia's tape machine give the same loss, errors and gradients
// of whole networks.
func TestEngineAgreesWithTheTapeMachine(t *testing.T) {
	t.Parallel()
	for _, hidden := range [][]int{nil, {7}, {9, 5}, {1}, {33, 17, 20}} {
		for _, dropout := range []sweeps.Dropout{{}, {Input: 0.2, Hidden: 0.5}} {
			for _, dtype := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
				for _, rows := range []int{1, 8} {
					for _, threads := range []int{1, 2} {
						t.Run(fmt.Sprintf("%v/%v/%v/%d rows/%d threads", hidden, dropout, dtype, rows, threads), func(t *testing.T) {
							t.Parallel()
							compareWithTapeMachine(t, config(hidden, dropout), dtype, rows, threads)
						})
					}
				}
			}
		}
	}
}

// So do they for networks with other activations.
func TestActivationsAgreeWithTheTapeMachine(t *testing.T) {
	t.Parallel()
	for _, activation := range []string{"tanh", "sigmoid"} {
		for _, dtype := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
			cfg := config([]int{33, 17}, sweeps.Dropout{Hidden: 0.5})
			cfg.Activation = activation
			compareWithTapeMachine(t, cfg, dtype, 8, 2)
		}
	}
}

func compareWithTapeMachine(t *testing.T, cfg sweeps.Model, dtype tensor.Dtype, rows, threads int) {
	compareWholeNetworks(t, func() wholeNetwork { return newWholeNetwork(t, dtype, cfg, rows) }, dtype, threads)
}

// compareWholeNetworks runs one network on the tape machine and one on the engine.
func compareWholeNetworks(t *testing.T, build func() wholeNetwork, dtype tensor.Dtype, threads int) {
	oracle := build()
	tape := gorgonia.NewTapeMachine(oracle.graph)
	if err := tape.RunAll(); err != nil {
		t.Fatal(err)
	}
	want := oracle.values(t)
	if err := tape.Close(); err != nil {
		t.Fatal(err)
	}
	w := build()
	vm := compileAll(t, w, threads)
	for range 2 { // a second run must not depend on the first
		if err := vm.RunAll(); err != nil {
			t.Fatal(err)
		}
		vm.Reset()
	}
	tolerance := map[tensor.Dtype]float64{tensor.Float32: 1e-5, tensor.Float64: 1e-13}[dtype]
	for i, got := range w.values(t) {
		for j := range want[i] {
			if !(math.Abs(got[j]-want[i][j]) <= tolerance*(1+math.Abs(want[i][j]))) {
				t.Errorf("result %d, element %d: %v, want %v", i, j, got[j], want[i][j])
			}
		}
	}
}

// compileAll makes a program of the whole network, which the test closes.
func compileAll(t *testing.T, w wholeNetwork, threads int) gorgonia.VM {
	t.Helper()
	b, err := cpu.New(cpu.Options{Threads: threads})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	var results []engine.Result
	for _, n := range w.results() {
		results = append(results, engine.Result{Node: n})
	}
	program, err := engine.Compile(b, results...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := program.Close(); err != nil {
			t.Error(err)
		}
	})
	return program
}

// Gradients of a whole network, dropout included, are the slopes of its loss.
func TestNetworkGradientAgainstFiniteDifferences(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*sweeps.Model){
		"plain":   func(*sweeps.Model) {},
		"dropout": func(m *sweeps.Model) { m.Dropout = sweeps.Dropout{Input: 0.2, Hidden: 0.5} },
		"tanh":    func(m *sweeps.Model) { m.Activation = "tanh" },
		"sigmoid": func(m *sweeps.Model) { m.Activation = "sigmoid" },
		"convnet": func(m *sweeps.Model) {
			m.Kind, m.Conv, m.Dropout = "convnet", convLayers(), sweeps.Dropout{Input: 0.2, Hidden: 0.5}
		},
		"convnet, tanh": func(m *sweeps.Model) {
			m.Kind, m.Conv, m.Activation = "convnet", []sweeps.ConvLayer{{Channels: 3, Kernel: 2, Stride: 1, Pool: 2}}, "tanh"
		},
	} {
		cfg := config([]int{9, 5}, sweeps.Dropout{})
		change(&cfg)
		w := newWholeNetwork(t, tensor.Float64, cfg, 8)
		program := compileAll(t, w, 1)
		loss := func() float64 {
			if err := program.RunAll(); err != nil {
				t.Fatal(err)
			}
			return w.values(t)[0][0]
		}
		loss()
		grads := w.values(t)[2:]
		const h = 1e-5
		for i, values := range w.params {
			for j, v := range values {
				values[j] = v + h
				up := loss()
				values[j] = v - h
				down := loss()
				values[j] = v
				if slope := (up - down) / (2 * h); math.Abs(slope-grads[i][j]) > 1e-8 {
					t.Errorf("%s, parameter %d, element %d: gradient %v, slope %v", name, i, j, grads[i][j], slope)
				}
			}
		}
	}
}
