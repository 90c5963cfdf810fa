package optim

import (
	"math"

	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/trainer/engine"
)

// Adam is the optimiser of Kingma and Ba 2015, "Adam: a method for stochastic
// optimization", algorithm 1, with decoupled weight decay (Loshchilov and Hutter
// 2019, AdamW). With t counting steps from 1:
//
//	w ← w − rate·decay·w                   weights only, not biases
//	m ← beta1·m + (1 − beta1)·g
//	v ← beta2·v + (1 − beta2)·g²
//	w ← w − rate·m/(1 − beta1^t) / (√(v/(1 − beta2^t)) + epsilon)
//
// Moments start at zero. It is not safe for concurrent use.
type Adam struct {
	params        []engine.Param
	first, second [][]float32
	cfg           sweeps.Adam
	decay         float64
	// steps is t as two digits of base countBase, the lower first, so that it is
	// an array of the state like the others and exact.
	steps []float32
}

const countBase = 1 << 20

// NewAdam returns an optimiser of params, which it updates in place.
func NewAdam(params []engine.Param, cfg sweeps.Adam, decay float64) *Adam {
	a := &Adam{params: params, cfg: cfg, decay: decay, steps: make([]float32, 2)}
	for _, p := range params {
		a.first = append(a.first, make([]float32, len(p.Value)))
		a.second = append(a.second, make([]float32, len(p.Value)))
	}
	return a
}

// Step updates every parameter from its gradient.
func (a *Adam) Step(rate float64) {
	if a.steps[0]++; a.steps[0] == countBase {
		a.steps[0], a.steps[1] = 0, a.steps[1]+1
	}
	t := uint64(a.steps[1])*countBase + uint64(a.steps[0])
	s := adamStep{
		beta1: float32(a.cfg.Beta1), rest1: float32(1 - a.cfg.Beta1),
		beta2: float32(a.cfg.Beta2), rest2: float32(1 - a.cfg.Beta2),
		rate:    float32(rate / (1 - power(a.cfg.Beta1, t))),
		scale:   float32(1 / math.Sqrt(1-power(a.cfg.Beta2, t))),
		epsilon: float32(a.cfg.Epsilon),
	}
	for i, p := range a.params {
		s.keep = 1
		if isWeight(p) {
			s.keep = float32(1 - float64(rate*a.decay))
		}
		s.update(p.Value, a.first[i], a.second[i], p.Grad)
	}
}

// adamStep holds the numbers of one step.
type adamStep struct {
	beta1, rest1, beta2, rest2 float32
	rate, scale, epsilon, keep float32
}

// update is one pass over memory. The conversions fix the rounding where the
// processor could fuse.
func (s adamStep) update(value, first, second, grad []float32) {
	first, second, grad = first[:len(value)], second[:len(value)], grad[:len(value)]
	for i, w := range value {
		g := grad[i]
		m := float32(s.beta1*first[i]) + float32(s.rest1*g)
		v := float32(s.beta2*second[i]) + float32(s.rest2*float32(g*g))
		first[i], second[i] = m, v
		root := float32(math.Sqrt(float64(v)))
		value[i] = float32(w*s.keep) - float32(s.rate*m)/(float32(root*s.scale)+s.epsilon)
	}
}

// power returns x^n by repeated squaring: the same bits on every machine, which
// math.Pow does not promise.
func power(x float64, n uint64) float64 {
	result := 1.0
	for ; n > 0; n >>= 1 {
		if n&1 == 1 {
			result *= x
		}
		x *= x
	}
	return result
}

// State returns both moments of every parameter, and the count of steps. The
// slices are live: read them to save, copy into them to restore.
func (a *Adam) State() []NamedSlice {
	var state []NamedSlice
	for i, p := range a.params {
		state = append(state,
			NamedSlice{Name: p.Name + ".first_moment", Data: a.first[i]},
			NamedSlice{Name: p.Name + ".second_moment", Data: a.second[i]})
	}
	return append(state, NamedSlice{Name: "adam.steps", Data: a.steps})
}
