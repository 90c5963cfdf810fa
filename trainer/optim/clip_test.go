package optim_test

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/tenfold-ml/tenfold/trainer/engine"
	"github.com/tenfold-ml/tenfold/trainer/optim"
)

func gradients(grads ...[]float32) []engine.Param {
	params := make([]engine.Param, len(grads))
	for i, g := range grads {
		params[i] = engine.Param{Name: string(rune('a' + i)), Shape: []int{len(g)}, Value: make([]float32, len(g)), Grad: g}
	}
	return params
}

func TestClipNorm(t *testing.T) {
	t.Parallel()
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	for _, c := range []struct {
		name    string
		grads   [][]float32
		limit   float64
		norm    float64
		clipped bool
		want    [][]float32
	}{
		{"global, not per array", [][]float32{{3, 0}, {0, 4}}, 2.5, 5, true, [][]float32{{1.5, 0}, {0, 2}}},
		{"below the limit", [][]float32{{3}, {4}}, 6, 5, false, [][]float32{{3}, {4}}},
		{"at the limit", [][]float32{{3}, {4}}, 5, 5, false, [][]float32{{3}, {4}}},
		{"no limit", [][]float32{{300}, {400}}, 0, 500, false, [][]float32{{300}, {400}}},
		{"zero", [][]float32{{0, 0}}, 1, 0, false, [][]float32{{0, 0}}},
		{"nothing", nil, 1, 0, false, nil},
		{"infinite", [][]float32{{inf, 1}}, 1, math.Inf(1), false, [][]float32{{inf, 1}}},
		{"squares beyond float32", [][]float32{{3e30}, {4e30}}, 5, 5e30, true, [][]float32{{3}, {4}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			params := gradients(c.grads...)
			norm, clipped := optim.ClipNorm(params, c.limit)
			if relative := math.Abs(norm-c.norm) / max(c.norm, 1); norm != c.norm && !(relative < 1e-7) || clipped != c.clipped {
				t.Errorf("ClipNorm = %v, %v, want %v, %v", norm, clipped, c.norm, c.clipped)
			}
			for i, p := range params {
				for j, g := range p.Grad {
					if w := c.want[i][j]; g != w && math.Abs(float64(g-w)) > 1e-6*math.Abs(float64(w)) {
						t.Errorf("gradient %d of array %d is %v, want %v", j, i, g, w)
					}
				}
			}
		})
	}
	if norm, clipped := optim.ClipNorm(gradients([]float32{nan, 1}), 1); !math.IsNaN(norm) || clipped {
		t.Errorf("ClipNorm of NaN = %v, %v, want NaN, false", norm, clipped)
	}
}

// Whatever the gradients: the norm is theirs, the result's norm is the limit at
// most, and the direction is kept.
func TestClipNormIsExact(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		g := rapid.SliceOf(rapid.Float32Range(-1e6, 1e6)).Draw(t, "gradient")
		limit := rapid.Float64Range(1e-3, 1e6).Draw(t, "limit")
		before := slices.Clone(g)
		split := rapid.IntRange(0, len(g)).Draw(t, "split")
		norm, clipped := optim.ClipNorm(gradients(g[:split], g[split:]), limit)
		if want := l2(before); math.Abs(norm-want) > 1e-12*want {
			t.Fatalf("norm %v, want %v", norm, want)
		}
		if clipped != (norm > limit) {
			t.Fatalf("clipped = %v for a norm of %v and a limit of %v", clipped, norm, limit)
		}
		if !clipped {
			if !slices.Equal(g, before) {
				t.Fatal("gradients changed without clipping")
			}
			return
		}
		// Results may underflow to zero, so the tolerance is also absolute.
		if after := l2(g); math.Abs(after-limit) > 1e-6*limit {
			t.Fatalf("norm after clipping %v, want %v", after, limit)
		}
		for i := range g {
			if want := float64(before[i]) * limit / norm; math.Abs(float64(g[i])-want) > 1e-6*math.Abs(want)+1e-40 {
				t.Fatalf("gradient %d is %v, want %v", i, g[i], want)
			}
		}
	})
}

func l2(x []float32) float64 {
	sum := 0.0
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return math.Sqrt(sum)
}

func BenchmarkClipNorm(b *testing.B) {
	g := make([]float32, 118282)
	for i := range g {
		g[i] = float32(i%100) * 1e-3
	}
	params := gradients(g)
	b.SetBytes(int64(4 * len(g)))
	for b.Loop() {
		optim.ClipNorm(params, 0)
	}
}
