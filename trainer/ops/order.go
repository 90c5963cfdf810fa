package ops

import (
	"fmt"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// SequenceOrder changes between the two orders of a minibatch of sequences. Batch-
// major is how cases come and go: [rows, Steps·features], a sequence in each row.
// Time-major is what recurrent layers compute on: [Steps·rows, features], row
// t·rows + r, so that a step of all cases is contiguous and a layer's product is
// one for the whole sequence.
type SequenceOrder struct {
	common
	Steps int
	// TimeMajor is the order of the result; the operand has the other.
	TimeMajor bool
}

func newSequenceOrder(steps int, timeMajor bool) SequenceOrder {
	name := map[bool]string{true: "time_major", false: "batch_major"}[timeMajor]
	return SequenceOrder{common{fmt.Sprintf("%s[%d]", name, steps), 1}, steps, timeMajor}
}

// TimeMajor returns the node of sequences x [rows, steps·features] as [steps·rows,
// features].
func TimeMajor(x *gorgonia.Node, steps int) (*gorgonia.Node, error) {
	return gorgonia.ApplyOp(newSequenceOrder(steps, true), x)
}

// BatchMajor returns the node of y [steps·rows, features] as [rows,
// steps·features]: the inverse of [TimeMajor].
func BatchMajor(y *gorgonia.Node, steps int) (*gorgonia.Node, error) {
	return gorgonia.ApplyOp(newSequenceOrder(steps, false), y)
}

// Type is matrix → matrix.
func (SequenceOrder) Type() hm.Type { return hm.NewFnType(matrix(), matrix()) }

// InferShape returns [Steps·rows, features] or [rows, Steps·features].
func (op SequenceOrder) InferShape(in ...gorgonia.DimSizer) (tensor.Shape, error) {
	s, err := shapes(op, in, 2)
	if err != nil {
		return nil, err
	}
	rows, features, steps := s[0][0], s[0][1], op.Steps
	switch {
	case steps < 1:
	case op.TimeMajor && features%steps == 0:
		return tensor.Shape{rows * steps, features / steps}, nil
	case !op.TimeMajor && rows%steps == 0:
		return tensor.Shape{rows / steps, features * steps}, nil
	}
	return nil, fmt.Errorf("%v: shape %v does not fit", op, s[0])
}

// Sizes returns how the operand is to be taken, as [outer][inner][block]; the
// result is [inner][outer][block].
func (op SequenceOrder) Sizes(in []int) (outer, inner, block int) {
	if op.TimeMajor {
		return in[0], op.Steps, in[1] / op.Steps
	}
	return op.Steps, in[0] / op.Steps, in[1]
}

// Do is the reference.
func (op SequenceOrder) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	return do(op, in,
		func(s tensor.Shape) (gorgonia.Value, error) { return sequenceOrder[float32](op, in, s) },
		func(s tensor.Shape) (gorgonia.Value, error) { return sequenceOrder[float64](op, in, s) })
}

func sequenceOrder[T float](op SequenceOrder, in []gorgonia.Value, shape tensor.Shape) (gorgonia.Value, error) {
	x, err := data[T](op, in[0])
	if err != nil {
		return nil, err
	}
	out, y := newMatrix[T](shape)
	outer, inner, block := op.Sizes(in[0].Shape())
	for i := range outer {
		for j := range inner {
			copy(y[(j*outer+i)*block:][:block], x[(i*inner+j)*block:])
		}
	}
	return out, nil
}

// DiffWRT says that the operand has a gradient.
func (SequenceOrder) DiffWRT(int) []bool { return []bool{true} }

// SymDiff returns the gradient: the inverse applied to it.
func (op SequenceOrder) SymDiff(_ gorgonia.Nodes, _, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	dx, err := gorgonia.ApplyOp(newSequenceOrder(op.Steps, !op.TimeMajor), grad)
	if err != nil {
		return nil, fmt.Errorf("differentiate %v: %w", op, err)
	}
	return gorgonia.Nodes{dx}, nil
}
