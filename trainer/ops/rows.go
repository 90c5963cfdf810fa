package ops

import (
	"fmt"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// RowRange is rows Lo … Hi-1 of a matrix.
type RowRange struct {
	common
	Lo, Hi int
}

// Rows returns the node of rows lo … hi-1 of x, [hi-lo, columns]. On an engine it
// takes no time: the rows are used where they are.
func Rows(x *gorgonia.Node, lo, hi int) (*gorgonia.Node, error) {
	return gorgonia.ApplyOp(RowRange{common{fmt.Sprintf("rows[%d:%d]", lo, hi), 1}, lo, hi}, x)
}

// Type is matrix → matrix.
func (RowRange) Type() hm.Type { return hm.NewFnType(matrix(), matrix()) }

// InferShape returns [Hi - Lo, columns].
func (op RowRange) InferShape(in ...gorgonia.DimSizer) (tensor.Shape, error) {
	s, err := shapes(op, in, 2)
	if err != nil {
		return nil, err
	}
	if op.Lo < 0 || op.Lo >= op.Hi || op.Hi > s[0][0] {
		return nil, fmt.Errorf("%v of shape %v", op, s[0])
	}
	return tensor.Shape{op.Hi - op.Lo, s[0][1]}, nil
}

// Select says where in the operand the rows begin.
func (op RowRange) Select(in ...[]int) (operand, start int) { return 0, op.Lo * in[0][1] }

// Do is the reference.
func (op RowRange) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	return do(op, in,
		func(s tensor.Shape) (gorgonia.Value, error) { return part[float32](op, in[0], op.Lo*s[1], s) },
		func(s tensor.Shape) (gorgonia.Value, error) { return part[float64](op, in[0], op.Lo*s[1], s) })
}

// part copies a contiguous part of a value.
func part[T float](op gorgonia.Op, from gorgonia.Value, start int, shape tensor.Shape) (gorgonia.Value, error) {
	x, err := data[T](op, from)
	if err != nil {
		return nil, err
	}
	out, y := newMatrix[T](shape)
	copy(y, x[start:])
	return out, nil
}

// DiffWRT says that the operand has a gradient.
func (RowRange) DiffWRT(int) []bool { return []bool{true} }

// SymDiff returns the gradient, which is zero in the other rows.
func (op RowRange) SymDiff(in gorgonia.Nodes, _, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	rows := in[0].Shape()[0]
	dx, err := gorgonia.ApplyOp(RowRangeGrad{common{fmt.Sprintf("rows_grad[%d:%d of %d]", op.Lo, op.Hi, rows), 1}, op.Lo, rows}, grad)
	if err != nil {
		return nil, fmt.Errorf("differentiate rows: %w", err)
	}
	return gorgonia.Nodes{dx}, nil
}

// RowRangeGrad is a matrix of Rows rows that are zero but for those from Lo on,
// which are the operand: the gradient of [RowRange].
type RowRangeGrad struct {
	common
	Lo, Rows int
}

// Type is matrix → matrix.
func (RowRangeGrad) Type() hm.Type { return hm.NewFnType(matrix(), matrix()) }

// InferShape returns [Rows, columns].
func (op RowRangeGrad) InferShape(in ...gorgonia.DimSizer) (tensor.Shape, error) {
	s, err := shapes(op, in, 2)
	if err != nil {
		return nil, err
	}
	if op.Lo+s[0][0] > op.Rows {
		return nil, fmt.Errorf("%v of shape %v", op, s[0])
	}
	return tensor.Shape{op.Rows, s[0][1]}, nil
}

// Do is the reference.
func (op RowRangeGrad) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	return do(op, in,
		func(s tensor.Shape) (gorgonia.Value, error) { return rowRangeGrad[float32](op, in, s) },
		func(s tensor.Shape) (gorgonia.Value, error) { return rowRangeGrad[float64](op, in, s) })
}

func rowRangeGrad[T float](op RowRangeGrad, in []gorgonia.Value, shape tensor.Shape) (gorgonia.Value, error) {
	dy, err := data[T](op, in[0])
	if err != nil {
		return nil, err
	}
	out, dx := newMatrix[T](shape)
	copy(dx[op.Lo*shape[1]:], dy)
	return out, nil
}
