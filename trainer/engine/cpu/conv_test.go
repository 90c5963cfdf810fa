package cpu

import (
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
	"pgregory.net/rapid"

	"github.com/tenfold-ml/tenfold/trainer/engine"
	"github.com/tenfold-ml/tenfold/trainer/ops"
)

func drawGeometry(t *rapid.T, padded bool) ops.Geometry {
	g := ops.Geometry{
		Channels: rapid.IntRange(1, 4).Draw(t, "channels"), Height: rapid.IntRange(1, 11).Draw(t, "height"), Width: rapid.IntRange(1, 11).Draw(t, "width"),
		Stride: rapid.IntRange(1, 4).Draw(t, "stride"),
	}
	if !padded {
		g.Size = rapid.IntRange(1, min(g.Height, g.Width, 4)).Draw(t, "size")
		return g
	}
	g.Size = rapid.IntRange(1, 5).Draw(t, "size")
	g.Padding = rapid.IntRange(0, g.Size-1).Draw(t, "padding")
	for g.Check() != nil {
		g.Size--
		g.Padding = min(g.Padding, g.Size-1)
	}
	return g
}

// Kernels of convolutions and pools give what the references give, for any geometry.
func TestWindowKernelsAgreeWithReferences(t *testing.T) {
	t.Parallel()
	var all []*Backend
	for _, threads := range []int{1, 2, 3} {
		all = append(all, backends(t, threads)...)
	}
	rapid.Check(t, func(t *rapid.T) {
		padded := rapid.Bool().Draw(t, "conv")
		g := drawGeometry(t, padded)
		a := rapid.SampledFrom([]ops.Activation{ops.Identity, ops.ReLU, ops.Tanh}).Draw(t, "activation")
		b := all[rapid.IntRange(0, len(all)-1).Draw(t, "backend")]
		t.Log(b.Name(), g)
		s := sizes{rows: rapid.IntRange(1, 20).Draw(t, "rows"), cols: rapid.IntRange(1, 5).Draw(t, "filters")}
		dtype := rapid.SampledFrom([]tensor.Dtype{tensor.Float32, tensor.Float64}).Draw(t, "type")
		checkKernel(t, b, dtype, s, func(s sizes, next func(string, ...int) *gorgonia.Node, _, _ *gorgonia.Node) ([]*gorgonia.Node, error) {
			in := gorgonia.Nodes{next("x", s.rows, g.Inputs())}
			var y *gorgonia.Node
			var err error
			if padded {
				in = append(in, next("w", s.cols, g.Channels, g.Size, g.Size), next("b", s.cols))
				y, err = ops.Conv(in[0], in[1], in[2], g, a)
			} else {
				y, err = ops.MaxPool(in[0], g, a)
			}
			if err != nil {
				return nil, err
			}
			grads, err := y.Op().(gorgonia.SDOp).SymDiff(in, y, next("dy", y.Shape()...))
			return append(grads, y), err
		})
	})
}

// What is too large to be written out at once is computed in bands, and the number
// of threads does not change a bit.
func TestConvolutionInBandsAndThreads(t *testing.T) {
	t.Parallel()
	g := ops.Geometry{Channels: 64, Height: 48, Width: 40, Size: 3, Stride: 1, Padding: 1}
	run := func(b *Backend, g ops.Geometry) [][]float64 {
		graph := gorgonia.NewGraph()
		next := func(name string, stream uint64, shape ...int) *gorgonia.Node {
			return gorgonia.NewTensor(graph, tensor.Float32, len(shape), gorgonia.WithName(name), gorgonia.WithShape(shape...),
				gorgonia.WithValue(normal(tensor.Float32, stream, shape...)))
		}
		in := gorgonia.Nodes{next("x", 1, 3, g.Inputs()), next("w", 2, 5, g.Channels, g.Size, g.Size), next("b", 3, 5)}
		y, err := ops.Conv(in[0], in[1], in[2], g, ops.ReLU)
		if err != nil {
			t.Fatal(err)
		}
		grads, err := y.Op().(gorgonia.SDOp).SymDiff(in, y, next("dy", 4, y.Shape()...))
		if err != nil {
			t.Fatal(err)
		}
		nodes := append(grads, y)
		var results []engine.Result
		for _, n := range nodes {
			results = append(results, engine.Result{Node: n})
		}
		program, err := engine.Compile(b, results...)
		if err != nil {
			t.Fatal(err)
		}
		if err := program.RunAll(); err != nil {
			t.Fatal(err)
		}
		var values [][]float64
		for _, n := range nodes {
			values = append(values, floats(t, n.Value()))
		}
		if err := program.Close(); err != nil {
			t.Fatal(err)
		}
		return values
	}
	if c := newConvolver[float32](&executable{backend: backends(t, 1)[0]}, nil, g, 3, 5); c.band >= c.oh || c.band < 1 {
		t.Fatalf("bands of %d rows of %d: the case is too small to test them", c.band, c.oh)
	}
	two := backends(t, 2)
	for i, one := range backends(t, 1) {
		got, want := run(two[i], g), run(one, g)
		for j := range want {
			for k := range want[j] {
				if got[j][k] != want[j][k] {
					t.Fatalf("%s: result %d, element %d: %v with two threads, %v with one", one.Name(), j, k, got[j][k], want[j][k])
				}
			}
		}
		checkBands(t, want, g)
	}
}

// checkBands compares a few elements with sums written out here.
func checkBands(t *testing.T, got [][]float64, g ops.Geometry) {
	x, w, b := normal(tensor.Float64, 1, 3, g.Inputs()).Data().([]float64), normal(tensor.Float64, 2, 5, g.Taps()).Data().([]float64), normal(tensor.Float64, 3, 5).Data().([]float64)
	for _, at := range [][4]int{{0, 0, 0, 0}, {1, 4, 23, 17}, {2, 2, 47, 39}, {2, 3, 12, 0}, {0, 1, 11, 39}} {
		row, k, oy, ox := at[0], at[1], at[2], at[3]
		sum := b[k]
		for c := range g.Channels {
			for ky := range 3 {
				for kx := range 3 {
					y, xx := oy+ky-1, ox+kx-1
					if y >= 0 && y < g.Height && xx >= 0 && xx < g.Width {
						sum += w[k*g.Taps()+(c*3+ky)*3+kx] * x[row*g.Inputs()+(c*g.Height+y)*g.Width+xx]
					}
				}
			}
		}
		if v := got[3][(row*5+k)*g.Positions()+oy*g.Width+ox]; v-max(sum, 0) > 1e-3 || v-max(sum, 0) < -1e-3 {
			t.Errorf("element %v is %v, want %v", at, v, max(sum, 0))
		}
	}
}
