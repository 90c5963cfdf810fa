package cpu

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// trickyFloats draws n numbers among which ties, zeros of both signs, infinities and
// what is not a number are common.
func trickyFloats(t *rapid.T, n int, name string) []float32 {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	tricky := rapid.OneOf(
		rapid.SampledFrom([]float32{0, float32(math.Copysign(0, -1)), 1, -1, 2, inf, -inf, nan, 1e-45, -3e38}),
		rapid.Float32Range(-3, 3),
	)
	plain := rapid.Map(rapid.IntRange(-3, 3), func(i int) float32 { return float32(i) })
	return rapid.SliceOfN(rapid.SampledFrom([]*rapid.Generator[float32]{tricky, plain}).Draw(t, "kind of "+name), n, n).Draw(t, name)
}

// sameBits reports whether x and y are the same, zeros' signs included. One NaN is as
// good as another.
func sameBits(x, y []float32) bool {
	return slices.EqualFunc(x, y, func(a, b float32) bool {
		return math.Float32bits(a) == math.Float32bits(b) || a != a && b != b
	})
}

// guarded returns a copy of x with numbers after it that nobody should write.
func guarded(x []float32) []float32 {
	return append(slices.Clone(x), slices.Repeat([]float32{77}, 16)...)
}

// The forms of halving give the same bits, of any width, and write nothing else.
func TestHalvingForms(t *testing.T) {
	t.Parallel()
	vectors, ok := vectorHalving()
	if !ok {
		t.Skip("this processor has no vector form")
	}
	rapid.Check(t, func(t *rapid.T) {
		rows, width := rapid.IntRange(1, 4).Draw(t, "rows"), rapid.IntRange(2, 45).Draw(t, "width")
		out := width / 2
		relu := rapid.Bool().Draw(t, "relu")
		x, dz := trickyFloats(t, 2*rows*width, "x"), trickyFloats(t, rows*out, "dz")
		forms := []halving[float32]{{halve[float32], halveGrad[float32]}, vectors}
		var results [2][3][]float32
		for i, form := range forms {
			y, dx, inPlace := guarded(make([]float32, rows*out)), guarded(make([]float32, len(x))), guarded(x)
			form.forward(x, y, rows, width, out, relu)
			form.backward(x, dx, dz, rows, width, out)
			form.backward(inPlace, inPlace, dz, rows, width, out)
			results[i] = [3][]float32{y, dx, inPlace}
		}
		for i, name := range []string{"largest", "gradient", "gradient in place"} {
			if got, want := results[1][i], results[0][i]; !sameBits(got, want) {
				t.Errorf("%s: %v, in Go %v", name, got, want)
			}
		}
		if !sameBits(results[1][1], results[1][2]) {
			t.Errorf("in place the gradient is another: %v, want %v", results[1][2], results[1][1])
		}
	})
}

// The loops that use vector instructions give the bits of those in Go.
func TestVectorLoops(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 50).Draw(t, "elements")
		x, y := trickyFloats(t, n, "x"), trickyFloats(t, n, "y")
		check := func(name string, got, want []float32) {
			if !sameBits(got, want) {
				t.Errorf("%s: %v, in Go %v", name, got, want)
			}
		}

		got, want := guarded(x), guarded(x)
		add(got, y)
		addGo(want[:n], y)
		check("add", got, want)

		got, want = guarded(x), guarded(x)
		rectify(got[:n])
		rectifyGo(want[:n])
		check("rectify", got, want)

		got, want = guarded(x), guarded(x)
		rectifyGrad(got[:n], y, got[:n])
		rectifyGradGo(want[:n], y, want[:n])
		check("rectifyGrad", got, want)

		got = guarded(x)
		fill(got[:n], 5)
		check("fill", got, guarded(slices.Repeat([]float32{5}, n)))
	})
}

func TestPlaneSums(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		size, planes := rapid.IntRange(1, 21).Draw(t, "size"), rapid.IntRange(1, 11).Draw(t, "planes")
		x := trickyFloats(t, size*planes, "x")
		got, want := slices.Repeat([]float64{1}, planes), slices.Repeat([]float64{1}, planes)
		planeSums(x, size, got)
		planeSumsGo(x, size, want)
		for i, v := range want {
			if got[i] != v && (got[i] == got[i] || v == v) {
				t.Errorf("plane %d: %v, in Go %v", i, got[i], v)
			}
		}
	})
}

func BenchmarkHalving(b *testing.B) {
	for _, width := range []int{28, 14} {
		x, y := make([]float32, width*width), make([]float32, width*width/4)
		h := newHalving[float32]()
		b.Run("forward", func(b *testing.B) {
			for b.Loop() {
				h.forward(x, y, width/2, width, width/2, true)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(x)), "ns/element")
		})
		b.Run("backward", func(b *testing.B) {
			for b.Loop() {
				h.backward(x, x, y, width/2, width, width/2)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(x)), "ns/element")
		})
	}
}
