package ops

import (
	"fmt"
	"hash"
	"hash/fnv"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// float is what the operations compute in.
type float interface{ float32 | float64 }

// common has what is the same for all operations. The description tells
// operations apart: Gorgonia merges nodes whose operations and operands are
// described alike.
type common struct {
	description string
	arity       int
}

// Arity returns the number of operands.
func (c common) Arity() int { return c.arity }

// ReturnsPtr is false: results are new values.
func (common) ReturnsPtr() bool { return false }

// CallsExtern is false.
func (common) CallsExtern() bool { return false }

// OverwritesInput is -1, none: the reference never writes to its operands.
func (common) OverwritesInput() int { return -1 }

// WriteHash identifies the operation within a graph.
func (c common) WriteHash(h hash.Hash) { fmt.Fprint(h, c.description) }

// Hashcode is WriteHash's outcome.
func (c common) Hashcode() uint32 {
	h := fnv.New32a()
	c.WriteHash(h)
	return h.Sum32()
}

func (c common) String() string { return c.description }

// element is the type variable for whatever float a graph is in.
const element = hm.TypeVariable('a')

func matrix() hm.Type            { return gorgonia.TensorType{Dims: 2, Of: element} }
func vector() hm.Type            { return gorgonia.TensorType{Dims: 1, Of: element} }
func vectorOf(t hm.Type) hm.Type { return gorgonia.TensorType{Dims: 1, Of: t} }

// shapes returns the operands' shapes after checking their number and, where
// dims has an entry, each one's number of dimensions.
func shapes(op gorgonia.Op, in []gorgonia.DimSizer, dims ...int) ([]tensor.Shape, error) {
	if len(in) != op.Arity() {
		return nil, fmt.Errorf("%v takes %d operands, not %d", op, op.Arity(), len(in))
	}
	s, err := gorgonia.DimSizersToShapes(in)
	if err != nil {
		return nil, fmt.Errorf("%v: %w", op, err)
	}
	for i, d := range dims {
		if len(s[i]) != d {
			return nil, fmt.Errorf("%v: operand %d has shape %v, want %d dimensions", op, i, s[i], d)
		}
	}
	return s, nil
}

// valueShapes is InferShape at run time: it checks the operands of Do and
// returns the shape of its result.
func valueShapes(op gorgonia.Op, in []gorgonia.Value) (tensor.Shape, error) {
	sizers := make([]gorgonia.DimSizer, len(in))
	for i, v := range in {
		sizers[i] = v.Shape()
	}
	return op.InferShape(sizers...)
}

// do runs the reference in the type of the first operand.
func do(op gorgonia.Op, in []gorgonia.Value, f32, f64 func(shape tensor.Shape) (gorgonia.Value, error)) (gorgonia.Value, error) {
	shape, err := valueShapes(op, in)
	if err != nil {
		return nil, err
	}
	switch t := in[0].Dtype(); t {
	case tensor.Float32:
		return f32(shape)
	case tensor.Float64:
		return f64(shape)
	default:
		return nil, fmt.Errorf("%v of %v is not implemented", op, t)
	}
}

// data returns the numbers of a tensor.
func data[T any](op gorgonia.Op, v gorgonia.Value) ([]T, error) {
	d, ok := v.Data().([]T)
	if !ok {
		return nil, fmt.Errorf("%v: operand is %T, want %T", op, v.Data(), d)
	}
	return d, nil
}

func newMatrix[T float](shape tensor.Shape) (gorgonia.Value, []T) {
	d := make([]T, shape.TotalSize())
	return tensor.New(tensor.WithShape(shape.Clone()...), tensor.WithBacking(d)), d
}

func newScalar[T float](v float64) gorgonia.Value {
	var zero T
	if _, ok := any(zero).(float32); ok {
		return gorgonia.NewF32(float32(v))
	}
	return gorgonia.NewF64(v)
}
