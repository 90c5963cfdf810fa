package cpu

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
	"pgregory.net/rapid"

	"github.com/tenfold-ml/tenfold/trainer/engine"
	"github.com/tenfold-ml/tenfold/trainer/ops"
)

// leaves makes the leaves of a test's graph.
type leaves = func(name string, shape ...int) *gorgonia.Node

// scaled multiplies the values of a leaf, so that a recurrence does not run away.
func scaled(n *gorgonia.Node, factor float64) *gorgonia.Node {
	switch d := n.Value().Data().(type) {
	case []float32:
		for i := range d {
			d[i] *= float32(factor)
		}
	case []float64:
		for i := range d {
			d[i] *= factor
		}
	}
	return n
}

// layerNodes are a recurrent layer's results and its gradients for a given one.
func layerNodes(kind string, steps, rows, units int, next leaves) ([]*gorgonia.Node, error) {
	gates, states := 1, 1
	if kind == "lstm" {
		gates, states = 4, 2
	}
	pre, state := next("pre", steps*rows, gates*units), next("state", states*rows, units)
	recurrent := scaled(next("recurrent", units, gates*units), 1/math.Sqrt(float64(units)))
	var hidden, final *gorgonia.Node
	var err error
	if kind == "lstm" {
		hidden, final, err = ops.LSTM(pre, recurrent, state)
	} else {
		var a ops.Activation
		if a, err = ops.ParseActivation(kind); err != nil {
			return nil, err
		}
		hidden, final, err = ops.RNN(pre, recurrent, state, a)
	}
	if err != nil {
		return nil, err
	}
	loss, err := ops.SquaredError(hidden, next("targets", steps*rows, units))
	if err != nil {
		return nil, err
	}
	grads, err := ops.Gradients(loss, pre, recurrent)
	return append(grads, loss, hidden, final), err
}

func TestSequenceKernelsAgreeWithReferences(t *testing.T) {
	t.Parallel()
	var all []*Backend
	for _, threads := range []int{1, 2, 3} {
		all = append(all, backends(t, threads)...)
	}
	check := func(t *testing.T, build func(t *rapid.T, next leaves) ([]*gorgonia.Node, error)) {
		rapid.Check(t, func(t *rapid.T) {
			b := all[rapid.IntRange(0, len(all)-1).Draw(t, "backend")]
			t.Log(b.Name())
			checkKernel(t, b, rapid.SampledFrom([]tensor.Dtype{tensor.Float32, tensor.Float64}).Draw(t, "type"), sizes{1, 1, 1},
				func(_ sizes, next func(string, ...int) *gorgonia.Node, _, _ *gorgonia.Node) ([]*gorgonia.Node, error) {
					return build(t, next)
				})
		})
	}
	draw := func(t *rapid.T, name string, most int) int { return rapid.IntRange(1, most).Draw(t, name) }
	for _, kind := range []string{"lstm", "identity", "relu", "tanh", "sigmoid"} {
		t.Run(kind, func(t *testing.T) {
			check(t, func(t *rapid.T, next leaves) ([]*gorgonia.Node, error) {
				return layerNodes(kind, draw(t, "steps", 5), draw(t, "rows", 20), draw(t, "units", 40), next)
			})
		})
	}
	t.Run("order", func(t *testing.T) {
		check(t, func(t *rapid.T, next leaves) ([]*gorgonia.Node, error) {
			steps, rows, features := draw(t, "steps", 40), draw(t, "rows", 40), draw(t, "features", 20)
			timeMajor, err := ops.TimeMajor(next("x", rows, steps*features), steps)
			if err != nil {
				return nil, err
			}
			batchMajor, err := ops.BatchMajor(next("y", steps*rows, features), steps)
			return []*gorgonia.Node{timeMajor, batchMajor}, err
		})
	})
	t.Run("rows", func(t *testing.T) {
		check(t, func(t *rapid.T, next leaves) ([]*gorgonia.Node, error) {
			n, cols := draw(t, "rows", 9), draw(t, "columns", 9)
			lo := rapid.IntRange(0, n-1).Draw(t, "lo")
			x := next("x", n, cols)
			y, err := ops.Rows(x, lo, lo+draw(t, "many", n-lo))
			if err != nil {
				return nil, err
			}
			grads, err := y.Op().(gorgonia.SDOp).SymDiff(gorgonia.Nodes{x}, y, next("dy", y.Shape()...))
			return append(grads, y), err
		})
	})
	t.Run("lookup", func(t *testing.T) {
		check(t, func(t *rapid.T, next leaves) ([]*gorgonia.Node, error) {
			n, rows, cols := draw(t, "symbols", 300), draw(t, "rows", 20), draw(t, "columns", 70)
			in := gorgonia.Nodes{scaled(next("symbols", n, 1), 0), next("table", rows, cols), next("bias", cols)}
			for i := range n {
				switch d := in[0].Value().Data().(type) {
				case []float32:
					d[i] = float32(i * 7 % rows)
				case []float64:
					d[i] = float64(i * 7 % rows)
				}
			}
			y, err := ops.Lookup(in[0], in[1], in[2])
			if err != nil {
				return nil, err
			}
			grads, err := y.Op().(gorgonia.SDOp).SymDiff(in, y, next("dy", y.Shape()...))
			return []*gorgonia.Node{y, grads[1], grads[2]}, err
		})
	})
	t.Run("losses", func(t *testing.T) {
		check(t, func(t *rapid.T, next leaves) ([]*gorgonia.Node, error) {
			rows, perRow, classes := draw(t, "rows", 20), draw(t, "labels a row", 5), draw(t, "classes", 7)
			y := next("outputs", rows, perRow*classes)
			squares, err := ops.SquaredError(y, next("targets", rows, perRow*classes))
			if err != nil {
				return nil, err
			}
			values := make([]int32, rows*perRow)
			for i := range values {
				values[i] = int32(i * 5 % classes)
			}
			labels := gorgonia.NewVector(y.Graph(), tensor.Int32, gorgonia.WithName("several labels"), gorgonia.WithShape(len(values)),
				gorgonia.WithValue(tensor.New(tensor.WithShape(len(values)), tensor.WithBacking(values))))
			entropy, err := ops.CrossEntropy(y, labels)
			if err != nil {
				return nil, err
			}
			nodes := []*gorgonia.Node{squares, entropy}
			for _, loss := range nodes[:2] {
				grads, err := ops.Gradients(loss, y)
				if err != nil {
					return nil, err
				}
				nodes = append(nodes, grads[0])
			}
			wrong, err := ops.Errors(y, labels)
			if err != nil {
				return nil, err
			}
			probs, err := ops.Softmax(y, classes)
			return append(nodes, wrong, probs), err
		})
	})
}

// layerProgram compiles a recurrent layer with its gradients in float32.
func layerProgram(tb testing.TB, b *Backend, kind string, steps, rows, units int) (*engine.Program, []*gorgonia.Node) {
	tb.Helper()
	g := gorgonia.NewGraph()
	draws := uint64(0)
	nodes, err := layerNodes(kind, steps, rows, units, func(name string, shape ...int) *gorgonia.Node {
		draws++
		return gorgonia.NewTensor(g, tensor.Float32, len(shape), gorgonia.WithName(name), gorgonia.WithShape(shape...),
			gorgonia.WithValue(normal(tensor.Float32, draws, shape...)))
	})
	if err != nil {
		tb.Fatal(err)
	}
	var results []engine.Result
	for _, n := range nodes {
		results = append(results, engine.Result{Node: n})
	}
	p, err := engine.Compile(b, results...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := p.Close(); err != nil {
			tb.Error(err)
		}
	})
	return p, nodes
}

// Long sequences of many cases: the same bits in every run, and nothing allocated.
func TestSequencesAreDeterministicAndAllocateNothing(t *testing.T) {
	for _, threads := range []int{1, 2} {
		for _, b := range backends(t, threads) {
			for _, kind := range []string{"lstm", "tanh"} {
				t.Run(fmt.Sprintf("%s/%s", b.Name(), kind), func(t *testing.T) {
					p, nodes := layerProgram(t, b, kind, 20, 13, 21)
					var first [][]float64
					allocations := testing.AllocsPerRun(20, func() {
						if err := p.RunAll(); err != nil {
							t.Fatal(err)
						}
					})
					if allocations > 0 && !raceDetector {
						t.Errorf("%v allocations a run", allocations)
					}
					for range 3 {
						if err := p.RunAll(); err != nil {
							t.Fatal(err)
						}
						var got [][]float64
						for _, n := range nodes {
							got = append(got, floats(t, n.Value()))
						}
						if first == nil {
							first = got
						} else if !slices.EqualFunc(first, got, slices.Equal) {
							t.Fatal("another run gives other bits")
						}
					}
				})
			}
		}
	}
}

// Where nobody else wants an LSTM's states, gates are worked on where they are given, and
// their gradients take their place: one piece of memory, and the same numbers.
func TestLSTMInPlace(t *testing.T) {
	t.Parallel()
	for _, b := range backends(t, 2) {
		results := func(inPlace bool) (loss, grad []float64) {
			g := gorgonia.NewGraph()
			draws := uint64(0)
			next := func(name string, shape ...int) *gorgonia.Node {
				draws++
				return scaled(gorgonia.NewTensor(g, tensor.Float32, len(shape), gorgonia.WithName(name), gorgonia.WithShape(shape...),
					gorgonia.WithValue(normal(tensor.Float32, draws, shape...))), 0.3)
			}
			gates, err := ops.Dense(next("x", 6*5, 7), next("w", 7, 4*9), next("b", 4*9), ops.Identity)
			if err != nil {
				t.Fatal(err)
			}
			recurrent := next("recurrent", 9, 4*9)
			hidden, final, err := ops.LSTM(gates, recurrent, next("state", 2*5, 9))
			if err != nil {
				t.Fatal(err)
			}
			squares, err := ops.SquaredError(hidden, next("targets", 6*5, 9))
			if err != nil {
				t.Fatal(err)
			}
			grads, err := ops.Gradients(squares, recurrent)
			if err != nil {
				t.Fatal(err)
			}
			asked := []engine.Result{{Node: squares}, {Node: final}, {Node: grads[0]}}
			if !inPlace { // the gates first, and the states to the end
				asked = []engine.Result{{Node: gates}, {Node: squares}, {Node: grads[0]}, {Node: final}}
			}
			p, err := engine.Compile(b, asked...)
			if err != nil {
				t.Fatal(err)
			}
			for _, in := range p.Plan().Instructions {
				var operand int
				switch in.Op.(type) {
				case ops.LSTMStates, ops.LSTMGrad:
					operand = in.In[0]
				default:
					continue
				}
				from, to := p.Plan().Values[operand], p.Plan().Values[in.Out]
				if together := from.Kind == engine.Temporary && from.Offset == to.Offset; together != inPlace {
					t.Errorf("%s: %v in place: %v, want %v", b.Name(), in.Op, together, inPlace)
				}
			}
			for range 2 {
				if err := p.RunAll(); err != nil {
					t.Fatal(err)
				}
			}
			loss, grad = floats(t, squares.Value()), floats(t, grads[0].Value())
			if err := p.Close(); err != nil {
				t.Fatal(err)
			}
			return loss, grad
		}
		loss, grad := results(true)
		otherLoss, otherGrad := results(false)
		if !slices.Equal(loss, otherLoss) || !slices.Equal(grad, otherGrad) {
			t.Errorf("%s: other numbers in place", b.Name())
		}
	}
}

// What is no symbol gives NaN and touches no other memory.
func TestLookupOfNonsense(t *testing.T) {
	t.Parallel()
	nan := float32(math.NaN())
	for _, b := range backends(t, 2) {
		g := gorgonia.NewGraph()
		node := func(name string, values []float32, shape ...int) *gorgonia.Node {
			return gorgonia.NewTensor(g, tensor.Float32, len(shape), gorgonia.WithName(name), gorgonia.WithShape(shape...),
				gorgonia.WithValue(tensor.New(tensor.WithShape(shape...), tensor.WithBacking(values))))
		}
		symbols := []float32{1, 2, -1, 0.5, nan, float32(math.Inf(1)), 1e30, -1e30}
		in := gorgonia.Nodes{
			node("symbols", symbols, len(symbols), 1), node("table", []float32{1, 2}, 2, 1), node("bias", []float32{10}, 1),
		}
		y, err := ops.Lookup(in[0], in[1], in[2])
		if err != nil {
			t.Fatal(err)
		}
		grads, err := y.Op().(gorgonia.SDOp).SymDiff(in, y, node("dy", slices.Repeat([]float32{3}, len(symbols)), len(symbols), 1))
		if err != nil {
			t.Fatal(err)
		}
		p, err := engine.Compile(b, engine.Result{Node: y}, engine.Result{Node: grads[1]})
		if err != nil {
			t.Fatal(err)
		}
		if err := p.RunAll(); err != nil {
			t.Fatal(err)
		}
		got := floats(t, y.Value())
		for i, v := range got {
			if i == 0 && v != 12 || i > 0 && !math.IsNaN(v) {
				t.Errorf("%s: symbol %v gives %v", b.Name(), symbols[i], v)
			}
		}
		if d := floats(t, grads[1].Value()); !slices.Equal(d, []float64{0, 3}) {
			t.Errorf("%s: the table's gradient is %v, want 0 and 3", b.Name(), d)
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// BenchmarkRecurrent is a layer of 128 units over 100 steps of 64 cases with an input of
// 128, forwards and backwards; also an LSTM's recurrence alone, without the products with
// the input's weights.
func BenchmarkRecurrent(b *testing.B) {
	const steps, rows, units = 100, 64, 128
	for _, threads := range []int{1, 2} {
		backend, err := New(Options{Threads: threads})
		if err != nil {
			b.Fatal(err)
		}
		for _, kind := range []string{"lstm", "tanh"} {
			b.Run(fmt.Sprintf("%s alone/threads=%d", kind, threads), func(b *testing.B) {
				p, _ := layerProgram(b, backend, kind, steps, rows, units)
				benchmarkProgram(b, p)
			})
		}
		b.Run(fmt.Sprintf("lstm with its input/threads=%d", threads), func(b *testing.B) {
			g := gorgonia.NewGraph()
			draws := uint64(0)
			next := func(name string, shape ...int) *gorgonia.Node {
				draws++
				return scaled(gorgonia.NewTensor(g, tensor.Float32, len(shape), gorgonia.WithName(name), gorgonia.WithShape(shape...),
					gorgonia.WithValue(normal(tensor.Float32, draws, shape...))), 0.1)
			}
			x, w, bias := next("x", rows, steps*units), next("w", units, 4*units), next("b", 4*units)
			recurrent, state := next("recurrent", units, 4*units), next("state", 2*rows, units)
			sequence, err := ops.TimeMajor(x, steps)
			if err != nil {
				b.Fatal(err)
			}
			gates, err := ops.Dense(sequence, w, bias, ops.Identity)
			if err != nil {
				b.Fatal(err)
			}
			hidden, final, err := ops.LSTM(gates, recurrent, state)
			if err != nil {
				b.Fatal(err)
			}
			loss, err := ops.SquaredError(hidden, next("targets", steps*rows, units))
			if err != nil {
				b.Fatal(err)
			}
			grads, err := ops.Gradients(loss, recurrent, w, bias)
			if err != nil {
				b.Fatal(err)
			}
			results := []engine.Result{{Node: loss}, {Node: final}}
			for _, n := range grads {
				results = append(results, engine.Result{Node: n})
			}
			p, err := engine.Compile(backend, results...)
			if err != nil {
				b.Fatal(err)
			}
			benchmarkProgram(b, p)
			if err := p.Close(); err != nil {
				b.Fatal(err)
			}
		})
		if err := backend.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// benchmarkProgram runs a program over and over.
func benchmarkProgram(b *testing.B, p *engine.Program) {
	run := func() {
		if err := p.RunAll(); err != nil {
			b.Fatal(err)
		}
	}
	run()
	b.ReportAllocs()
	for b.Loop() {
		run()
	}
}
