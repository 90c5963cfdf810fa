package ops

import (
	"fmt"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// ConvInputGrad is the gradient of [Convolution] by its input, from that of its
// sums, dz [rows, filters·positions], and its filters.
type ConvInputGrad struct {
	common
	Geometry Geometry
}

// Type is matrix, filters → matrix.
func (ConvInputGrad) Type() hm.Type { return hm.NewFnType(matrix(), filters(), matrix()) }

// InferShape returns [rows, Channels·Height·Width].
func (op ConvInputGrad) InferShape(in ...gorgonia.DimSizer) (tensor.Shape, error) {
	s, err := shapes(op, in, 2, 4)
	if err != nil {
		return nil, err
	}
	if !op.Geometry.fits(s[1]) || s[0][1] != s[1][0]*op.Geometry.Positions() {
		return nil, fmt.Errorf("%v: shapes %v and %v do not fit", op, s[0], s[1])
	}
	return tensor.Shape{s[0][0], op.Geometry.Inputs()}, nil
}

// Flops counts the multiplications and additions.
func (op ConvInputGrad) Flops(in ...[]int) float64 { return op.Geometry.flops(in[0][0], in[1][0]) }

// Do is the reference.
func (op ConvInputGrad) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	return do(op, in,
		func(s tensor.Shape) (gorgonia.Value, error) { return convInputGrad[float32](op, in, s) },
		func(s tensor.Shape) (gorgonia.Value, error) { return convInputGrad[float64](op, in, s) })
}

func convInputGrad[T float](op ConvInputGrad, in []gorgonia.Value, shape tensor.Shape) (gorgonia.Value, error) {
	dz, w, err := pair[T](op, in)
	if err != nil {
		return nil, err
	}
	g := op.Geometry
	out, dx := newMatrix[T](shape)
	taps, positions := g.Taps(), g.Positions()
	n := len(w) / taps
	for row := range shape[0] {
		sums := make([]float64, g.Inputs())
		for k := range n {
			g.each(func(in, tap, p int) {
				sums[in] += float64(dz[(row*n+k)*positions+p]) * float64(w[k*taps+tap])
			})
		}
		for i, sum := range sums {
			dx[row*len(sums)+i] = T(sum)
		}
	}
	return out, nil
}

// ConvFilterGrad is the gradient of [Convolution] by its filters, from that of its
// sums, dz [rows, filters·positions], and its input.
type ConvFilterGrad struct {
	common
	Geometry Geometry
}

// Type is matrix, matrix → filters.
func (ConvFilterGrad) Type() hm.Type { return hm.NewFnType(matrix(), matrix(), filters()) }

// InferShape returns [filters, Channels, Size, Size].
func (op ConvFilterGrad) InferShape(in ...gorgonia.DimSizer) (tensor.Shape, error) {
	s, err := shapes(op, in, 2, 2)
	if err != nil {
		return nil, err
	}
	g := op.Geometry
	if s[0][0] != s[1][0] || s[1][1] != g.Inputs() || s[0][1]%g.Positions() != 0 {
		return nil, fmt.Errorf("%v: shapes %v and %v do not fit", op, s[0], s[1])
	}
	return tensor.Shape{s[0][1] / g.Positions(), g.Channels, g.Size, g.Size}, nil
}

// Flops counts the multiplications and additions.
func (op ConvFilterGrad) Flops(in ...[]int) float64 {
	return op.Geometry.flops(in[0][0], in[0][1]/op.Geometry.Positions())
}

// Do is the reference.
func (op ConvFilterGrad) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	return do(op, in,
		func(s tensor.Shape) (gorgonia.Value, error) { return convFilterGrad[float32](op, in, s) },
		func(s tensor.Shape) (gorgonia.Value, error) { return convFilterGrad[float64](op, in, s) })
}

func convFilterGrad[T float](op ConvFilterGrad, in []gorgonia.Value, shape tensor.Shape) (gorgonia.Value, error) {
	dz, x, err := pair[T](op, in)
	if err != nil {
		return nil, err
	}
	g := op.Geometry
	out, dw := newMatrix[T](shape)
	inputs, taps, positions := g.Inputs(), g.Taps(), g.Positions()
	for k := range shape[0] {
		sums := make([]float64, taps)
		for row := range len(x) / inputs {
			g.each(func(in, tap, p int) {
				sums[tap] += float64(dz[(row*shape[0]+k)*positions+p]) * float64(x[row*inputs+in])
			})
		}
		for tap, sum := range sums {
			dw[k*taps+tap] = T(sum)
		}
	}
	return out, nil
}

// ChannelSum is the sum over the rows and over each channel's positions: the
// gradient of a convolution's bias.
type ChannelSum struct {
	common
	Positions int
}

// Type is matrix → vector.
func (ChannelSum) Type() hm.Type { return hm.NewFnType(matrix(), vector()) }

// InferShape returns the number of channels.
func (op ChannelSum) InferShape(in ...gorgonia.DimSizer) (tensor.Shape, error) {
	s, err := shapes(op, in, 2)
	if err != nil {
		return nil, err
	}
	if s[0][1]%op.Positions != 0 {
		return nil, fmt.Errorf("%v: shape %v does not fit", op, s[0])
	}
	return tensor.Shape{s[0][1] / op.Positions}, nil
}

// Do is the reference.
func (op ChannelSum) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	return do(op, in,
		func(s tensor.Shape) (gorgonia.Value, error) { return channelSum[float32](op, in, s) },
		func(s tensor.Shape) (gorgonia.Value, error) { return channelSum[float64](op, in, s) })
}

func channelSum[T float](op ChannelSum, in []gorgonia.Value, shape tensor.Shape) (gorgonia.Value, error) {
	x, err := data[T](op, in[0])
	if err != nil {
		return nil, err
	}
	out, y := newMatrix[T](shape)
	sums := make([]float64, len(y))
	for i, v := range x {
		sums[i/op.Positions%len(y)] += float64(v)
	}
	for k, sum := range sums {
		y[k] = T(sum)
	}
	return out, nil
}
