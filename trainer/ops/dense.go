package ops

import (
	"fmt"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Linear is activation(x·w + b) of x [rows, in], w [in, out] and b [out].
type Linear struct {
	common
	Activation Activation
}

// Dense returns the node of a fully connected layer: activation(x·w + b), of shape
// [rows, out], for x [rows, in], w [in, out] and b [out].
func Dense(x, w, b *gorgonia.Node, a Activation) (*gorgonia.Node, error) {
	return gorgonia.ApplyOp(Linear{common{fmt.Sprintf("linear[%v]", a), 3}, a}, x, w, b)
}

// Type is matrix, matrix, vector → matrix.
func (Linear) Type() hm.Type { return hm.NewFnType(matrix(), matrix(), vector(), matrix()) }

// InferShape returns [rows, out].
func (op Linear) InferShape(in ...gorgonia.DimSizer) (tensor.Shape, error) {
	s, err := shapes(op, in, 2, 2, 1)
	if err != nil {
		return nil, err
	}
	if s[0][1] != s[1][0] || s[1][1] != s[2][0] {
		return nil, fmt.Errorf("%v: shapes %v, %v and %v do not fit", op, s[0], s[1], s[2])
	}
	return tensor.Shape{s[0][0], s[1][1]}, nil
}

// Flops counts the multiplications and additions.
func (Linear) Flops(in ...[]int) float64 {
	return 2 * float64(in[0][0]) * float64(in[0][1]) * float64(in[1][1])
}

// Do is the reference.
func (op Linear) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	return do(op, in,
		func(s tensor.Shape) (gorgonia.Value, error) { return linear[float32](op, in, s) },
		func(s tensor.Shape) (gorgonia.Value, error) { return linear[float64](op, in, s) })
}

func linear[T float](op Linear, in []gorgonia.Value, shape tensor.Shape) (gorgonia.Value, error) {
	x, err := data[T](op, in[0])
	if err != nil {
		return nil, err
	}
	w, err := data[T](op, in[1])
	if err != nil {
		return nil, err
	}
	b, err := data[T](op, in[2])
	if err != nil {
		return nil, err
	}
	out, y := newMatrix[T](shape)
	rows, cols, inner := shape[0], shape[1], in[0].Shape()[1]
	for i := range rows {
		for j := range cols {
			sum := float64(b[j])
			for k := range inner {
				sum += float64(x[i*inner+k]) * float64(w[k*cols+j])
			}
			y[i*cols+j] = T(op.Activation.apply(sum))
		}
	}
	return out, nil
}

// DiffWRT says that all operands have gradients.
func (Linear) DiffWRT(int) []bool { return []bool{true, true, true} }

// SymDiff returns the gradients: with dz the gradient before the activation,
// dx = dz·wᵀ, dw = xᵀ·dz, and db is the sum of dz over the rows.
func (op Linear) SymDiff(in gorgonia.Nodes, output, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	dz, err := beforeActivation(op.Activation, grad, output)
	if err != nil {
		return nil, err
	}
	dx, err := gorgonia.ApplyOp(newProduct(false, true), dz, in[1])
	if err != nil {
		return nil, fmt.Errorf("differentiate by the input: %w", err)
	}
	dw, err := gorgonia.ApplyOp(newProduct(true, false), in[0], dz)
	if err != nil {
		return nil, fmt.Errorf("differentiate by the weights: %w", err)
	}
	db, err := gorgonia.ApplyOp(ColumnSum{common{"column_sum", 1}}, dz)
	if err != nil {
		return nil, fmt.Errorf("differentiate by the bias: %w", err)
	}
	return gorgonia.Nodes{dx, dw, db}, nil
}
