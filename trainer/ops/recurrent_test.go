package ops_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/tenfold-ml/tenfold/trainer/engine"
	"github.com/tenfold-ml/tenfold/trainer/engine/cpu"
	"github.com/tenfold-ml/tenfold/trainer/ops"
)

// symbolColumn makes the operand of a look-up.
func symbolColumn(symbols ...float64) *tensor.Dense { return floatMatrix(len(symbols), 1, symbols...) }

// sequenceCases are operations on sequences, and losses over several outputs.
func sequenceCases() []gradientCase {
	cases := []gradientCase{
		{
			"time-major", [][]int{{3, 8}},
			func(in gorgonia.Nodes) (*gorgonia.Node, error) { return ops.TimeMajor(in[0], 4) }, nil, []int{0},
		},
		{
			"batch-major", [][]int{{12, 2}},
			func(in gorgonia.Nodes) (*gorgonia.Node, error) { return ops.BatchMajor(in[0], 4) }, nil, []int{0},
		},
		{
			"rows", [][]int{{5, 3}},
			func(in gorgonia.Nodes) (*gorgonia.Node, error) { return ops.Rows(in[0], 1, 4) }, nil, []int{0},
		},
		{
			"squared error", [][]int{{3, 4}, {3, 4}},
			func(in gorgonia.Nodes) (*gorgonia.Node, error) { return ops.SquaredError(in[0], in[1]) }, nil, []int{0},
		},
		{
			"cross-entropy of two labels a row", [][]int{{3, 8}},
			func(in gorgonia.Nodes) (*gorgonia.Node, error) { return ops.CrossEntropy(in[0], in[1]) },
			[]gorgonia.Value{labelVector(3, 0, 1, 1, 2, 0)}, []int{0},
		},
	}
	return cases
}

// recurrentCase is a layer over a sequence.
type recurrentCase struct {
	name               string
	steps, rows, units int
	gates, states      int // multiples of units and rows
	build              func(pre, recurrent, state *gorgonia.Node) (hidden, final *gorgonia.Node, err error)
}

func recurrentCases() []recurrentCase {
	var cases []recurrentCase
	for _, s := range [][3]int{{1, 1, 1}, {4, 3, 5}, {7, 1, 2}, {2, 5, 3}} {
		cases = append(cases, recurrentCase{fmt.Sprintf("lstm %v", s), s[0], s[1], s[2], 4, 2, ops.LSTM})
		for _, a := range []ops.Activation{ops.Identity, ops.ReLU, ops.Tanh, ops.Sigmoid} {
			cases = append(cases, recurrentCase{
				fmt.Sprintf("rnn %v %v", a, s), s[0], s[1], s[2], 1, 1,
				func(pre, recurrent, state *gorgonia.Node) (*gorgonia.Node, *gorgonia.Node, error) {
					return ops.RNN(pre, recurrent, state, a)
				},
			})
		}
	}
	return cases
}

// The gradients of recurrent layers and look-ups, by Gorgonia's differentiation of a loss,
// agree with central differences in float64: those of the tape machine on the
// references, and those of the engine on its kernels.
func TestSequenceGradientsAgainstFiniteDifferences(t *testing.T) {
	t.Parallel()
	b, err := cpu.New(cpu.Options{BLAS: cpu.Gonum, Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, c := range recurrentCases() {
		t.Run(c.name, func(t *testing.T) {
			wide := c.gates * c.units
			pre, recurrent, state := normals(1, c.steps*c.rows, wide), normals(2, c.units, wide), normals(3, c.states*c.rows, c.units)
			checkLoss(t, b, func(g *gorgonia.ExprGraph, pre, recurrent *gorgonia.Node) (gorgonia.Nodes, error) {
				hidden, final, err := c.build(pre, recurrent, leaf(g, "state", state))
				return gorgonia.Nodes{hidden, final}, err
			}, pre, recurrent)
		})
	}
	t.Run("lookup", func(t *testing.T) {
		checkLoss(t, b, func(g *gorgonia.ExprGraph, table, bias *gorgonia.Node) (gorgonia.Nodes, error) {
			y, err := ops.Lookup(leaf(g, "symbols", symbolColumn(2, 0, 2, 3, 2, 0)), table, bias)
			return gorgonia.Nodes{y}, err
		}, normals(1, 4, 3), normals(2, 3))
	})
}

// checkLoss compares the gradients by two operands of the squared error of the first
// node that build returns, and the nodes on the engine and on the tape machine.
func checkLoss(t *testing.T, b *cpu.Backend, build func(g *gorgonia.ExprGraph, x, y *gorgonia.Node) (gorgonia.Nodes, error), x, y *tensor.Dense) {
	g := gorgonia.NewGraph()
	wrt := gorgonia.Nodes{leaf(g, "x", x), leaf(g, "y", y)}
	nodes, err := build(g, wrt[0], wrt[1])
	if err != nil {
		t.Fatal(err)
	}
	loss, err := ops.SquaredError(nodes[0], leaf(g, "targets", normals(4, nodes[0].Shape()...)))
	if err != nil {
		t.Fatal(err)
	}
	grads, err := ops.Gradients(loss, wrt...)
	if err != nil {
		t.Fatal(err)
	}
	nodes = slices.Concat(gorgonia.Nodes{loss, grads[0], grads[1]}, nodes)
	runTape(t, g)
	var want [][]float64
	var results []engine.Result
	for _, n := range nodes {
		want = append(want, slices.Clone(numbers(n.Value())))
		results = append(results, engine.Result{Node: n})
	}
	program, err := engine.Compile(b, results...)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := program.Close(); err != nil {
			t.Error(err)
		}
	}()
	run := func() float64 {
		if err := program.RunAll(); err != nil {
			t.Fatal(err)
		}
		return numbers(loss.Value())[0]
	}
	run()
	for i, n := range nodes {
		compare(t, fmt.Sprintf("engine against tape machine, result %d", i), numbers(n.Value()), want[i])
	}
	for i, v := range []*tensor.Dense{x, y} {
		compare(t, fmt.Sprintf("gradient by operand %d", i), want[1+i], centralDifferences(v.Data().([]float64), run))
	}
}

// runTape evaluates a graph on Gorgonia's tape machine.
func runTape(t *testing.T, g *gorgonia.ExprGraph) {
	t.Helper()
	tape := gorgonia.NewTapeMachine(g)
	if err := errors.Join(tape.RunAll(), tape.Close()); err != nil {
		t.Fatal(err)
	}
}

// A sequence in two pieces, the second from the first one's final state, is the sequence.
func TestStateIsCarried(t *testing.T) {
	t.Parallel()
	for _, c := range recurrentCases() {
		if c.steps < 2 {
			continue
		}
		wide := c.gates * c.units
		recurrent, state := normals(2, c.units, wide), normals(3, c.states*c.rows, c.units)
		pre := numbers(normals(1, c.steps*c.rows, wide))
		run := func(pre []float64, state gorgonia.Value) (hidden, final []float64) {
			g := gorgonia.NewGraph()
			h, f, err := c.build(leaf(g, "pre", floatMatrix(len(pre)/wide, wide, pre...)), leaf(g, "recurrent", recurrent), leaf(g, "state", state))
			if err != nil {
				t.Fatal(err)
			}
			runTape(t, g)
			return numbers(h.Value()), numbers(f.Value())
		}
		hidden, final := run(pre, state)
		cut := c.steps / 2 * c.rows * wide
		first, between := run(pre[:cut], state)
		second, last := run(pre[cut:], floatMatrix(c.states*c.rows, c.units, between...))
		compare(t, c.name+": hidden", append(first, second...), hidden)
		compare(t, c.name+": final", last, final)
	}
}

// One unit of an LSTM, two steps, worked out with the definition.
func TestLSTMByHand(t *testing.T) {
	t.Parallel()
	sigmoid := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	gates, recurrent := []float64{0.1, 0.2, 0.3, 0.4, -0.5, 0.6, -0.7, 0.8}, []float64{1, -2, 3, -4}
	h, c := 0.5, -0.25
	var want []float64
	for t := range 2 {
		p := gates[4*t:]
		i, f, g, o := sigmoid(p[0]+h), sigmoid(p[1]-2*h), math.Tanh(p[2]+3*h), sigmoid(p[3]-4*h)
		c = f*c + i*g
		h = o * math.Tanh(c)
		want = append(want, h)
	}
	g := gorgonia.NewGraph()
	hidden, _, err := ops.LSTM(leaf(g, "gates", floatMatrix(2, 4, gates...)), leaf(g, "recurrent", floatMatrix(1, 4, recurrent...)), leaf(g, "state", floatMatrix(2, 1, 0.5, -0.25)))
	if err != nil {
		t.Fatal(err)
	}
	runTape(t, g)
	compare(t, "hidden", numbers(hidden.Value()), want)
}

func TestSequenceOrderByHand(t *testing.T) {
	t.Parallel()
	x := floatMatrix(2, 6, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)
	timeMajor := []float64{1, 2, 7, 8, 3, 4, 9, 10, 5, 6, 11, 12}
	v := apply(t, func(in gorgonia.Nodes) (*gorgonia.Node, error) { return ops.TimeMajor(in[0], 3) }, x)
	if got := numbers(v); !slices.Equal(got, timeMajor) || !v.Shape().Eq(tensor.Shape{6, 2}) {
		t.Errorf("time-major: %v of shape %v, want %v", got, v.Shape(), timeMajor)
	}
	back := apply(t, func(in gorgonia.Nodes) (*gorgonia.Node, error) { return ops.BatchMajor(in[0], 3) }, v)
	if got := numbers(back); !slices.Equal(got, numbers(x)) || !back.Shape().Eq(x.Shape()) {
		t.Errorf("and back: %v of shape %v, want %v", got, back.Shape(), x)
	}
}

func TestLookupByHand(t *testing.T) {
	t.Parallel()
	build := func(in gorgonia.Nodes) (*gorgonia.Node, error) { return ops.Lookup(in[0], in[1], in[2]) }
	table, bias := floatMatrix(3, 2, 1, 2, 3, 4, 5, 6), tensor.New(tensor.WithShape(2), tensor.WithBacking([]float64{10, 20}))
	want := []float64{15, 26, 11, 22, 15, 26}
	if got := numbers(apply(t, build, symbolColumn(2, 0, 2), table, bias)); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	g := gorgonia.NewGraph()
	for _, bad := range []float64{-1, 3, 0.5, math.NaN(), math.Inf(1), 1e300} {
		symbols := symbolColumn(1, bad)
		n, err := build(gorgonia.Nodes{leaf(g, "symbols", symbols), leaf(g, "table", table), leaf(g, "bias", bias)})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := n.Op().Do(symbols, table, bias); err == nil || !strings.Contains(err.Error(), "of row 1 is not one of 3") {
			t.Errorf("symbol %v: error %v, want one that names the row", bad, err)
		}
	}
}

func TestSquaredErrorByHand(t *testing.T) {
	t.Parallel()
	v := apply(t, func(in gorgonia.Nodes) (*gorgonia.Node, error) { return ops.SquaredError(in[0], in[1]) },
		floatMatrix(2, 2, 1, 2, 3, 4), floatMatrix(2, 2, 1, 0, 6, 3))
	if got := numbers(v)[0]; got != (0+4+9+1)/4.0 {
		t.Errorf("loss %v, want 3.5", got)
	}
}

// Two labels a row are what they would be in rows of their own.
func TestSeveralLabelsARow(t *testing.T) {
	t.Parallel()
	x := numbers(normals(5, 4, 3))
	labels := labelVector(2, 0, 1, 2)
	for name, build := range map[string]func(in gorgonia.Nodes) (*gorgonia.Node, error){
		"cross-entropy": func(in gorgonia.Nodes) (*gorgonia.Node, error) { return ops.CrossEntropy(in[0], in[1]) },
		"errors":        func(in gorgonia.Nodes) (*gorgonia.Node, error) { return ops.Errors(in[0], in[1]) },
	} {
		want := numbers(apply(t, build, floatMatrix(4, 3, x...), labels))
		if got := numbers(apply(t, build, floatMatrix(2, 6, x...), labels)); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	softmax := func(in gorgonia.Nodes) (*gorgonia.Node, error) { return ops.Softmax(in[0], 3) }
	want := numbers(apply(t, softmax, floatMatrix(4, 3, x...)))
	if got := numbers(apply(t, softmax, floatMatrix(2, 6, x...))); !slices.Equal(got, want) {
		t.Errorf("softmax: %v, want %v", got, want)
	}
}

func TestSequenceNodesThatCannotBe(t *testing.T) {
	t.Parallel()
	g := gorgonia.NewGraph()
	count := 0
	m := func(r, c int) *gorgonia.Node {
		count++
		return gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithShape(r, c), gorgonia.WithName(fmt.Sprint("m", count)))
	}
	bias := gorgonia.NewVector(g, tensor.Float32, gorgonia.WithShape(5), gorgonia.WithName("bias"))
	labels := gorgonia.NewVector(g, tensor.Int32, gorgonia.WithShape(4), gorgonia.WithName("labels"))
	lstm := func(gates, recurrent, state *gorgonia.Node) func() (*gorgonia.Node, error) {
		return func() (*gorgonia.Node, error) {
			h, _, err := ops.LSTM(gates, recurrent, state)
			return h, err
		}
	}
	rnn := func(pre, recurrent, state *gorgonia.Node) func() (*gorgonia.Node, error) {
		return func() (*gorgonia.Node, error) {
			h, _, err := ops.RNN(pre, recurrent, state, ops.Tanh)
			return h, err
		}
	}
	for name, build := range map[string]func() (*gorgonia.Node, error){
		"lstm: gates' columns":     lstm(m(6, 10), m(3, 12), m(4, 3)),
		"lstm: recurrent rows":     lstm(m(6, 12), m(2, 12), m(4, 3)),
		"lstm: recurrent columns":  lstm(m(6, 12), m(3, 9), m(4, 3)),
		"lstm: odd state":          lstm(m(6, 12), m(3, 12), m(3, 3)),
		"lstm: state's units":      lstm(m(6, 12), m(3, 12), m(4, 2)),
		"lstm: half a step":        lstm(m(7, 12), m(3, 12), m(4, 3)),
		"rnn: sums' columns":       rnn(m(6, 4), m(3, 3), m(2, 3)),
		"rnn: recurrent":           rnn(m(6, 3), m(3, 4), m(2, 3)),
		"rnn: half a step":         rnn(m(7, 3), m(3, 3), m(2, 3)),
		"time-major: no steps":     func() (*gorgonia.Node, error) { return ops.TimeMajor(m(2, 6), 0) },
		"time-major: columns":      func() (*gorgonia.Node, error) { return ops.TimeMajor(m(2, 6), 4) },
		"batch-major: rows":        func() (*gorgonia.Node, error) { return ops.BatchMajor(m(6, 2), 4) },
		"rows: none":               func() (*gorgonia.Node, error) { return ops.Rows(m(6, 2), 3, 3) },
		"rows: negative":           func() (*gorgonia.Node, error) { return ops.Rows(m(6, 2), -1, 3) },
		"rows: too many":           func() (*gorgonia.Node, error) { return ops.Rows(m(6, 2), 3, 7) },
		"lookup: symbols' columns": func() (*gorgonia.Node, error) { return ops.Lookup(m(6, 2), m(4, 5), bias) },
		"lookup: bias":             func() (*gorgonia.Node, error) { return ops.Lookup(m(6, 1), m(4, 4), bias) },
		"squared error: shapes":    func() (*gorgonia.Node, error) { return ops.SquaredError(m(2, 3), m(3, 2)) },
		"labels: not a multiple":   func() (*gorgonia.Node, error) { return ops.CrossEntropy(m(3, 4), labels) },
		"labels: columns":          func() (*gorgonia.Node, error) { return ops.CrossEntropy(m(2, 5), labels) },
		"errors: columns":          func() (*gorgonia.Node, error) { return ops.Errors(m(2, 5), labels) },
		"softmax: columns":         func() (*gorgonia.Node, error) { return ops.Softmax(m(2, 5), 2) },
		"softmax: no classes":      func() (*gorgonia.Node, error) { return ops.Softmax(m(2, 5), 0) },
	} {
		if n, err := build(); err == nil {
			t.Errorf("%s: built %v", name, n.Op())
		}
	}
}
