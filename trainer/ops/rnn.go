package ops

import (
	"fmt"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// RNN returns the nodes of a plain recurrent layer (Elman 1990) over a whole sequence,
//
//	h_t = activation(pre_t + h_{t-1}·recurrent)
//
// Sequences are time-major, see [SequenceOrder]. pre [steps·rows, units] is the input's
// share of the sums, x·W + b; recurrent is [units, units]; state [rows, units] is h
// before the first step.
//
// hidden [steps·rows, units] is h of every step, final [rows, units] that of the last
// one. Gradients go to pre and recurrent, through hidden alone: the state is a constant,
// and so is what final feeds.
func RNN(pre, recurrent, state *gorgonia.Node, a Activation) (hidden, final *gorgonia.Node, err error) {
	states, err := gorgonia.ApplyOp(RNNStates{common{fmt.Sprintf("rnn[%v]", a), 3}, a}, pre, recurrent, state)
	if err != nil {
		return nil, nil, err
	}
	if hidden, err = gorgonia.ApplyOp(RNNHidden{common{fmt.Sprintf("rnn_hidden[%v]", a), 3}, a}, pre, recurrent, states); err != nil {
		return nil, nil, err
	}
	rows := pre.Shape()[0]
	final, err = Rows(states, rows, rows+state.Shape()[0])
	return hidden, final, err
}

// RNNStates is h_0 … h_steps of a plain recurrent layer, one after the other, with h_0
// the initial state: a node without gradient, which others pick from.
type RNNStates struct {
	common
	Activation Activation
}

// Type is matrix, matrix, matrix → matrix.
func (RNNStates) Type() hm.Type { return hm.NewFnType(matrix(), matrix(), matrix(), matrix()) }

// InferShape returns [(steps+1)·rows, units].
func (op RNNStates) InferShape(in ...gorgonia.DimSizer) (tensor.Shape, error) {
	s, err := shapes(op, in, 2, 2, 2)
	if err != nil {
		return nil, err
	}
	pre, recurrent, state := s[0], s[1], s[2]
	rows, units := state[0], state[1]
	if rows == 0 || units == 0 || pre[0] == 0 || pre[0]%rows != 0 || pre[1] != units || recurrent[0] != units || recurrent[1] != units {
		return nil, fmt.Errorf("%v: sums %v, recurrent %v and state %v do not fit", op, pre, recurrent, state)
	}
	return tensor.Shape{pre[0] + rows, units}, nil
}

// Flops counts the multiplications and additions.
func (RNNStates) Flops(in ...[]int) float64 {
	units := float64(in[1][0])
	return float64(in[0][0]) * (2*units*units + units)
}

// DiffWRT says that there are no gradients here: they are those of [RNNHidden].
func (RNNStates) DiffWRT(int) []bool { return []bool{false, false, false} }

// SymDiff returns none.
func (RNNStates) SymDiff(gorgonia.Nodes, *gorgonia.Node, *gorgonia.Node) (gorgonia.Nodes, error) {
	return gorgonia.Nodes{nil, nil, nil}, nil
}

// Do is the reference.
func (op RNNStates) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	return do(op, in,
		func(s tensor.Shape) (gorgonia.Value, error) { return rnn[float32](op, in, s) },
		func(s tensor.Shape) (gorgonia.Value, error) { return rnn[float64](op, in, s) })
}

func rnn[T float](op RNNStates, in []gorgonia.Value, shape tensor.Shape) (gorgonia.Value, error) {
	pre, recurrent, err := pair[T](op, in[:2])
	if err != nil {
		return nil, err
	}
	state, err := data[T](op, in[2])
	if err != nil {
		return nil, err
	}
	out, h := newMatrix[T](shape)
	copy(h, state)
	units := shape[1]
	for at := range pre { // element at of h, the state before being one row of cases less
		row, j := at/units*units, at%units
		sum := float64(pre[at])
		for k, v := range h[row : row+units] {
			sum += float64(v) * float64(recurrent[k*units+j])
		}
		h[len(state)+at] = T(op.Activation.apply(sum))
	}
	return out, nil
}

// RNNHidden is h of every step of a plain recurrent layer: a part of its third
// operand, which is [RNNStates] of the others. They are operands so that they have
// gradients.
type RNNHidden struct {
	common
	Activation Activation
}

// Type is matrix, matrix, matrix → matrix.
func (RNNHidden) Type() hm.Type { return hm.NewFnType(matrix(), matrix(), matrix(), matrix()) }

// InferShape returns [steps·rows, units].
func (op RNNHidden) InferShape(in ...gorgonia.DimSizer) (tensor.Shape, error) {
	s, err := shapes(op, in, 2, 2, 2)
	if err != nil {
		return nil, err
	}
	return s[0].Clone(), nil
}

// Select says where in the states h_1 begins: after the initial state, which is what
// the states have more than the sums.
func (RNNHidden) Select(in ...[]int) (operand, start int) {
	return 2, (in[2][0] - in[0][0]) * in[2][1]
}

// Do is the reference.
func (op RNNHidden) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	return do(op, in,
		func(s tensor.Shape) (gorgonia.Value, error) {
			_, start := op.Select(in[0].Shape(), in[1].Shape(), in[2].Shape())
			return part[float32](op, in[2], start, s)
		},
		func(s tensor.Shape) (gorgonia.Value, error) {
			_, start := op.Select(in[0].Shape(), in[1].Shape(), in[2].Shape())
			return part[float64](op, in[2], start, s)
		})
}

// DiffWRT says that the sums and the recurrent weights have gradients.
func (RNNHidden) DiffWRT(int) []bool { return []bool{true, true, false} }

// SymDiff returns the gradients, as that of [LSTMHidden] does.
func (op RNNHidden) SymDiff(in gorgonia.Nodes, _, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	dPre, err := gorgonia.ApplyOp(RNNGrad{common{fmt.Sprintf("rnn_grad[%v]", op.Activation), 3}, op.Activation}, in[2], in[1], grad)
	if err != nil {
		return nil, fmt.Errorf("differentiate by the sums: %w", err)
	}
	dRecurrent, err := recurrentGrad(in[2], 0, dPre)
	if err != nil {
		return nil, err
	}
	return gorgonia.Nodes{dPre, dRecurrent, nil}, nil
}

// RNNGrad is the gradient of a plain recurrent layer by the input's share of its sums,
// from its [RNNStates], its recurrent weights and the gradient by all h.
type RNNGrad struct {
	common
	Activation Activation
}

// Type is matrix, matrix, matrix → matrix.
func (RNNGrad) Type() hm.Type { return hm.NewFnType(matrix(), matrix(), matrix(), matrix()) }

// InferShape returns [steps·rows, units].
func (op RNNGrad) InferShape(in ...gorgonia.DimSizer) (tensor.Shape, error) {
	s, err := shapes(op, in, 2, 2, 2)
	if err != nil {
		return nil, err
	}
	if s[0][1] != s[2][1] || s[1][0] != s[2][1] || s[0][0] <= s[2][0] {
		return nil, fmt.Errorf("%v: shapes %v, %v and %v do not fit", op, s[0], s[1], s[2])
	}
	return s[2].Clone(), nil
}

// Flops counts the multiplications and additions.
func (RNNGrad) Flops(in ...[]int) float64 {
	units := float64(in[1][0])
	return float64(in[2][0]) * (2*units*units + 3*units)
}

// Do is the reference.
func (op RNNGrad) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	return do(op, in,
		func(s tensor.Shape) (gorgonia.Value, error) { return rnnGrad[float32](op, in, s) },
		func(s tensor.Shape) (gorgonia.Value, error) { return rnnGrad[float64](op, in, s) })
}

func rnnGrad[T float](op RNNGrad, in []gorgonia.Value, shape tensor.Shape) (gorgonia.Value, error) {
	h, recurrent, err := pair[T](op, in[:2])
	if err != nil {
		return nil, err
	}
	dHidden, err := data[T](op, in[2])
	if err != nil {
		return nil, err
	}
	out, dz := newMatrix[T](shape)
	units := shape[1]
	state := len(h) - len(dz)
	for row := len(dz) - units; row >= 0; row -= units {
		for j := range units {
			dh := float64(dHidden[row+j])
			if row+state < len(dz) { // the same case a step later
				for k, d := range dz[row+state:][:units] {
					dh += float64(d) * float64(recurrent[j*units+k])
				}
			}
			if slope := op.Activation.slope(float64(h[row+state+j])); slope != 0 { // else not even of an infinite gradient
				dz[row+j] = T(dh * slope)
			}
		}
	}
	return out, nil
}
