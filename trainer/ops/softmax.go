package ops

import (
	"math"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// SoftmaxRows makes each row of logits probabilities. For training use
// [CrossEntropy], which is exact where probabilities underflow; this one has no
// gradient.
type SoftmaxRows struct{ common }

// Softmax returns the node of the probabilities, [rows, classes].
func Softmax(logits *gorgonia.Node) (*gorgonia.Node, error) {
	return gorgonia.ApplyOp(SoftmaxRows{common{"softmax", 1}}, logits)
}

// Type is matrix → matrix.
func (SoftmaxRows) Type() hm.Type { return hm.NewFnType(matrix(), matrix()) }

// InferShape returns the operand's shape.
func (op SoftmaxRows) InferShape(in ...gorgonia.DimSizer) (tensor.Shape, error) {
	s, err := shapes(op, in, 2)
	if err != nil {
		return nil, err
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
	for i := range shape[0] {
		row := x[i*shape[1] : (i+1)*shape[1]]
		lse := logSumExp(row)
		for j, v := range row {
			y[i*shape[1]+j] = T(math.Exp(float64(v) - lse))
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
