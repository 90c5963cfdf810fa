package optim_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/trainer/engine"
	"github.com/tenfold-ml/tenfold/trainer/optim"
)

var adam = sweeps.Adam{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8}

// kinds are the optimisers to choose from.
func kinds() map[string]sweeps.Train {
	return map[string]sweeps.Train{
		"classical":           {Momentum: 0.9},
		"decayed":             {Momentum: 0.9, WeightDecay: 0.01},
		"nesterov":            {Momentum: 0.9, Nesterov: true},
		"adam":                {Optimizer: "adam", Adam: adam},
		"adamw":               {Optimizer: "adam", Adam: adam, WeightDecay: 0.1},
		"nesterov, max-norm":  {Momentum: 0.9, Nesterov: true, MaxNorm: 1},
		"classical, max-norm": {Momentum: 0.9, MaxNorm: 1},
	}
}

// matrix is a parameter of two dimensions.
func matrix(name string, rows, columns int, values ...float32) engine.Param {
	return engine.Param{Name: name, Shape: []int{rows, columns}, Value: values, Grad: make([]float32, len(values))}
}

// On ½w² the gradient is w. Sutskever's form looks ahead; ours keeps the weights
// at which it looks.
func TestNesterovAgainstSutskeversForm(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		momentum := rapid.Float64Range(0.01, 0.99).Draw(t, "momentum")
		start := rapid.Float32Range(-10, 10).Draw(t, "w")
		p := param("w", start)
		o := optim.New([]engine.Param{p}, sweeps.Train{Momentum: momentum, Nesterov: true})
		w, v := float64(start), 0.0
		for step := range 30 {
			rate := 0.1 / float64(1+step/10)
			v = momentum*v - rate*(w+momentum*v)
			w += v
			p.Grad[0] = p.Value[0]
			o.Step(rate)
			if got, want := float64(p.Value[0]), w+momentum*v; math.Abs(got-want) > 1e-4 {
				t.Fatalf("step %d: the weight is %v, want %v", step, got, want)
			}
		}
	})
}

// Adam does what its paper says, for any gradients, with and without decay.
func TestAdamAgainstTheAlgorithm(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		cfg := sweeps.Adam{
			Beta1: rapid.Float64Range(0, 0.99).Draw(t, "beta1"), Beta2: rapid.Float64Range(0.5, 0.9999).Draw(t, "beta2"),
			Epsilon: rapid.Float64Range(1e-8, 0.1).Draw(t, "epsilon"),
		}
		decay := rapid.SampledFrom([]float64{0, 0.1}).Draw(t, "decay")
		weight, bias := matrix("w", 1, 1, 1), param("b", 1)
		o := optim.New([]engine.Param{weight, bias}, sweeps.Train{Optimizer: "adam", Adam: cfg, WeightDecay: decay})
		w, b, m, v := 1.0, 1.0, 0.0, 0.0
		for step := range 20 {
			g := float64(rapid.Float32Range(-10, 10).Draw(t, "g"))
			weight.Grad[0], bias.Grad[0] = float32(g), float32(g)
			rate := 0.01 / float64(1+step/10)
			o.Step(rate)
			m, v = cfg.Beta1*m+(1-cfg.Beta1)*g, cfg.Beta2*v+(1-cfg.Beta2)*g*g
			n := float64(step + 1)
			move := rate * m / (1 - math.Pow(cfg.Beta1, n)) / (math.Sqrt(v/(1-math.Pow(cfg.Beta2, n))) + cfg.Epsilon)
			w, b = w-rate*decay*w-move, b-move
			// The moments are rounded to float32, and where they cancel the rate
			// bounds what that does.
			if math.Abs(float64(weight.Value[0])-w) > 1e-4*(1+math.Abs(w)) || math.Abs(float64(bias.Value[0])-b) > 1e-4*(1+math.Abs(b)) {
				t.Fatalf("step %d: weight %v, bias %v; want %v, %v", step, weight.Value[0], bias.Value[0], w, b)
			}
		}
	})
}

// Adam's first step is the rate, whatever the size of the gradient.
func TestAdamsFirstStep(t *testing.T) {
	t.Parallel()
	for _, g := range []float32{1e-3, 1, -1e6} {
		p := param("w", 0)
		p.Grad[0] = g
		optim.New([]engine.Param{p}, sweeps.Train{Optimizer: "adam", Adam: adam}).Step(0.01)
		if want := -math.Copysign(0.01, float64(g)); math.Abs(float64(p.Value[0])-want) > 1e-6 {
			t.Errorf("gradient %v: the step is %v, want %v", g, p.Value[0], want)
		}
	}
}

// Without a gradient, SGD's decay shrinks weights by the share rate·decay, and
// leaves biases alone.
func TestWeightDecay(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]sweeps.Train{
		"sgd": {WeightDecay: 0.5}, "nesterov": {WeightDecay: 0.5, Nesterov: true}, "adam": {Optimizer: "adam", Adam: adam, WeightDecay: 0.5},
	} {
		w, b := matrix("w", 1, 2, 2, -4), param("b", 3)
		optim.New([]engine.Param{w, b}, cfg).Step(0.1)
		if got := []float32{w.Value[0], w.Value[1], b.Value[0]}; math.Abs(float64(got[0])-1.9) > 1e-6 || math.Abs(float64(got[1])+3.8) > 1e-6 || got[2] != 3 {
			t.Errorf("%s: %v, want 1.9, -3.8 and a bias of 3", name, got)
		}
	}
}

// After every step, no unit's incoming weights are above the limit; those below
// and the biases are as they would be without.
func TestMaxNormHoldsAfterEveryStep(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.Float64Range(1e-3, 100).Draw(t, "limit")
		numbers := func(n int) []float32 {
			return rapid.SliceOfN(rapid.Float32Range(-50, 50), n, n).Draw(t, "numbers")
		}
		dense, bias := matrix("w", 3, 4, numbers(12)...), param("b", numbers(4)...)
		filters := engine.Param{Name: "f", Shape: []int{2, 1, 2, 3}, Value: numbers(12), Grad: make([]float32, 12)}
		params := []engine.Param{dense, bias, filters}
		var free []engine.Param
		for _, p := range params {
			free = append(free, engine.Param{Name: p.Name, Shape: p.Shape, Value: slices.Clone(p.Value), Grad: p.Grad})
		}
		o, without := optim.New(params, sweeps.Train{MaxNorm: limit}), optim.New(free, sweeps.Train{})
		for range 3 {
			for i, p := range params {
				copy(free[i].Value, p.Value)
				copy(p.Grad, numbers(len(p.Grad)))
			}
			o.Step(0.5)
			without.Step(0.5)
			if !slices.Equal(bias.Value, free[1].Value) {
				t.Fatal("the limit changed a bias")
			}
			for unit := range 4 {
				pick := func(p engine.Param) []float32 { return []float32{p.Value[unit], p.Value[4+unit], p.Value[8+unit]} }
				checkLimit(t, pick(dense), pick(free[0]), limit)
			}
			for unit := range 2 {
				checkLimit(t, filters.Value[6*unit:6*unit+6], free[2].Value[6*unit:6*unit+6], limit)
			}
		}
	})
}

func checkLimit(t *rapid.T, got, free []float32, limit float64) {
	norm := l2(free)
	switch {
	case l2(got) > limit:
		t.Fatalf("a norm of %v, above %v", l2(got), limit)
	case norm <= limit && !slices.Equal(got, free):
		t.Fatalf("a norm of %v, below %v, was changed", norm, limit)
	}
	for i := range got {
		if want := float64(free[i]) * min(1, limit/norm); norm > 0 && math.Abs(float64(got[i])-want) > 1e-6*limit {
			t.Fatalf("weight %d is %v, want %v", i, got[i], want)
		}
	}
}

// An optimiser that takes over parameters and state goes on bit for bit, also
// past a million steps.
func TestEveryStateRestores(t *testing.T) {
	t.Parallel()
	for name, cfg := range kinds() {
		for _, steps := range []float32{0, 1<<20 - 4} {
			run := func(interrupted bool) []float32 {
				params := []engine.Param{matrix("a", 2, 2, 1, 2, 3, 4), param("b", 4)}
				o := optim.New(params, cfg)
				if s := o.State(); s[len(s)-1].Name == "adam.steps" {
					s[len(s)-1].Data[0] = steps
				}
				for step := range 10 {
					if interrupted && step == 5 {
						saved := o.State()
						o = optim.New(params, cfg)
						for i, s := range o.State() {
							if s.Name != saved[i].Name {
								t.Fatalf("%s: state %d is %s, was %s", name, i, s.Name, saved[i].Name)
							}
							copy(s.Data, saved[i].Data)
						}
					}
					for _, p := range params {
						for i := range p.Grad {
							p.Grad[i] = p.Value[i] * float32(step)
						}
					}
					o.Step(0.05)
				}
				return slices.Concat(params[0].Value, params[1].Value)
			}
			if diff := cmp.Diff(run(false), run(true)); diff != "" {
				t.Errorf("%s from step %v: weights (-uninterrupted +restored):\n%s", name, steps, diff)
			}
		}
	}
}

// A measured step is a step, and says how far the weights moved.
func TestMeasuredStep(t *testing.T) {
	t.Parallel()
	for name, cfg := range kinds() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := []engine.Param{matrix("w", 2, 2, 0.5, -0.2, 3, 1), param("b", 0.1, 0), param("zero", 0)}
			b := []engine.Param{matrix("w", 2, 2, 0.5, -0.2, 3, 1), param("b", 0.1, 0), param("zero", 0)}
			plain, measured := optim.New(a, cfg), optim.New(b, cfg)
			for step := range 5 {
				var before [][]float32
				for i := range a {
					before = append(before, slices.Clone(a[i].Value))
					if i < 2 {
						for j := range a[i].Grad {
							a[i].Grad[j] = float32(j - step)
						}
						copy(b[i].Grad, a[i].Grad)
					}
				}
				plain.Step(0.1)
				ratios := measured.MeasuredStep(0.1)
				for i, p := range a {
					if !slices.Equal(p.Value, b[i].Value) {
						t.Fatalf("step %d: %s is %v, measured %v", step, p.Name, p.Value, b[i].Value)
					}
					for j, w := range p.Value {
						before[i][j] = w - before[i][j]
					}
					want := 0.0
					if l2(p.Value) > 0 {
						want = l2(before[i]) / l2(p.Value)
					}
					if got := ratios[p.Name]; math.Abs(got-want) > 1e-6*(1+want) {
						t.Errorf("step %d: the ratio of %s is %v, want %v", step, p.Name, got, want)
					}
				}
			}
		})
	}
}

// A minimum is found by each of them.
func TestOptimizersDescend(t *testing.T) {
	t.Parallel()
	for name, cfg := range kinds() {
		cfg.WeightDecay, cfg.MaxNorm = 0, 0
		p := matrix("w", 2, 1, 3, -2)
		o := optim.New([]engine.Param{p}, cfg)
		for range 400 {
			p.Grad[0], p.Grad[1] = p.Value[0]-1, 10*(p.Value[1]-2)
			o.Step(0.03)
		}
		if got := fmt.Sprintf("%.2f", p.Value); got != "[1.00 2.00]" {
			t.Errorf("%s: %s after 400 steps, want [1.00 2.00]", name, got)
		}
	}
}

func BenchmarkAdam(b *testing.B) {
	p := matrix("w", 118282/2, 2, make([]float32, 118282)...)
	for i := range p.Grad {
		p.Grad[i] = float32(i%7) * 1e-3
	}
	o := optim.New([]engine.Param{p}, sweeps.Train{Optimizer: "adam", Adam: adam})
	b.ReportAllocs()
	for b.Loop() {
		o.Step(0.001)
	}
}
