package ops

import (
	"fmt"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Convolution is activation(x ⋆ w + b), a cross-correlation as is usual: of x
// [rows, Channels·Height·Width] with filters w [filters, Channels, Size, Size] and
// a bias b [filters]. The result is [rows, filters·positions], a plane of positions
// for each filter.
type Convolution struct {
	common
	Geometry   Geometry
	Activation Activation
}

// Conv returns the node of a convolutional layer.
func Conv(x, w, b *gorgonia.Node, g Geometry, a Activation) (*gorgonia.Node, error) {
	if err := g.Check(); err != nil {
		return nil, fmt.Errorf("convolution: %w", err)
	}
	return gorgonia.ApplyOp(Convolution{common{fmt.Sprintf("conv[%v %v]", a, g), 3}, g, a}, x, w, b)
}

func filters() hm.Type { return gorgonia.TensorType{Dims: 4, Of: element} }

// Type is matrix, filters, vector → matrix.
func (Convolution) Type() hm.Type { return hm.NewFnType(matrix(), filters(), vector(), matrix()) }

// InferShape returns [rows, filters·positions].
func (op Convolution) InferShape(in ...gorgonia.DimSizer) (tensor.Shape, error) {
	s, err := shapes(op, in, 2, 4, 1)
	if err != nil {
		return nil, err
	}
	if s[0][1] != op.Geometry.Inputs() || !op.Geometry.fits(s[1]) || s[1][0] != s[2][0] {
		return nil, fmt.Errorf("%v: shapes %v, %v and %v do not fit", op, s[0], s[1], s[2])
	}
	return tensor.Shape{s[0][0], s[1][0] * op.Geometry.Positions()}, nil
}

// fits reports whether filters have the window's shape.
func (g Geometry) fits(w tensor.Shape) bool {
	return w[1] == g.Channels && w[2] == g.Size && w[3] == g.Size
}

// Flops counts the multiplications and additions.
func (op Convolution) Flops(in ...[]int) float64 { return op.Geometry.flops(in[0][0], in[1][0]) }

// flops of the products of rows cases with a number of filters.
func (g Geometry) flops(rows, filters int) float64 {
	return 2 * float64(rows) * float64(filters) * float64(g.Taps()) * float64(g.Positions())
}

// Do is the reference.
func (op Convolution) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	return do(op, in,
		func(s tensor.Shape) (gorgonia.Value, error) { return convolution[float32](op, in, s) },
		func(s tensor.Shape) (gorgonia.Value, error) { return convolution[float64](op, in, s) })
}

func convolution[T float](op Convolution, in []gorgonia.Value, shape tensor.Shape) (gorgonia.Value, error) {
	x, w, err := pair[T](op, in)
	if err != nil {
		return nil, err
	}
	b, err := data[T](op, in[2])
	if err != nil {
		return nil, err
	}
	g := op.Geometry
	out, y := newMatrix[T](shape)
	inputs, taps, positions := g.Inputs(), g.Taps(), g.Positions()
	for row := range shape[0] {
		for k, bias := range b {
			sums := make([]float64, positions)
			for p := range sums {
				sums[p] = float64(bias)
			}
			g.each(func(in, tap, p int) { sums[p] += float64(x[row*inputs+in]) * float64(w[k*taps+tap]) })
			for p, sum := range sums {
				y[(row*len(b)+k)*positions+p] = T(op.Activation.apply(sum))
			}
		}
	}
	return out, nil
}

// pair returns the numbers of the first two operands.
func pair[T float](op gorgonia.Op, in []gorgonia.Value) (a, b []T, err error) {
	if a, err = data[T](op, in[0]); err != nil {
		return nil, nil, err
	}
	b, err = data[T](op, in[1])
	return a, b, err
}

// DiffWRT says that all operands have gradients.
func (Convolution) DiffWRT(int) []bool { return []bool{true, true, true} }

// SymDiff returns the gradients by the input, the filters and the bias.
func (op Convolution) SymDiff(in gorgonia.Nodes, output, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	dz, err := beforeActivation(op.Activation, grad, output)
	if err != nil {
		return nil, err
	}
	g := op.Geometry
	dx, err := gorgonia.ApplyOp(ConvInputGrad{common{fmt.Sprintf("conv_input_grad[%v]", g), 2}, g}, dz, in[1])
	if err != nil {
		return nil, fmt.Errorf("differentiate a convolution by its input: %w", err)
	}
	dw, err := gorgonia.ApplyOp(ConvFilterGrad{common{fmt.Sprintf("conv_filter_grad[%v]", g), 2}, g}, dz, in[0])
	if err != nil {
		return nil, fmt.Errorf("differentiate a convolution by its filters: %w", err)
	}
	db, err := gorgonia.ApplyOp(ChannelSum{common{fmt.Sprintf("channel_sum[%d]", g.Positions()), 1}, g.Positions()}, dz)
	if err != nil {
		return nil, fmt.Errorf("differentiate a convolution by its bias: %w", err)
	}
	return gorgonia.Nodes{dx, dw, db}, nil
}
