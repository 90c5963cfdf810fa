package cpu

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/tenfold-ml/tenfold/trainer/philox"
)

// smoothForms are the activations of recurrent layers, as they run here and in Go.
func smoothForms() map[string]struct {
	apply func(x []float32)
	truth func(x float64) float64
} {
	sigmoid := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	return map[string]struct {
		apply func(x []float32)
		truth func(x float64) float64
	}{
		"tanh": {tanhs, math.Tanh}, "tanh in Go": {tanhsGo, math.Tanh},
		"sigmoid": {sigmoids, sigmoid}, "sigmoid in Go": {sigmoidsGo, sigmoid},
	}
}

// All orders of magnitude of both signs: every so many of all float32.
func TestFastActivationsAreExact(t *testing.T) {
	t.Parallel()
	var x []float32
	for bits := uint64(0); bits < 1<<32; bits += 9973 {
		if v := math.Float32frombits(uint32(bits)); v == v {
			x = append(x, v)
		}
	}
	for i := range 20001 { // where they bend
		x = append(x, float32(i-10000)*1e-3)
	}
	for name, form := range smoothForms() {
		y := slices.Clone(x)
		form.apply(y)
		worst, at := 0.0, float32(0)
		for i, v := range x {
			truth := form.truth(float64(v))
			e := math.Abs(float64(y[i]) - truth)
			if math.Abs(truth) < 2e-38 { // near what is not a normal number
				if !(e <= 2e-38) {
					t.Errorf("%s of %v is %v, want %v", name, v, y[i], truth)
				}
			} else if e /= math.Abs(truth); !(e <= worst) {
				worst, at = e, v
			}
		}
		t.Logf("%s: the largest relative error is %.2g, at %v", name, worst, at)
		if !(worst <= 2e-7) {
			t.Errorf("%s: at %v the relative error is %.3g", name, at, worst)
		}
	}
}

func TestFastActivationsAtTheEdges(t *testing.T) {
	t.Parallel()
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	for name, form := range smoothForms() {
		for n := range 20 { // every place in a vector and after
			x := make([]float32, n+1)
			for _, v := range []float32{0, inf, -inf, nan, 1e-45, -3e38} {
				x[n] = v
				form.apply(x)
				got, want := float64(x[n]), form.truth(float64(v))
				if math.IsNaN(want) != math.IsNaN(got) || math.Abs(got-want) > 2e-38 {
					t.Errorf("%s of %v, element %d: %v, want %v", name, v, n, got, want)
				}
			}
		}
	}
	x := []float32{float32(math.Copysign(0, -1))}
	if tanhs(x); !math.Signbit(float64(x[0])) {
		t.Error("tanh(-0) has lost its sign")
	}
}

// An element's result does not depend on its place or its neighbours, so neither does a
// case's on how cases are split over threads.
func TestFastActivationsDoNotDependOnPlace(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.SliceOfN(rapid.Float32Range(-20, 20), 1, 50).Draw(t, "x")
		for name, form := range smoothForms() {
			all := slices.Clone(x)
			form.apply(all)
			for i, v := range x {
				one := []float32{v}
				if form.apply(one); one[0] != all[i] {
					t.Fatalf("%s: element %d of %d is %v, alone %v", name, i, len(x), all[i], one[0])
				}
			}
		}
	})
}

// The cell by vector instructions and the one in Go agree, for any number of units, and
// write nothing beyond their results.
func TestLSTMCells(t *testing.T) {
	t.Parallel()
	vectors, ok := vectorLSTMCell()
	if !ok {
		t.Skip("this processor has no vector form")
	}
	scalar := scalarLSTMCell[float32]{sigmoidsGo, tanhsGo}
	normals := func(stream uint64, n int) []float32 {
		z := make([]float64, n)
		philox.New(3, philox.Init, 0, stream).Normals(z)
		x := make([]float32, n)
		for i, v := range z {
			x[i] = float32(2 * v)
		}
		return x
	}
	sizes := []int{128, 150}
	for units := 1; units <= 35; units++ {
		sizes = append(sizes, units)
	}
	for _, units := range sizes {
		for _, cases := range []int{1, 3} {
			n := units * cases
			sums, before := normals(2, 4*n), normals(3, n)
			dHidden, dh, dc := normals(4, n), normals(5, n), normals(6, n)
			run := func(cell lstmCell[float32]) [][]float32 {
				const guard = 8
				active, dz, cellGrad := append(slices.Clone(sums), make([]float32, guard)...), make([]float32, 4*n+guard), append(slices.Clone(dc), make([]float32, guard)...)
				c, h := make([]float32, n+guard), make([]float32, n+guard)
				cell.forward(units, active[:4*n], before, c[:n], h[:n])
				cell.backward(units, dHidden, dh, cellGrad[:n], active[:4*n], before, c[:n], dz[:4*n])
				inPlace := slices.Clone(active[:4*n])
				cell.backward(units, dHidden, dh, slices.Clone(dc), inPlace, before, c[:n], inPlace)
				if !slices.Equal(inPlace, dz[:4*n]) {
					t.Fatalf("%d units, %d cases: in place the gradients are others", units, cases)
				}
				for i, results := range [][]float32{active[4*n:], dz[4*n:], cellGrad[n:], c[n:], h[n:]} {
					for _, v := range results {
						if v != 0 {
							t.Fatalf("%d units, %d cases: array %d is written beyond its end", units, cases, i)
						}
					}
				}
				return [][]float32{active[:4*n], c[:n], h[:n], dz[:4*n], cellGrad[:n]}
			}
			got, want := run(vectors), run(lstmCell[float32]{scalar.forward, scalar.backward})
			for i := range want {
				for j, v := range want[i] {
					if d := math.Abs(float64(got[i][j]) - float64(v)); !(d <= 3e-6*(1+math.Abs(float64(v)))) {
						t.Fatalf("%d units, %d cases, array %d, element %d: %v, in Go %v", units, cases, i, j, got[i][j], v)
					}
				}
			}
		}
	}
}

func BenchmarkFastActivations(b *testing.B) {
	for name, form := range smoothForms() {
		b.Run(name, func(b *testing.B) {
			x := make([]float32, 1<<12)
			for b.Loop() {
				for i := range x {
					x[i] = float32(i%97) * 0.1
				}
				form.apply(x)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(x)), "ns/element")
		})
	}
}
