package ops

import (
	"fmt"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// MeanSquaredError is the mean over all elements of (output - target)². Being a mean,
// it makes the learning rate's effect independent of the size of the minibatch.
type MeanSquaredError struct{ common }

// SquaredError returns the node of the loss, a scalar, for outputs and targets of
// one shape [rows, n]. Its gradient by the outputs is one node; the targets have
// none.
func SquaredError(outputs, targets *gorgonia.Node) (*gorgonia.Node, error) {
	return gorgonia.ApplyOp(MeanSquaredError{common{"squared_error", 2}}, outputs, targets)
}

// Type is matrix, matrix → scalar.
func (MeanSquaredError) Type() hm.Type { return hm.NewFnType(matrix(), matrix(), element) }

// InferShape returns the shape of a scalar.
func (op MeanSquaredError) InferShape(in ...gorgonia.DimSizer) (tensor.Shape, error) {
	s, err := shapes(op, in, 2, 2)
	if err != nil {
		return nil, err
	}
	if !s[0].Eq(s[1]) || s[0].TotalSize() == 0 {
		return nil, fmt.Errorf("%v: outputs of shape %v and targets of %v", op, s[0], s[1])
	}
	return tensor.ScalarShape(), nil
}

// Flops counts a subtraction, a multiplication and an addition for each element.
func (MeanSquaredError) Flops(in ...[]int) float64 { return 3 * float64(in[0][0]) * float64(in[0][1]) }

// Do is the reference.
func (op MeanSquaredError) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	return do(op, in,
		func(tensor.Shape) (gorgonia.Value, error) { return squaredError[float32](op, in) },
		func(tensor.Shape) (gorgonia.Value, error) { return squaredError[float64](op, in) })
}

func squaredError[T float](op MeanSquaredError, in []gorgonia.Value) (gorgonia.Value, error) {
	y, targets, err := pair[T](op, in)
	if err != nil {
		return nil, err
	}
	sum := 0.0
	for i, v := range y {
		d := float64(v) - float64(targets[i])
		sum += d * d
	}
	return newScalar[T](sum / float64(len(y))), nil
}

// DiffWRT says that the outputs have a gradient.
func (MeanSquaredError) DiffWRT(int) []bool { return []bool{true, false} }

// SymDiff returns the gradient by the outputs.
func (op MeanSquaredError) SymDiff(in gorgonia.Nodes, _, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	dy, err := gorgonia.ApplyOp(MeanSquaredErrorGrad{common{"squared_error_grad", 3}}, in[0], in[1], grad)
	if err != nil {
		return nil, fmt.Errorf("differentiate the squared error: %w", err)
	}
	return gorgonia.Nodes{dy, nil}, nil
}

// MeanSquaredErrorGrad is grad·2·(outputs - targets)/elements, the gradient of
// [MeanSquaredError] by the outputs, for a scalar grad.
type MeanSquaredErrorGrad struct{ common }

// Type is matrix, matrix, scalar → matrix.
func (MeanSquaredErrorGrad) Type() hm.Type {
	return hm.NewFnType(matrix(), matrix(), element, matrix())
}

// InferShape returns the outputs' shape.
func (op MeanSquaredErrorGrad) InferShape(in ...gorgonia.DimSizer) (tensor.Shape, error) {
	s, err := shapes(op, in, 2, 2, 0)
	if err != nil {
		return nil, err
	}
	return s[0].Clone(), nil
}

// Do is the reference.
func (op MeanSquaredErrorGrad) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	return do(op, in,
		func(s tensor.Shape) (gorgonia.Value, error) { return squaredErrorGrad[float32](op, in, s) },
		func(s tensor.Shape) (gorgonia.Value, error) { return squaredErrorGrad[float64](op, in, s) })
}

func squaredErrorGrad[T float](op MeanSquaredErrorGrad, in []gorgonia.Value, shape tensor.Shape) (gorgonia.Value, error) {
	y, targets, err := pair[T](op, in[:2])
	if err != nil {
		return nil, err
	}
	grad, ok := in[2].Data().(T)
	if !ok {
		return nil, fmt.Errorf("%v: the incoming gradient is %T, not a scalar", op, in[2].Data())
	}
	out, dy := newMatrix[T](shape)
	scale := 2 * float64(grad) / float64(len(y))
	for i, v := range y {
		dy[i] = T(scale * (float64(v) - float64(targets[i])))
	}
	return out, nil
}
