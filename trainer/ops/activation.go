package ops

import (
	"fmt"
	"math"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Activation is what a layer applies to its weighted sums.
type Activation uint8

const (
	// Identity leaves them alone.
	Identity Activation = iota
	// ReLU sets the negative ones to zero; what is not a number stays so.
	ReLU
	// Tanh is the hyperbolic tangent.
	Tanh
	// Sigmoid is the logistic function 1/(1 + e^-z).
	Sigmoid
)

var activationNames = [...]string{"identity", "relu", "tanh", "sigmoid"}

func (a Activation) String() string { return activationNames[a] }

// ParseActivation returns the activation of a name, such as "relu".
func ParseActivation(name string) (Activation, error) {
	for a, n := range activationNames {
		if n == name {
			return Activation(a), nil
		}
	}
	return Identity, fmt.Errorf("there is no activation %q", name)
}

// apply is the reference.
func (a Activation) apply(z float64) float64 {
	switch {
	case a == ReLU && z < 0:
		return 0
	case a == Tanh:
		return math.Tanh(z)
	case a == Sigmoid:
		return 1 / (1 + math.Exp(-z))
	default:
		return z
	}
}

// slope is the derivative, from the activation's result.
func (a Activation) slope(y float64) float64 {
	switch {
	case a == ReLU && !(y > 0):
		return 0
	case a == Tanh:
		return 1 - y*y
	case a == Sigmoid:
		return y * (1 - y)
	default:
		return 1
	}
}

// ActivationGrad is the gradient before an activation, from the gradient after
// it and the activation's result.
type ActivationGrad struct {
	common
	Activation Activation
}

// Type is matrix, matrix → matrix.
func (ActivationGrad) Type() hm.Type { return hm.NewFnType(matrix(), matrix(), matrix()) }

// InferShape returns the operands' shape.
func (op ActivationGrad) InferShape(in ...gorgonia.DimSizer) (tensor.Shape, error) {
	s, err := shapes(op, in, 2, 2)
	if err != nil {
		return nil, err
	}
	if !s[0].Eq(s[1]) {
		return nil, fmt.Errorf("%v: shapes %v and %v differ", op, s[0], s[1])
	}
	return s[0].Clone(), nil
}

// Do is the reference.
func (op ActivationGrad) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	return do(op, in,
		func(s tensor.Shape) (gorgonia.Value, error) { return activationGrad[float32](op, in, s) },
		func(s tensor.Shape) (gorgonia.Value, error) { return activationGrad[float64](op, in, s) })
}

func activationGrad[T float](op ActivationGrad, in []gorgonia.Value, shape tensor.Shape) (gorgonia.Value, error) {
	dy, err := data[T](op, in[0])
	if err != nil {
		return nil, err
	}
	y, err := data[T](op, in[1])
	if err != nil {
		return nil, err
	}
	out, dz := newMatrix[T](shape)
	for i, v := range y {
		if slope := op.Activation.slope(float64(v)); slope != 0 { // else not even of an infinite gradient
			dz[i] = T(float64(dy[i]) * slope)
		}
	}
	return out, nil
}

// beforeActivation returns the node of the gradient before an activation.
func beforeActivation(a Activation, grad, output *gorgonia.Node) (*gorgonia.Node, error) {
	if a == Identity {
		return grad, nil
	}
	dz, err := gorgonia.ApplyOp(ActivationGrad{common{fmt.Sprintf("activation_grad[%v]", a), 2}, a}, grad, output)
	if err != nil {
		return nil, fmt.Errorf("differentiate the activation: %w", err)
	}
	return dz, nil
}
