package ops_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/tenfold-ml/tenfold/trainer/ops"
)

func floatMatrix(rows, cols int, values ...float64) *tensor.Dense {
	return tensor.New(tensor.WithShape(rows, cols), tensor.WithBacking(values))
}

func labelVector(labels ...int32) *tensor.Dense {
	return tensor.New(tensor.WithShape(len(labels)), tensor.WithBacking(labels))
}

// apply builds a node of leaves and runs its operation.
func apply(t *testing.T, build func(in gorgonia.Nodes) (*gorgonia.Node, error), values ...gorgonia.Value) gorgonia.Value {
	t.Helper()
	g := gorgonia.NewGraph()
	var in gorgonia.Nodes
	for i, v := range values {
		in = append(in, leaf(g, string(rune('a'+i)), v))
	}
	n, err := build(in)
	if err != nil {
		t.Fatal(err)
	}
	v, err := n.Op().Do(values...)
	if err != nil {
		t.Fatal(err)
	}
	if !n.Shape().Eq(v.Shape()) {
		t.Errorf("%v: the node has shape %v, its value %v", n.Op(), n.Shape(), v.Shape())
	}
	return v
}

func TestDenseByHand(t *testing.T) {
	t.Parallel()
	x, w := floatMatrix(2, 2, 1, 2, 3, 4), floatMatrix(2, 2, 1, -1, 1, -2)
	b := tensor.New(tensor.WithShape(2), tensor.WithBacking([]float64{0.5, 1}))
	for a, want := range map[ops.Activation][]float64{
		ops.Identity: {3.5, -4, 7.5, -10},
		ops.ReLU:     {3.5, 0, 7.5, 0},
	} {
		v := apply(t, func(in gorgonia.Nodes) (*gorgonia.Node, error) { return ops.Dense(in[0], in[1], in[2], a) }, x, w, b)
		if got := numbers(v); !slices.Equal(got, want) {
			t.Errorf("%v: %v, want %v", a, got, want)
		}
	}
}

func TestActivationsByHand(t *testing.T) {
	t.Parallel()
	one, none := floatMatrix(1, 1, 1), tensor.New(tensor.WithShape(1), tensor.WithBacking([]float64{0}))
	for a, want := range map[string][3]float64{ // at -1, 0 and 2
		"identity": {-1, 0, 2}, "relu": {0, 0, 2},
		"tanh": {-0.7615941559557649, 0, 0.9640275800758169}, "sigmoid": {0.2689414213699951, 0.5, 0.8807970779778825},
	} {
		activation, err := ops.ParseActivation(a)
		if err != nil || activation.String() != a {
			t.Errorf("ParseActivation(%q) = %v, %v", a, activation, err)
		}
		v := apply(t, func(in gorgonia.Nodes) (*gorgonia.Node, error) { return ops.Dense(in[0], in[1], in[2], activation) },
			floatMatrix(3, 1, -1, 0, 2), one, none)
		for i, got := range numbers(v) {
			if math.Abs(got-want[i]) > 1e-15 {
				t.Errorf("%s: element %d is %v, want %v", a, i, got, want[i])
			}
		}
	}
	if a, err := ops.ParseActivation("gelu"); err == nil {
		t.Errorf("gelu is %v", a)
	}
}

func TestCrossEntropyByHand(t *testing.T) {
	t.Parallel()
	build := func(in gorgonia.Nodes) (*gorgonia.Node, error) { return ops.CrossEntropy(in[0], in[1]) }
	// Row 0: even odds of two. Row 1: beyond the range of exp.
	v := apply(t, build, floatMatrix(2, 2, 0, 0, 2000, 0), labelVector(0, 1))
	if got, want := numbers(v)[0], (math.Ln2+2000)/2; math.Abs(got-want) > 1e-12*want {
		t.Errorf("loss %v, want %v", got, want)
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	nan := math.NaN()
	build := func(in gorgonia.Nodes) (*gorgonia.Node, error) { return ops.Errors(in[0], in[1]) }
	for _, c := range []struct {
		name  string
		row   []float64
		label int32
		wrong float64
	}{
		{"largest", []float64{1, 3, 2}, 1, 0},
		{"not largest", []float64{1, 3, 2}, 2, 1},
		{"tie, first", []float64{3, 3, 2}, 0, 0},
		{"tie, second", []float64{3, 3, 2}, 1, 1},
		{"NaN elsewhere", []float64{3, nan, 2}, 0, 1},
		{"NaN itself", []float64{3, nan, 2}, 1, 1},
	} {
		if got := numbers(apply(t, build, floatMatrix(1, 3, c.row...), labelVector(c.label)))[0]; got != c.wrong {
			t.Errorf("%s: %v errors, want %v", c.name, got, c.wrong)
		}
	}
}

func TestSoftmaxIsADistribution(t *testing.T) {
	t.Parallel()
	v := apply(t, func(in gorgonia.Nodes) (*gorgonia.Node, error) { return ops.Softmax(in[0], 3) }, floatMatrix(2, 3, 0, math.Log(2), math.Log(5), 1e4, 0, -1e4))
	want := []float64{.125, .25, .625, 1, 0, 0}
	for i, p := range numbers(v) {
		if math.Abs(p-want[i]) > 1e-12 {
			t.Errorf("probability %d is %v, want %v", i, p, want[i])
		}
	}
}

// dropped returns dropout of n ones, as a row.
func dropped(t *testing.T, n int, p float64, seed uint64, layer uint32, step int64) []float64 {
	t.Helper()
	ones := slices.Repeat([]float64{1}, n)
	return numbers(apply(t, func(in gorgonia.Nodes) (*gorgonia.Node, error) { return ops.Dropout(in[0], in[1], p, seed, layer) },
		floatMatrix(1, n, ones...), tensor.New(tensor.WithShape(1), tensor.WithBacking([]int64{step}))))
}

func TestDropoutStatistics(t *testing.T) {
	t.Parallel()
	const n = 1 << 16
	for _, p := range []float64{0, 0.1, 0.5, 0.8} {
		y := dropped(t, n, p, 1, 0, 0)
		zeros, sum, pairs := 0.0, 0.0, 0.0
		for i, v := range y {
			sum += v
			if v == 0 {
				zeros++
				if i > 0 && y[i-1] == 0 {
					pairs++
				}
			} else if math.Abs(v-1/(1-p)) > 1e-4 {
				t.Fatalf("p = %v: a kept element is %v, want %v", p, v, 1/(1-p))
			}
		}
		se := math.Sqrt(p * (1 - p) / n)
		if math.Abs(zeros/n-p) > 5*se {
			t.Errorf("p = %v: %v are dropped", p, zeros/n)
		}
		if math.Abs(sum/n-1) > 5*se/(1-p) {
			t.Errorf("p = %v: the mean is %v, want 1", p, sum/n)
		}
		if math.Abs(pairs/n-p*p) > 5*p/math.Sqrt(n) {
			t.Errorf("p = %v: neighbours are dropped together in %v, want %v", p, pairs/n, p*p)
		}
	}
}

func TestMaskIsAFunctionOfSeedLayerStepAndIndex(t *testing.T) {
	t.Parallel()
	base := dropped(t, 200, 0.5, 1, 2, 3)
	if !slices.Equal(base, dropped(t, 200, 0.5, 1, 2, 3)) {
		t.Error("the same mask differs")
	}
	if !slices.Equal(base[:77], dropped(t, 77, 0.5, 1, 2, 3)) {
		t.Error("the mask depends on the number of elements")
	}
	for name, other := range map[string][]float64{
		"seed": dropped(t, 200, 0.5, 2, 2, 3), "layer": dropped(t, 200, 0.5, 1, 1, 3), "step": dropped(t, 200, 0.5, 1, 2, 4),
	} {
		same := 0
		for i := range base {
			if base[i] == other[i] {
				same++
			}
		}
		if same < 60 || same > 140 { // 100 ± 7
			t.Errorf("another %s: %d of 200 elements agree, want about half", name, same)
		}
	}
}

func TestNodesThatCannotBe(t *testing.T) {
	t.Parallel()
	g := gorgonia.NewGraph()
	matrix := func(name string, r, c int) *gorgonia.Node {
		return gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithShape(r, c), gorgonia.WithName(name))
	}
	vector := func(name string, dtype tensor.Dtype, n int) *gorgonia.Node {
		return gorgonia.NewVector(g, dtype, gorgonia.WithShape(n), gorgonia.WithName(name))
	}
	x, w, b := matrix("x", 2, 3), matrix("w", 3, 4), vector("b", tensor.Float32, 4)
	labels, step := vector("labels", tensor.Int32, 2), vector("step", tensor.Int64, 1)
	for name, build := range map[string]func() (*gorgonia.Node, error){
		"inner sizes":       func() (*gorgonia.Node, error) { return ops.Dense(x, matrix("w2", 4, 4), b, ops.ReLU) },
		"bias":              func() (*gorgonia.Node, error) { return ops.Dense(x, w, vector("b2", tensor.Float32, 3), ops.ReLU) },
		"types":             func() (*gorgonia.Node, error) { return ops.Dense(x, w, vector("b3", tensor.Float64, 4), ops.ReLU) },
		"number of labels":  func() (*gorgonia.Node, error) { return ops.CrossEntropy(x, vector("l2", tensor.Int32, 3)) },
		"labels' type":      func() (*gorgonia.Node, error) { return ops.CrossEntropy(x, vector("l3", tensor.Float32, 2)) },
		"errors' labels":    func() (*gorgonia.Node, error) { return ops.Errors(x, vector("l4", tensor.Int32, 1)) },
		"softmax of labels": func() (*gorgonia.Node, error) { return ops.Softmax(labels, 2) },
		"p = 1":             func() (*gorgonia.Node, error) { return ops.Dropout(x, step, 1, 0, 0) },
		"p < 0":             func() (*gorgonia.Node, error) { return ops.Dropout(x, step, -0.1, 0, 0) },
		"p is NaN":          func() (*gorgonia.Node, error) { return ops.Dropout(x, step, math.NaN(), 0, 0) },
		"two steps":         func() (*gorgonia.Node, error) { return ops.Dropout(x, vector("s2", tensor.Int64, 2), 0.5, 0, 0) },
	} {
		if n, err := build(); err == nil {
			t.Errorf("%s: built %v", name, n.Op())
		}
	}
}

func TestLabelsOutOfRange(t *testing.T) {
	t.Parallel()
	g := gorgonia.NewGraph()
	x, labels := floatMatrix(1, 2, 1, 2), labelVector(2)
	n, err := ops.CrossEntropy(leaf(g, "x", x), leaf(g, "labels", labels))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Op().Do(x, labels); err == nil || !strings.Contains(err.Error(), "label 2 of row 0") {
		t.Errorf("error %v, want one that names the label", err)
	}
}
