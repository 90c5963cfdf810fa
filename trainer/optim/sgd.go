package optim

import (
	"math"

	"github.com/tenfold-ml/tenfold/trainer/engine"
)

// NamedSlice is one array of an optimiser's state.
type NamedSlice struct {
	// Name is unique within the state: "dense0.weight.velocity".
	Name string
	// Data is the storage itself: copying into it restores the state.
	Data []float32
}

// SGD is stochastic gradient descent with momentum, in the forms of Sutskever et al.
// 2013, "On the importance of initialization and momentum in deep learning".
// Classical:
//
//	v ← momentum·v − rate·g(w)
//	w ← w + v
//
// Nesterov's takes the gradient where the momentum alone would lead:
//
//	v ← momentum·v − rate·g(w + momentum·v)
//	w ← w + v
//
// For it, the weights kept here, and in checkpoints and predictions, are u = w +
// momentum·v, where the gradient is taken: then v is the same and
// u ← u + momentum·v − rate·g(u).
//
// Velocities start at zero. It is not safe for concurrent use.
type SGD struct {
	params   []engine.Param
	velocity [][]float32
	momentum float32
	nesterov bool
	// decay is added to the gradient of weights, times the weight.
	decay float32
}

// NewSGD returns an optimiser of params, which it updates in place. Momentum is
// in [0, 1); 0 is plain gradient descent.
func NewSGD(params []engine.Param, momentum float64) *SGD {
	s := &SGD{params: params, momentum: float32(momentum), velocity: make([][]float32, len(params))}
	for i, p := range params {
		s.velocity[i] = make([]float32, len(p.Value))
	}
	return s
}

// Step updates every parameter from its gradient.
func (s *SGD) Step(rate float64) {
	for i, p := range s.params {
		if s.decay != 0 && isWeight(p) {
			for j, w := range p.Value {
				p.Grad[j] += float32(s.decay * w)
			}
		}
		if s.nesterov {
			updateNesterov(p.Value, s.velocity[i], p.Grad, s.momentum, float32(rate))
		} else {
			update(p.Value, s.velocity[i], p.Grad, s.momentum, float32(rate))
		}
	}
}

func updateNesterov(value, velocity, grad []float32, momentum, rate float32) {
	velocity = velocity[:len(value)]
	grad = grad[:len(value)]
	for i, w := range value {
		step := float32(rate * grad[i])
		v := float32(momentum*velocity[i]) - step
		velocity[i] = v
		value[i] = w + (float32(momentum*v) - step)
	}
}

// UpdateRatio returns |last update| / |weights| (L2 norms) of each parameter, by
// name. About 1e-3 is healthy. It is 0 before the first step and where all
// weights are zero. It is for classical momentum only. It costs about as much as a step, so ask once an epoch.
func (s *SGD) UpdateRatio() map[string]float64 {
	ratios := make(map[string]float64, len(s.params))
	for i, p := range s.params {
		weights := math.Sqrt(sumOfSquares(p.Value))
		if weights == 0 {
			ratios[p.Name] = 0
			continue
		}
		// The velocity is the last update.
		ratios[p.Name] = math.Sqrt(sumOfSquares(s.velocity[i])) / weights
	}
	return ratios
}

// State returns the velocities, in the order of the parameters. The slices are
// live: read them to save, copy into them to restore.
func (s *SGD) State() []NamedSlice {
	state := make([]NamedSlice, len(s.params))
	for i, p := range s.params {
		state[i] = NamedSlice{Name: p.Name + ".velocity", Data: s.velocity[i]}
	}
	return state
}
