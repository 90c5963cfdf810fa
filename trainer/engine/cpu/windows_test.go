package cpu

import (
	"slices"
	"testing"

	"github.com/tenfold-ml/tenfold/trainer/ops"
)

// Every small geometry, windows wider than the plane among them: gather copies what
// its definition says, and scatter brings each element back as often.
func TestWindowsOfSmallPlanes(t *testing.T) {
	t.Parallel()
	for height := 1; height <= 3; height++ {
		for width := 1; width <= 3; width++ {
			for size := 1; size <= 5; size++ {
				for padding := range size {
					for stride := 1; stride <= 3; stride++ {
						g := ops.Geometry{Channels: 2, Height: height, Width: width, Size: size, Padding: padding, Stride: stride}
						if g.Check() == nil {
							checkWindows(t, g)
						}
					}
				}
			}
		}
	}
}

func checkWindows(t *testing.T, g ops.Geometry) {
	t.Helper()
	w := newWindows(g)
	x := make([]float64, w.inputs)
	for i := range x {
		x[i] = float64(i + 1)
	}
	want, often := make([]float64, w.taps*w.positions), make([]float64, w.inputs)
	for i := range want {
		tap, position := i/w.positions, i%w.positions
		kx, ky, c := tap%g.Size, tap/g.Size%g.Size, tap/g.Size/g.Size
		row, column := position/w.ow*g.Stride+ky-g.Padding, position%w.ow*g.Stride+kx-g.Padding
		if row >= 0 && row < g.Height && column >= 0 && column < g.Width {
			at := (c*g.Height+row)*g.Width + column
			want[i] = x[at]
			often[at]++
		}
	}
	got := slices.Repeat([]float64{-1}, len(want))
	gather(&w, x, got, 0, w.oh)
	if !slices.Equal(got, want) {
		t.Errorf("%v: gathered %v, want %v", g, got, want)
	}
	ones, back := slices.Repeat([]float64{1}, len(want)), make([]float64, w.inputs)
	scatter(&w, ones, back, 0, w.oh)
	if !slices.Equal(back, often) {
		t.Errorf("%v: scattered %v, want %v", g, back, often)
	}
}
