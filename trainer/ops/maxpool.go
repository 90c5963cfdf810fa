package ops

import (
	"fmt"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Maximum is activation(the largest element) of each window on each plane: max-
// pooling. The activations never fall, so pooling first gives the same as pooling
// last, and leaves fewer elements to apply them to.
type Maximum struct {
	common
	Geometry   Geometry
	Activation Activation
}

// MaxPool returns the node of the largest elements, [rows, Channels·positions], of x
// [rows, Channels·Height·Width]. The geometry has no padding. The gradient goes to
// the first element of a window that has the largest value.
func MaxPool(x *gorgonia.Node, g Geometry, a Activation) (*gorgonia.Node, error) {
	if err := g.Check(); err != nil {
		return nil, fmt.Errorf("max-pool: %w", err)
	}
	if g.Padding != 0 {
		return nil, fmt.Errorf("max-pool with a padding of %d, which there is not", g.Padding)
	}
	return gorgonia.ApplyOp(Maximum{common{fmt.Sprintf("max_pool[%v %v]", a, g), 1}, g, a}, x)
}

// Type is matrix → matrix.
func (Maximum) Type() hm.Type { return hm.NewFnType(matrix(), matrix()) }

// InferShape returns [rows, Channels·positions].
func (op Maximum) InferShape(in ...gorgonia.DimSizer) (tensor.Shape, error) {
	s, err := shapes(op, in, 2)
	if err != nil {
		return nil, err
	}
	if s[0][1] != op.Geometry.Inputs() {
		return nil, fmt.Errorf("%v: shape %v does not fit", op, s[0])
	}
	return tensor.Shape{s[0][0], op.Geometry.Channels * op.Geometry.Positions()}, nil
}

// Do is the reference.
func (op Maximum) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	return do(op, in,
		func(s tensor.Shape) (gorgonia.Value, error) { return maximum[float32](op, in, s) },
		func(s tensor.Shape) (gorgonia.Value, error) { return maximum[float64](op, in, s) })
}

func maximum[T float](op Maximum, in []gorgonia.Value, shape tensor.Shape) (gorgonia.Value, error) {
	x, err := data[T](op, in[0])
	if err != nil {
		return nil, err
	}
	out, y := newMatrix[T](shape)
	for i, at := range argmax(op.Geometry, x) {
		y[i] = T(op.Activation.apply(float64(x[at])))
	}
	return out, nil
}

// argmax returns the place in x of each window's first largest element. What is not
// a number counts as larger than all that is, so that it is not lost.
func argmax[T float](g Geometry, x []T) []int {
	inputs, positions := g.Inputs(), g.Positions()
	best := make([]int, len(x)/inputs*g.Channels*positions)
	for i := range best {
		best[i] = -1
	}
	for row := range len(x) / inputs {
		g.each(func(in, tap, p int) {
			at := (row*g.Channels+tap/(g.Size*g.Size))*positions + p
			v := x[row*inputs+in]
			if best[at] < 0 || v > x[best[at]] || (v != v && x[best[at]] == x[best[at]]) {
				best[at] = row*inputs + in
			}
		})
	}
	return best
}

// DiffWRT says that the operand has a gradient.
func (Maximum) DiffWRT(int) []bool { return []bool{true} }

// SymDiff returns the gradient by the operand.
func (op Maximum) SymDiff(in gorgonia.Nodes, output, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	dz, err := beforeActivation(op.Activation, grad, output)
	if err != nil {
		return nil, err
	}
	dx, err := gorgonia.ApplyOp(MaximumGrad{common{fmt.Sprintf("max_pool_grad[%v]", op.Geometry), 2}, op.Geometry}, dz, in[0])
	if err != nil {
		return nil, fmt.Errorf("differentiate max-pool: %w", err)
	}
	return gorgonia.Nodes{dx}, nil
}

// MaximumGrad is the gradient of [Maximum] by its operand, from that before the
// activation and the operand.
type MaximumGrad struct {
	common
	Geometry Geometry
}

// Type is matrix, matrix → matrix.
func (MaximumGrad) Type() hm.Type { return hm.NewFnType(matrix(), matrix(), matrix()) }

// InferShape returns the operand's shape.
func (op MaximumGrad) InferShape(in ...gorgonia.DimSizer) (tensor.Shape, error) {
	s, err := shapes(op, in, 2, 2)
	if err != nil {
		return nil, err
	}
	g := op.Geometry
	if s[0][0] != s[1][0] || s[0][1] != g.Channels*g.Positions() || s[1][1] != g.Inputs() {
		return nil, fmt.Errorf("%v: shapes %v and %v do not fit", op, s[0], s[1])
	}
	return s[1].Clone(), nil
}

// Do is the reference.
func (op MaximumGrad) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	return do(op, in,
		func(s tensor.Shape) (gorgonia.Value, error) { return maximumGrad[float32](op, in, s) },
		func(s tensor.Shape) (gorgonia.Value, error) { return maximumGrad[float64](op, in, s) })
}

func maximumGrad[T float](op MaximumGrad, in []gorgonia.Value, shape tensor.Shape) (gorgonia.Value, error) {
	dz, x, err := pair[T](op, in)
	if err != nil {
		return nil, err
	}
	out, dx := newMatrix[T](shape)
	for i, at := range argmax(op.Geometry, x) {
		dx[at] += dz[i]
	}
	return out, nil
}
