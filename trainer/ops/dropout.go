package ops

import (
	"fmt"
	"math"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/tenfold-ml/tenfold/trainer/philox"
)

// DropoutMask drops elements of a matrix at random and scales up the others, so
// that the expectation stays (inverted dropout: Srivastava et al. 2014, "Dropout: a
// simple way to prevent neural networks from overfitting"). The network without
// it is the one to predict with.
//
// The mask is stored nowhere: whether element i is kept is a function of (Seed,
// Layer, step, i), see [DropoutMask.Stream]. The operation is linear with a
// symmetric matrix, so its gradient is itself.
type DropoutMask struct {
	common
	// Seed is the root of the run's randomness.
	Seed uint64
	// Layer tells the masks of one network apart.
	Layer uint32
	// Keep is the probability of keeping an element, in units of 1/65536.
	Keep uint32
}

// Dropout returns the node of x [rows, columns] with elements dropped with
// probability p in [0, 1), rounded to a multiple of 1/65536. The step is a vector
// of one int64; it selects the mask.
func Dropout(x, step *gorgonia.Node, p float64, seed uint64, layer uint32) (*gorgonia.Node, error) {
	if !(p >= 0 && p < 1) {
		return nil, fmt.Errorf("dropout with probability %v, not in [0, 1)", p)
	}
	keep := max(uint32(math.Round((1-p)*65536)), 1)
	op := DropoutMask{common{fmt.Sprintf("dropout[p=%v seed=%d layer=%d]", p, seed, layer), 2}, seed, layer, keep}
	return gorgonia.ApplyOp(op, x, step)
}

// Stream returns the random stream of a step's mask. Its words, taken as 16-bit
// numbers with the lower half of a word first, belong to the elements in
// row-major order: block i decides elements 8i … 8i+7. An element is kept when
// its number is below Keep.
func (op DropoutMask) Stream(step int64) philox.Stream {
	return philox.New(op.Seed, philox.Dropout, op.Layer, uint64(step))
}

// Scale is what kept elements are multiplied by: one over the exact probability.
func (op DropoutMask) Scale() float64 { return 65536 / float64(op.Keep) }

// Type is matrix, step → matrix.
func (DropoutMask) Type() hm.Type {
	return hm.NewFnType(matrix(), vectorOf(tensor.Int64), matrix())
}

// InferShape returns the matrix's shape.
func (op DropoutMask) InferShape(in ...gorgonia.DimSizer) (tensor.Shape, error) {
	s, err := shapes(op, in, 2, 1)
	if err != nil {
		return nil, err
	}
	if s[1][0] != 1 {
		return nil, fmt.Errorf("%v: the step has shape %v, want one number", op, s[1])
	}
	return s[0].Clone(), nil
}

// Do is the reference.
func (op DropoutMask) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	return do(op, in,
		func(s tensor.Shape) (gorgonia.Value, error) { return dropout[float32](op, in, s) },
		func(s tensor.Shape) (gorgonia.Value, error) { return dropout[float64](op, in, s) })
}

func dropout[T float](op DropoutMask, in []gorgonia.Value, shape tensor.Shape) (gorgonia.Value, error) {
	x, err := data[T](op, in[0])
	if err != nil {
		return nil, err
	}
	step, err := data[int64](op, in[1])
	if err != nil {
		return nil, err
	}
	stream := op.Stream(step[0])
	out, y := newMatrix[T](shape)
	for i, v := range x {
		word := stream.Block(uint32(i / 8))[i%8/2]
		if word>>(16*(i%2))&0xffff < op.Keep {
			y[i] = v * T(op.Scale())
		}
	}
	return out, nil
}

// DiffWRT says that the matrix has a gradient.
func (DropoutMask) DiffWRT(int) []bool { return []bool{true, false} }

// SymDiff applies the same mask to the gradient.
func (op DropoutMask) SymDiff(in gorgonia.Nodes, _, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	dx, err := gorgonia.ApplyOp(op, grad, in[1])
	if err != nil {
		return nil, fmt.Errorf("differentiate dropout: %w", err)
	}
	return gorgonia.Nodes{dx, nil}, nil
}
