package ops_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/tenfold-ml/tenfold/trainer/engine"
	"github.com/tenfold-ml/tenfold/trainer/engine/cpu"
	"github.com/tenfold-ml/tenfold/trainer/ops"
	"github.com/tenfold-ml/tenfold/trainer/philox"
)

// gradientCase is an operation with operands of which the first wrt are floats.
type gradientCase struct {
	name   string
	shapes [][]int // of the float operands
	build  func(in gorgonia.Nodes) (*gorgonia.Node, error)
	extra  []gorgonia.Value // further operands, which have no gradient
	wrt    []int            // the operands to check
}

func gradientCases() []gradientCase {
	labels := tensor.New(tensor.WithShape(4), tensor.WithBacking([]int32{2, 0, 1, 2}))
	step := tensor.New(tensor.WithShape(1), tensor.WithBacking([]int64{3}))
	dense := func(a ops.Activation) func(gorgonia.Nodes) (*gorgonia.Node, error) {
		return func(in gorgonia.Nodes) (*gorgonia.Node, error) { return ops.Dense(in[0], in[1], in[2], a) }
	}
	cases := []gradientCase{
		{"linear", [][]int{{4, 5}, {5, 3}, {3}}, dense(ops.Identity), nil, []int{0, 1, 2}},
		{"linear with relu", [][]int{{4, 5}, {5, 3}, {3}}, dense(ops.ReLU), nil, []int{0, 1, 2}},
		{"linear with tanh", [][]int{{4, 5}, {5, 3}, {3}}, dense(ops.Tanh), nil, []int{0, 1, 2}},
		{"linear with sigmoid", [][]int{{4, 5}, {5, 3}, {3}}, dense(ops.Sigmoid), nil, []int{0, 1, 2}},
		{"one row, one unit", [][]int{{1, 5}, {5, 1}, {1}}, dense(ops.ReLU), nil, []int{0, 1, 2}},
		{
			"cross-entropy", [][]int{{4, 3}},
			func(in gorgonia.Nodes) (*gorgonia.Node, error) { return ops.CrossEntropy(in[0], in[1]) },
			[]gorgonia.Value{labels}, []int{0},
		},
		{
			"dropout", [][]int{{5, 7}},
			func(in gorgonia.Nodes) (*gorgonia.Node, error) { return ops.Dropout(in[0], in[1], 0.4, 9, 1) },
			[]gorgonia.Value{step}, []int{0},
		},
	}
	return slices.Concat(cases, windowCases(), sequenceCases())
}

// Symbolic gradients, run by Gorgonia's tape machine on the references and by the
// cpu engine on its kernels, agree with central differences in float64.
func TestGradientsAgainstFiniteDifferences(t *testing.T) {
	t.Parallel()
	b, err := cpu.New(cpu.Options{BLAS: cpu.Gonum})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, c := range gradientCases() {
		t.Run(c.name, func(t *testing.T) {
			g := gorgonia.NewGraph()
			var in gorgonia.Nodes
			var values []gorgonia.Value
			for i, shape := range c.shapes {
				values = append(values, normals(uint64(i), shape...))
				in = append(in, leaf(g, fmt.Sprintf("in%d", i), values[i]))
			}
			for i, v := range c.extra {
				values = append(values, v)
				in = append(in, leaf(g, fmt.Sprintf("extra%d", i), v))
			}
			out, err := c.build(in)
			if err != nil {
				t.Fatal(err)
			}
			// The objective is Σ out·weights, whose gradient by out is weights.
			weights := gorgonia.Value(gorgonia.NewF64(0.7))
			gradOut := gorgonia.NewScalar(g, tensor.Float64, gorgonia.WithName("grad"), gorgonia.WithValue(0.7))
			if !out.IsScalar() {
				weights = normals(99, out.Shape()...)
				gradOut = leaf(g, "grad", weights)
			}
			grads, err := out.Op().(gorgonia.SDOp).SymDiff(in, out, gradOut)
			if err != nil {
				t.Fatal(err)
			}
			objective := func() float64 {
				v, err := out.Op().Do(values...)
				if err != nil {
					t.Fatal(err)
				}
				sum := 0.0
				w := numbers(weights)
				for i, x := range numbers(v) {
					sum += x * w[i]
				}
				return sum
			}
			want := map[int][]float64{}
			for _, i := range c.wrt {
				want[i] = centralDifferences(values[i].Data().([]float64), objective)
			}
			var results []engine.Result
			for _, i := range c.wrt {
				results = append(results, engine.Result{Node: grads[i]})
			}
			tape := gorgonia.NewTapeMachine(g)
			if err := tape.RunAll(); err != nil {
				t.Fatal(err)
			}
			for _, i := range c.wrt {
				compare(t, fmt.Sprintf("tape machine, operand %d", i), numbers(grads[i].Value()), want[i])
			}
			if err := tape.Close(); err != nil {
				t.Fatal(err)
			}
			program, err := engine.Compile(b, results...)
			if err != nil {
				t.Fatal(err)
			}
			if err := program.RunAll(); err != nil {
				t.Fatal(err)
			}
			for _, i := range c.wrt {
				compare(t, fmt.Sprintf("engine, operand %d", i), numbers(grads[i].Value()), want[i])
			}
			if err := program.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// centralDifferences is exact to about 1e-9 here: the objectives have third
// derivatives of size 1, and a step of 1e-5 loses 1e-11 to rounding.
func centralDifferences(x []float64, f func() float64) []float64 {
	const h = 1e-5
	d := make([]float64, len(x))
	for i, v := range x {
		x[i] = v + h
		up := f()
		x[i] = v - h
		down := f()
		x[i] = v
		d[i] = (up - down) / (2 * h)
	}
	return d
}

func compare(t *testing.T, what string, got, want []float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d numbers, want %d", what, len(got), len(want))
		return
	}
	for i := range want {
		if !(math.Abs(got[i]-want[i]) <= 1e-8*(1+math.Abs(want[i]))) {
			t.Errorf("%s: derivative %d is %v, want %v", what, i, got[i], want[i])
		}
	}
}

func leaf(g *gorgonia.ExprGraph, name string, v gorgonia.Value) *gorgonia.Node {
	return gorgonia.NewTensor(g, v.Dtype(), len(v.Shape()), gorgonia.WithName(name), gorgonia.WithShape(v.Shape()...), gorgonia.WithValue(v))
}

func normals(stream uint64, shape ...int) *tensor.Dense {
	z := make([]float64, tensor.Shape(shape).TotalSize())
	philox.New(2, philox.Init, 0, stream).Normals(z)
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(z))
}

func numbers(v gorgonia.Value) []float64 {
	switch d := v.Data().(type) {
	case []float64:
		return d
	case float64:
		return []float64{d}
	}
	panic(fmt.Sprintf("a value of %T", v.Data()))
}
