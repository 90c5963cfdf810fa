package optim_test

import (
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/tenfold-ml/tenfold/trainer/engine"
	"github.com/tenfold-ml/tenfold/trainer/optim"
)

func param(name string, values ...float32) engine.Param {
	return engine.Param{Name: name, Shape: []int{len(values)}, Value: values, Grad: make([]float32, len(values))}
}

// On ½w² the gradient is w, and momentum is a recurrence of two numbers.
func TestMomentumAgainstTheRecurrence(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		momentum := rapid.Float64Range(0, 0.99).Draw(t, "momentum")
		w := rapid.Float32Range(-10, 10).Draw(t, "w")
		p := param("w", w)
		sgd := optim.NewSGD([]engine.Param{p}, momentum)
		want, v := float64(w), 0.0
		for step := range 30 {
			rate := 0.1 / float64(1+step/10) // the rate changes on the way
			p.Grad[0] = p.Value[0]
			v = momentum*v - rate*want
			want += v
			sgd.Step(rate)
			if got := float64(p.Value[0]); math.Abs(got-want) > 1e-4 {
				t.Fatalf("step %d: w = %v, want %v", step, got, want)
			}
		}
	})
}

func TestStepIsOneRoundingPerOperation(t *testing.T) {
	t.Parallel()
	p := param("w", 1)
	sgd := optim.NewSGD([]engine.Param{p}, 0.9)
	p.Grad[0] = 0.3
	sgd.Step(0.1)
	sgd.Step(0.1)
	m, r, g := float32(0.9), float32(0.1), float32(0.3)
	v := -float32(r * g)
	w := 1 + v
	v = float32(m*v) - float32(r*g)
	w += v
	if p.Value[0] != w {
		t.Errorf("w = %v, want %v", p.Value[0], w)
	}
}

// A second optimiser that takes over parameters and state continues bit for bit.
func TestStateRestores(t *testing.T) {
	t.Parallel()
	run := func(interrupted bool) []float32 {
		params := []engine.Param{param("a", 1, 2, 3), param("b", 4)}
		sgd := optim.NewSGD(params, 0.9)
		for step := range 10 {
			if interrupted && step == 5 {
				saved := sgd.State()
				sgd = optim.NewSGD(params, 0.9)
				for i, s := range sgd.State() {
					if s.Name != saved[i].Name {
						t.Fatalf("state %d is %s, was %s", i, s.Name, saved[i].Name)
					}
					copy(s.Data, saved[i].Data)
				}
			}
			for _, p := range params {
				for i := range p.Grad {
					p.Grad[i] = p.Value[i] * float32(step)
				}
			}
			sgd.Step(0.05)
		}
		return slices.Concat(params[0].Value, params[1].Value)
	}
	if diff := cmp.Diff(run(false), run(true)); diff != "" {
		t.Errorf("weights (-uninterrupted +restored):\n%s", diff)
	}
}

func TestStateNames(t *testing.T) {
	t.Parallel()
	sgd := optim.NewSGD([]engine.Param{param("dense0.weight", 1, 2), param("dense0.bias", 3)}, 0.5)
	want := []optim.NamedSlice{{"dense0.weight.velocity", []float32{0, 0}}, {"dense0.bias.velocity", []float32{0}}}
	if diff := cmp.Diff(want, sgd.State()); diff != "" {
		t.Errorf("state (-want +got):\n%s", diff)
	}
}

func TestUpdateRatio(t *testing.T) {
	t.Parallel()
	params := []engine.Param{param("a", 3, 4), param("zero", 0, 0)}
	sgd := optim.NewSGD(params, 0)
	if diff := cmp.Diff(map[string]float64{"a": 0, "zero": 0}, sgd.UpdateRatio()); diff != "" {
		t.Errorf("before the first step (-want +got):\n%s", diff)
	}
	copy(params[0].Grad, []float32{-3, -4})
	sgd.Step(1) // the update is (3, 4), the weights become (6, 8)
	if diff := cmp.Diff(map[string]float64{"a": 0.5, "zero": 0}, sgd.UpdateRatio()); diff != "" {
		t.Errorf("after a step (-want +got):\n%s", diff)
	}
}

func BenchmarkStep(b *testing.B) {
	p := param("w", make([]float32, 118282)...)
	sgd := optim.NewSGD([]engine.Param{p}, 0.9)
	b.ReportAllocs()
	for b.Loop() {
		sgd.Step(0.1)
	}
}
