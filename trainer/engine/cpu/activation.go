package cpu

import (
	"math"

	"github.com/tenfold-ml/tenfold/trainer/ops"
)

// activate applies an activation in place. The smooth ones are computed in
// float64, as single IEEE operations: the same bits on every processor.
func activate[T float](a ops.Activation, x []T) {
	switch a {
	case ops.ReLU:
		rectify(x)
	case ops.Tanh:
		for i, v := range x {
			x[i] = T(tanh(float64(v)))
		}
	case ops.Sigmoid:
		for i, v := range x {
			x[i] = T(sigmoid(float64(v)))
		}
	}
}

// tanh returns the hyperbolic tangent, to about 1e-15 relative.
func tanh(x float64) float64 {
	a := math.Abs(x)
	if a < 0.05 { // where 1 - e would cancel: Taylor to x^9
		x2 := float64(x * x)
		return x + float64(x*float64(x2*(-1.0/3+float64(x2*(2.0/15+float64(x2*(-17.0/315+float64(x2*(62.0/2835)))))))))
	}
	e := exp(-2 * a)
	return math.Copysign((1-e)/(1+e), x)
}

// sigmoid returns 1/(1 + e^-x), to about 1e-15 relative.
func sigmoid(x float64) float64 {
	e := exp(-math.Abs(x))
	if x < 0 {
		return e / (1 + e)
	}
	return 1 / (1 + e)
}

// activationGrad is dz = dy times the activation's slope, which its result y tells.
type activationGrad[T float] struct {
	pool       *pool
	dy, y, dz  array[T]
	activation ops.Activation
	part       func(lo, hi int)
}

func newActivationGrad[T float](p *pool, op ops.ActivationGrad, dy, y, dz array[T]) *activationGrad[T] {
	a := &activationGrad[T]{pool: p, dy: dy, y: y, dz: dz, activation: op.Activation}
	a.part = a.elements
	return a
}

func (a *activationGrad[T]) run() { a.pool.each(len(a.dz.get()), grain, a.part) }

func (a *activationGrad[T]) elements(lo, hi int) {
	slope(a.activation, a.dy.get()[lo:hi], a.y.get()[lo:hi], a.dz.get()[lo:hi])
}

// slope sets dz to dy times the slope where the activation's result is y. dz may be
// dy.
func slope[T float](a ops.Activation, dy, y, dz []T) {
	y, dz = y[:len(dy)], dz[:len(dy)]
	switch a {
	case ops.Identity:
		copy(dz, dy)
	case ops.ReLU:
		rectifyGrad(dy, y, dz)
	case ops.Tanh:
		for i, g := range dy {
			dz[i] = g * ((1 - y[i]) * (1 + y[i])) // nothing to fuse
		}
	case ops.Sigmoid:
		for i, g := range dy {
			dz[i] = g * (y[i] * (1 - y[i]))
		}
	}
}
