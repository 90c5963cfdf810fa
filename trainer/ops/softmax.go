package ops

import (
	"fmt"
	"math"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// SoftmaxRows makes each run of Classes columns of logits probabilities. For training
// use [CrossEntropy], which is exact where probabilities underflow; this one has no
// gradient.
type SoftmaxRows struct {
	common
	Classes int
}

// Softmax returns the node of the probabilities, of the shape of the logits, [rows,
// labels·classes]: those of each label's classes add up to one.
func Softmax(logits *gorgonia.Node, classes int) (*gorgonia.Node, error) {
	return gorgonia.ApplyOp(SoftmaxRows{common{fmt.Sprintf("softmax[%d]", classes), 1}, classes}, logits)
}

// Type is matrix → matrix.
func (SoftmaxRows) Type() hm.Type { return hm.NewFnType(matrix(), matrix()) }

// InferShape returns the operand's shape.
func (op SoftmaxRows) InferShape(in ...gorgonia.DimSizer) (tensor.Shape, error) {
	s, err := shapes(op, in, 2)
	if err != nil {
		return nil, err
	}
	if op.Classes < 1 || s[0][1]%op.Classes != 0 {
		return nil, fmt.Errorf("%v of shape %v", op, s[0])
	}
	return s[0].Clone(), nil
}

// Do is the reference.
func (op SoftmaxRows) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	return do(op, in,
		func(s tensor.Shape) (gorgonia.Value, error) { return softmax[float32](op, in, s) },
		func(s tensor.Shape) (gorgonia.Value, error) { return softmax[float64](op, in, s) })
}

func softmax[T float](op SoftmaxRows, in []gorgonia.Value, shape tensor.Shape) (gorgonia.Value, error) {
	x, err := data[T](op, in[0])
	if err != nil {
		return nil, err
	}
	out, y := newMatrix[T](shape)
	for i := 0; i < len(x); i += op.Classes {
		row := x[i : i+op.Classes]
		lse := logSumExp(row)
		for j, v := range row {
			y[i+j] = T(math.Exp(float64(v) - lse))
		}
	}
	return out, nil
}

// logSumExp returns log Σ exp(row) without overflow.
func logSumExp[T float](row []T) float64 {
	top := math.Inf(-1)
	for _, v := range row {
		top = math.Max(top, float64(v))
	}
	sum := 0.0
	for _, v := range row {
		sum += math.Exp(float64(v) - top)
	}
	return top + math.Log(sum)
}
