package ops

import (
	"fmt"
	"math"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// SoftmaxCrossEntropy is the mean over the labels of -log softmax(logits)[label], in
// nats. Being a mean, it makes the learning rate's effect independent of the
// size of the minibatch.
type SoftmaxCrossEntropy struct{ common }

// CrossEntropy returns the node of the loss, a scalar, for logits [rows,
// perRow·classes] and labels [rows·perRow] of int32 in [0, classes). Label l of a
// row, number row·perRow + l, has the logits l·classes … (l+1)·classes-1 of that row;
// with one label a row that is all of them. The gradient is one node.
func CrossEntropy(logits, labels *gorgonia.Node) (*gorgonia.Node, error) {
	return gorgonia.ApplyOp(SoftmaxCrossEntropy{common{"cross_entropy", 2}}, logits, labels)
}

// Type is matrix, labels → scalar.
func (SoftmaxCrossEntropy) Type() hm.Type {
	return hm.NewFnType(matrix(), vectorOf(tensor.Int32), element)
}

// InferShape returns the shape of a scalar.
func (op SoftmaxCrossEntropy) InferShape(in ...gorgonia.DimSizer) (tensor.Shape, error) {
	return labelled(op, in)
}

// labelled checks logits and labels and returns the shape of a scalar.
func labelled(op gorgonia.Op, in []gorgonia.DimSizer) (tensor.Shape, error) {
	s, err := shapes(op, in, 2, 1)
	if err != nil {
		return nil, err
	}
	rows, cols, n := s[0][0], s[0][1], s[1][0]
	if rows == 0 || n == 0 || n%rows != 0 || cols%(n/rows) != 0 {
		return nil, fmt.Errorf("%v: logits of shape %v and %d labels", op, s[0], n)
	}
	return tensor.ScalarShape(), nil
}

// Do is the reference.
func (op SoftmaxCrossEntropy) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	return do(op, in,
		func(tensor.Shape) (gorgonia.Value, error) { return crossEntropy[float32](op, in) },
		func(tensor.Shape) (gorgonia.Value, error) { return crossEntropy[float64](op, in) })
}

func crossEntropy[T float](op SoftmaxCrossEntropy, in []gorgonia.Value) (gorgonia.Value, error) {
	x, labels, err := logitsAndLabels[T](op, in)
	if err != nil {
		return nil, err
	}
	classes := len(x) / len(labels)
	sum := 0.0
	for i, label := range labels {
		row := x[i*classes : (i+1)*classes]
		sum += logSumExp(row) - float64(row[label])
	}
	return newScalar[T](sum / float64(len(labels))), nil
}

func logitsAndLabels[T float](op gorgonia.Op, in []gorgonia.Value) ([]T, []int32, error) {
	x, err := data[T](op, in[0])
	if err != nil {
		return nil, nil, err
	}
	labels, err := data[int32](op, in[1])
	if err != nil {
		return nil, nil, err
	}
	classes := len(x) / len(labels)
	for i, label := range labels {
		if int(label) < 0 || int(label) >= classes {
			row := i * in[0].Shape()[0] / len(labels)
			return nil, nil, fmt.Errorf("%v: label %d of row %d is not one of %d classes", op, label, row, classes)
		}
	}
	return x, labels, nil
}

// DiffWRT says that the logits have a gradient.
func (SoftmaxCrossEntropy) DiffWRT(int) []bool { return []bool{true, false} }

// SymDiff returns the gradient by the logits.
func (op SoftmaxCrossEntropy) SymDiff(in gorgonia.Nodes, _, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	dx, err := gorgonia.ApplyOp(SoftmaxCrossEntropyGrad{common{"cross_entropy_grad", 3}}, in[0], in[1], grad)
	if err != nil {
		return nil, fmt.Errorf("differentiate the cross-entropy: %w", err)
	}
	return gorgonia.Nodes{dx, nil}, nil
}

// SoftmaxCrossEntropyGrad is grad·(softmax(logits) - onehot(labels))/labels, the
// gradient of [SoftmaxCrossEntropy] by the logits, for a scalar grad.
type SoftmaxCrossEntropyGrad struct{ common }

// Type is matrix, labels, scalar → matrix.
func (SoftmaxCrossEntropyGrad) Type() hm.Type {
	return hm.NewFnType(matrix(), vectorOf(tensor.Int32), element, matrix())
}

// InferShape returns the logits' shape.
func (op SoftmaxCrossEntropyGrad) InferShape(in ...gorgonia.DimSizer) (tensor.Shape, error) {
	s, err := shapes(op, in, 2, 1, 0)
	if err != nil {
		return nil, err
	}
	return s[0].Clone(), nil
}

// Do is the reference.
func (op SoftmaxCrossEntropyGrad) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	return do(op, in,
		func(s tensor.Shape) (gorgonia.Value, error) { return crossEntropyGrad[float32](op, in, s) },
		func(s tensor.Shape) (gorgonia.Value, error) { return crossEntropyGrad[float64](op, in, s) })
}

func crossEntropyGrad[T float](op SoftmaxCrossEntropyGrad, in []gorgonia.Value, shape tensor.Shape) (gorgonia.Value, error) {
	x, labels, err := logitsAndLabels[T](op, in)
	if err != nil {
		return nil, err
	}
	grad, ok := in[2].Data().(T)
	if !ok {
		return nil, fmt.Errorf("%v: the incoming gradient is %T, not a scalar", op, in[2].Data())
	}
	out, dx := newMatrix[T](shape)
	scale := float64(grad) / float64(len(labels))
	classes := len(x) / len(labels)
	for i, label := range labels {
		row := x[i*classes : (i+1)*classes]
		lse := logSumExp(row)
		for j, v := range row {
			p := math.Exp(float64(v) - lse)
			if j == int(label) {
				p--
			}
			dx[i*classes+j] = T(scale * p)
		}
	}
	return out, nil
}
