package ops_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/tenfold-ml/tenfold/trainer/ops"
)

// windowCases are convolutions and pools of all sorts.
func windowCases() []gradientCase {
	var cases []gradientCase
	for _, g := range []ops.Geometry{
		{Channels: 1, Height: 5, Width: 5, Size: 3, Stride: 1},
		{Channels: 2, Height: 4, Width: 5, Size: 3, Stride: 1, Padding: 1},
		{Channels: 3, Height: 6, Width: 5, Size: 3, Stride: 2, Padding: 1},
		{Channels: 2, Height: 4, Width: 3, Size: 2, Stride: 1},
		{Channels: 2, Height: 3, Width: 4, Size: 1, Stride: 3},
		{Channels: 1, Height: 7, Width: 6, Size: 5, Stride: 3, Padding: 2},
	} {
		for _, a := range []ops.Activation{ops.Identity, ops.ReLU, ops.Tanh} {
			cases = append(cases, gradientCase{
				fmt.Sprintf("conv %v %v", a, g), [][]int{{3, g.Inputs()}, {4, g.Channels, g.Size, g.Size}, {4}},
				func(in gorgonia.Nodes) (*gorgonia.Node, error) { return ops.Conv(in[0], in[1], in[2], g, a) },
				nil, []int{0, 1, 2},
			})
		}
	}
	for _, g := range []ops.Geometry{
		{Channels: 2, Height: 4, Width: 6, Size: 2, Stride: 2},
		{Channels: 3, Height: 5, Width: 7, Size: 2, Stride: 2},
		{Channels: 2, Height: 7, Width: 6, Size: 3, Stride: 2},
		{Channels: 1, Height: 8, Width: 9, Size: 2, Stride: 3},
		{Channels: 1, Height: 4, Width: 3, Size: 3, Stride: 3},
	} {
		for _, a := range []ops.Activation{ops.Identity, ops.ReLU, ops.Sigmoid} {
			cases = append(cases, gradientCase{
				fmt.Sprintf("pool %v %v", a, g), [][]int{{3, g.Inputs()}},
				func(in gorgonia.Nodes) (*gorgonia.Node, error) { return ops.MaxPool(in[0], g, a) },
				nil, []int{0},
			})
		}
	}
	return cases
}

func TestConvolutionByHand(t *testing.T) {
	t.Parallel()
	g := ops.Geometry{Channels: 1, Height: 3, Width: 3, Size: 2, Stride: 1}
	build := func(in gorgonia.Nodes) (*gorgonia.Node, error) { return ops.Conv(in[0], in[1], in[2], g, ops.ReLU) }
	x := floatMatrix(1, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9)
	w := tensor.New(tensor.WithShape(2, 1, 2, 2), tensor.WithBacking([]float64{1, 0, 0, 1, 0, -1, 0, 0}))
	b := tensor.New(tensor.WithShape(2), tensor.WithBacking([]float64{0.5, 3}))
	want := []float64{6.5, 8.5, 12.5, 14.5, 1, 0, 0, 0}
	if got := numbers(apply(t, build, x, w, b)); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestMaxPoolByHand(t *testing.T) {
	t.Parallel()
	g := ops.Geometry{Channels: 1, Height: 2, Width: 5, Size: 2, Stride: 2}
	build := func(in gorgonia.Nodes) (*gorgonia.Node, error) { return ops.MaxPool(in[0], g, ops.ReLU) }
	x := floatMatrix(1, 10, 1, 2, -3, -4, 9, 0, 2, -5, -6, 9)
	y := apply(t, build, x)
	if got, want := numbers(y), []float64{2, 0}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	// Of two largest the first has the gradient, and what no window sees has none.
	graph := gorgonia.NewGraph()
	node, dy := leaf(graph, "x", x), leaf(graph, "dy", floatMatrix(1, 2, 10, 20))
	out, err := ops.MaxPool(node, g, ops.Identity)
	if err != nil {
		t.Fatal(err)
	}
	grads, err := out.Op().(gorgonia.SDOp).SymDiff(gorgonia.Nodes{node}, out, dy)
	if err != nil {
		t.Fatal(err)
	}
	v, err := grads[0].Op().Do(dy.Value(), x)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := numbers(v), []float64{0, 10, 20, 0, 0, 0, 0, 0, 0, 0}; !slices.Equal(got, want) {
		t.Errorf("gradient %v, want %v", got, want)
	}
}

func TestGeometriesThatCannotBe(t *testing.T) {
	t.Parallel()
	graph := gorgonia.NewGraph()
	x := gorgonia.NewMatrix(graph, tensor.Float32, gorgonia.WithShape(2, 12), gorgonia.WithName("x"))
	w := gorgonia.NewTensor(graph, tensor.Float32, 4, gorgonia.WithShape(5, 1, 2, 2), gorgonia.WithName("w"))
	b := gorgonia.NewVector(graph, tensor.Float32, gorgonia.WithShape(5), gorgonia.WithName("b"))
	for want, g := range map[string]ops.Geometry{
		"a window of 4 on planes of 3×4":      {Channels: 1, Height: 3, Width: 4, Size: 4, Stride: 1},
		"a window of 2 with a stride of 0":    {Channels: 1, Height: 3, Width: 4, Size: 2},
		"a padding of 2 for a window of 2":    {Channels: 1, Height: 3, Width: 4, Size: 2, Stride: 1, Padding: 2},
		"a padding of -1":                     {Channels: 1, Height: 3, Width: 4, Size: 2, Stride: 1, Padding: -1},
		"planes of 0×3×4":                     {Height: 3, Width: 4, Size: 2, Stride: 1},
		"shapes (2, 12), (5, 1, 2, 2) and (5": {Channels: 2, Height: 3, Width: 2, Size: 2, Stride: 1},
	} {
		if _, err := ops.Conv(x, w, b, g, ops.ReLU); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: error %v, want one with %q", g, err, want)
		}
	}
	if _, err := ops.MaxPool(x, ops.Geometry{Channels: 1, Height: 3, Width: 4, Size: 2, Stride: 1, Padding: 1}, ops.ReLU); err == nil {
		t.Error("max-pool with padding is built")
	}
}
