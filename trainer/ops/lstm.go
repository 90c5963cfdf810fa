package ops

import (
	"fmt"
	"math"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// LSTM returns the nodes of a layer of long short-term memory over a whole sequence
// (Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000):
//
//	i, f, g, o = gates_t + h_{t-1}·recurrent
//	c_t = sigmoid(f)·c_{t-1} + sigmoid(i)·tanh(g)
//	h_t = sigmoid(o)·tanh(c_t)
//
// Sequences are time-major, see [SequenceOrder]. gates [steps·rows, 4·units] are the
// input's share of the sums, x·W + b, in the order input, forget, candidate, output;
// recurrent is [units, 4·units]; state [2·rows, units] has the rows of h before the
// first step and then those of c.
//
// hidden [steps·rows, units] is h of every step. final is the state after the last
// one, of state's shape. Gradients go to gates and recurrent, through hidden alone:
// the state is a constant, and so is what final feeds (truncated back-propagation
// through time, Williams and Peng 1990).
func LSTM(gates, recurrent, state *gorgonia.Node) (hidden, final *gorgonia.Node, err error) {
	states, err := gorgonia.ApplyOp(LSTMStates{common{"lstm", 3}}, gates, recurrent, state)
	if err != nil {
		return nil, nil, err
	}
	if hidden, err = gorgonia.ApplyOp(LSTMHidden{common{"lstm_hidden", 3}}, gates, recurrent, states); err != nil {
		return nil, nil, err
	}
	l := NewLSTMLayout(gates.Shape(), state.Shape()[0]/2)
	last := l.Hidden(l.Steps) / l.Units
	final, err = Rows(states, last, last+2*l.Rows)
	return hidden, final, err
}

// LSTMLayout says where in the value of [LSTMStates] things are: offsets of elements,
// of a step's block of [Rows, Units]. It begins with the activated gates of every step,
// each [Rows, 4·Units], in the place of what the layer is given, so that a backend can
// work there; then h_0 … h_Steps, of which index 0 is the initial state; then c_Steps …
// c_0, backwards, so that the final h and c are one piece.
type LSTMLayout struct{ Steps, Rows, Units int }

// NewLSTMLayout returns the layout for gates of a shape and as many sequences.
func NewLSTMLayout(gates []int, rows int) LSTMLayout {
	return LSTMLayout{Steps: gates[0] / rows, Rows: rows, Units: gates[1] / 4}
}

// Blocks is how many blocks of [Rows, Units] there are.
func (l LSTMLayout) Blocks() int { return 6*l.Steps + 2 }

// Gates is where the activated gates of step t begin, t = 1 … Steps.
func (l LSTMLayout) Gates(t int) int { return 4 * (t - 1) * l.Rows * l.Units }

// Hidden is where h_t begins, t = 0 … Steps.
func (l LSTMLayout) Hidden(t int) int { return (4*l.Steps + t) * l.Rows * l.Units }

// Cell is where c_t begins, t = 0 … Steps.
func (l LSTMLayout) Cell(t int) int { return (6*l.Steps + 1 - t) * l.Rows * l.Units }

// LSTMStates is all that an LSTM layer goes through, laid out as [LSTMLayout] says: a
// node without gradient, which others pick from.
type LSTMStates struct{ common }

// Type is matrix, matrix, matrix → matrix.
func (LSTMStates) Type() hm.Type { return hm.NewFnType(matrix(), matrix(), matrix(), matrix()) }

// InferShape returns [Blocks·rows, units].
func (op LSTMStates) InferShape(in ...gorgonia.DimSizer) (tensor.Shape, error) {
	s, err := shapes(op, in, 2, 2, 2)
	if err != nil {
		return nil, err
	}
	gates, recurrent, state := s[0], s[1], s[2]
	rows, units := state[0]/2, state[1]
	if state[0]%2 != 0 || rows == 0 || units == 0 || gates[0] == 0 || gates[0]%rows != 0 || gates[1] != 4*units ||
		recurrent[0] != units || recurrent[1] != 4*units {
		return nil, fmt.Errorf("%v: gates %v, recurrent %v and state %v do not fit", op, gates, recurrent, state)
	}
	return tensor.Shape{NewLSTMLayout(gates, rows).Blocks() * rows, units}, nil
}

// Flops counts the multiplications and additions.
func (LSTMStates) Flops(in ...[]int) float64 {
	units := float64(in[1][0])
	return float64(in[0][0]) * (8*units*units + 8*units)
}

// DiffWRT says that there are no gradients here: they are those of [LSTMHidden].
func (LSTMStates) DiffWRT(int) []bool { return []bool{false, false, false} }

// SymDiff returns none.
func (LSTMStates) SymDiff(gorgonia.Nodes, *gorgonia.Node, *gorgonia.Node) (gorgonia.Nodes, error) {
	return gorgonia.Nodes{nil, nil, nil}, nil
}

// Do is the reference.
func (op LSTMStates) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	return do(op, in,
		func(s tensor.Shape) (gorgonia.Value, error) { return lstm[float32](op, in, s) },
		func(s tensor.Shape) (gorgonia.Value, error) { return lstm[float64](op, in, s) })
}

func lstm[T float](op LSTMStates, in []gorgonia.Value, shape tensor.Shape) (gorgonia.Value, error) {
	gates, recurrent, err := pair[T](op, in[:2])
	if err != nil {
		return nil, err
	}
	state, err := data[T](op, in[2])
	if err != nil {
		return nil, err
	}
	out, s := newMatrix[T](shape)
	l := NewLSTMLayout(in[0].Shape(), in[2].Shape()[0]/2)
	copy(s[l.Hidden(0):][:l.Rows*l.Units], state)
	copy(s[l.Cell(0):], state[l.Rows*l.Units:])
	for t := 1; t <= l.Steps; t++ {
		for r := range l.Rows {
			pre := gates[((t-1)*l.Rows+r)*4*l.Units:][:4*l.Units]
			before := s[l.Hidden(t-1)+r*l.Units:][:l.Units]
			active := s[l.Gates(t)+r*4*l.Units:][:4*l.Units]
			for j, v := range pre {
				sum := float64(v)
				for k, h := range before {
					sum += float64(h) * float64(recurrent[k*len(pre)+j])
				}
				a := Sigmoid
				if j/l.Units == 2 {
					a = Tanh
				}
				active[j] = T(a.apply(sum))
			}
			for j := range l.Units {
				at := r*l.Units + j
				i, f, g, o := active[j], active[l.Units+j], active[2*l.Units+j], active[3*l.Units+j]
				c := float64(f)*float64(s[l.Cell(t-1)+at]) + float64(i)*float64(g)
				s[l.Cell(t)+at] = T(c)
				s[l.Hidden(t)+at] = T(float64(o) * math.Tanh(c))
			}
		}
	}
	return out, nil
}

// LSTMHidden is h of every step of an LSTM layer: a part of its third operand, which
// is [LSTMStates] of the others. They are operands so that they have gradients.
type LSTMHidden struct{ common }

// Type is matrix, matrix, matrix → matrix.
func (LSTMHidden) Type() hm.Type { return hm.NewFnType(matrix(), matrix(), matrix(), matrix()) }

// InferShape returns [steps·rows, units].
func (op LSTMHidden) InferShape(in ...gorgonia.DimSizer) (tensor.Shape, error) {
	s, err := shapes(op, in, 2, 2, 2)
	if err != nil {
		return nil, err
	}
	return tensor.Shape{s[0][0], s[1][0]}, nil
}

// layout finds the number of sequences, of which the states have 6·steps + 2 blocks.
func (LSTMHidden) layout(gates, states []int) LSTMLayout {
	return NewLSTMLayout(gates, (states[0]-6*gates[0])/2)
}

// Select says where in the states h_1 begins.
func (op LSTMHidden) Select(in ...[]int) (operand, start int) {
	return 2, op.layout(in[0], in[2]).Hidden(1)
}

// Do is the reference.
func (op LSTMHidden) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	return do(op, in,
		func(s tensor.Shape) (gorgonia.Value, error) {
			return part[float32](op, in[2], op.layout(in[0].Shape(), in[2].Shape()).Hidden(1), s)
		},
		func(s tensor.Shape) (gorgonia.Value, error) {
			return part[float64](op, in[2], op.layout(in[0].Shape(), in[2].Shape()).Hidden(1), s)
		})
}

// DiffWRT says that the gates and the recurrent weights have gradients.
func (LSTMHidden) DiffWRT(int) []bool { return []bool{true, true, false} }

// SymDiff returns the gradients. That of the gates is one pass back through time; that
// of the recurrent weights is one product over all steps.
func (op LSTMHidden) SymDiff(in gorgonia.Nodes, _, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	n := in[0].Shape()[0]
	back, err := gorgonia.ApplyOp(LSTMGrad{common{"lstm_grad", 3}}, in[2], in[1], grad)
	if err != nil {
		return nil, fmt.Errorf("differentiate by the gates: %w", err)
	}
	dGates, err := gorgonia.ApplyOp(LSTMGates{common{fmt.Sprintf("lstm_gates[%d]", n), 1}, n}, back)
	if err != nil {
		return nil, fmt.Errorf("differentiate by the gates: %w", err)
	}
	dRecurrent, err := recurrentGrad(back, 4*n, dGates)
	if err != nil {
		return nil, err
	}
	return gorgonia.Nodes{dGates, dRecurrent, nil}, nil
}

// recurrentGrad is the node of the gradient by recurrent weights, hᵀ·dz with h before
// each step, which are rows of the states from the first on, and dz the gradient of the
// step's sums.
func recurrentGrad(states *gorgonia.Node, first int, dz *gorgonia.Node) (*gorgonia.Node, error) {
	before, err := Rows(states, first, first+dz.Shape()[0])
	if err != nil {
		return nil, fmt.Errorf("differentiate by the recurrent weights: %w", err)
	}
	d, err := gorgonia.ApplyOp(newProduct(true, false), before, dz)
	if err != nil {
		return nil, fmt.Errorf("differentiate by the recurrent weights: %w", err)
	}
	return d, nil
}

// LSTMGates is the beginning of a value laid out as [LSTMLayout] says, Rows rows of four
// gates.
type LSTMGates struct {
	common
	Rows int
}

// Type is matrix → matrix.
func (LSTMGates) Type() hm.Type { return hm.NewFnType(matrix(), matrix()) }

// InferShape returns [Rows, 4·units].
func (op LSTMGates) InferShape(in ...gorgonia.DimSizer) (tensor.Shape, error) {
	s, err := shapes(op, in, 2)
	if err != nil {
		return nil, err
	}
	if 4*op.Rows > s[0][0] {
		return nil, fmt.Errorf("%v of shape %v", op, s[0])
	}
	return tensor.Shape{op.Rows, 4 * s[0][1]}, nil
}

// Select says that they begin where the value does.
func (LSTMGates) Select(...[]int) (operand, start int) { return 0, 0 }

// Do is the reference.
func (op LSTMGates) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	return do(op, in,
		func(s tensor.Shape) (gorgonia.Value, error) { return part[float32](op, in[0], 0, s) },
		func(s tensor.Shape) (gorgonia.Value, error) { return part[float64](op, in[0], 0, s) })
}

// LSTMGrad is the gradient of an LSTM layer by its gates, before their activation, from
// its [LSTMStates], its recurrent weights and the gradient by all h. The result is the
// states with the gradients in the place of the gates: a backend can work there, and the
// gradient by the recurrent weights needs both.
type LSTMGrad struct{ common }

// Type is matrix, matrix, matrix → matrix.
func (LSTMGrad) Type() hm.Type { return hm.NewFnType(matrix(), matrix(), matrix(), matrix()) }

// InferShape returns the shape of the states.
func (op LSTMGrad) InferShape(in ...gorgonia.DimSizer) (tensor.Shape, error) {
	s, err := shapes(op, in, 2, 2, 2)
	if err != nil {
		return nil, err
	}
	if s[2][1] != s[1][0] || s[0][1] != s[1][0] || s[0][0] <= 6*s[2][0] {
		return nil, fmt.Errorf("%v: shapes %v, %v and %v do not fit", op, s[0], s[1], s[2])
	}
	return s[0].Clone(), nil
}

// Layout returns that of the states.
func (op LSTMGrad) Layout(states, recurrent, dHidden []int) LSTMLayout {
	return NewLSTMLayout([]int{dHidden[0], recurrent[1]}, (states[0]-6*dHidden[0])/2)
}

// Flops counts the multiplications and additions.
func (LSTMGrad) Flops(in ...[]int) float64 {
	units := float64(in[1][0])
	return float64(in[2][0]) * (8*units*units + 25*units)
}

// Do is the reference.
func (op LSTMGrad) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	return do(op, in,
		func(s tensor.Shape) (gorgonia.Value, error) { return lstmGrad[float32](op, in, s) },
		func(s tensor.Shape) (gorgonia.Value, error) { return lstmGrad[float64](op, in, s) })
}

func lstmGrad[T float](op LSTMGrad, in []gorgonia.Value, shape tensor.Shape) (gorgonia.Value, error) {
	s, recurrent, err := pair[T](op, in[:2])
	if err != nil {
		return nil, err
	}
	dHidden, err := data[T](op, in[2])
	if err != nil {
		return nil, err
	}
	out, dz := newMatrix[T](shape)
	copy(dz, s)
	l := op.Layout(in[0].Shape(), in[1].Shape(), in[2].Shape())
	u := l.Units
	for r := range l.Rows {
		dc, after := make([]float64, u), make([]T, 4*u) // of the step after
		for t := l.Steps; t >= 1; t-- {
			active := s[l.Gates(t)+r*4*u:][:4*u]
			dt := dz[l.Gates(t)+r*4*u:][:4*u]
			for j := range u {
				dh := float64(dHidden[((t-1)*l.Rows+r)*u+j])
				for k, d := range after {
					dh += float64(d) * float64(recurrent[j*4*u+k])
				}
				i, f, g, o := float64(active[j]), float64(active[u+j]), float64(active[2*u+j]), float64(active[3*u+j])
				squashed, before := math.Tanh(float64(s[l.Cell(t)+r*u+j])), float64(s[l.Cell(t-1)+r*u+j])
				d := dc[j] + dh*o*(1-squashed*squashed)
				dt[j] = T(d * g * i * (1 - i))
				dt[u+j] = T(d * before * f * (1 - f))
				dt[2*u+j] = T(d * i * (1 - g*g))
				dt[3*u+j] = T(dh * squashed * o * (1 - o))
				dc[j] = d * f
			}
			after = dt
		}
	}
	return out, nil
}
