package ops

import (
	"fmt"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Product is the matrix product a·b, with either factor transposed first. It
// occurs in gradients and has none itself.
type Product struct {
	common
	TransA, TransB bool
}

func newProduct(transA, transB bool) Product {
	t := map[bool]string{true: "t", false: "n"}
	return Product{common{"product[" + t[transA] + t[transB] + "]", 2}, transA, transB}
}

// Type is matrix, matrix → matrix.
func (Product) Type() hm.Type { return hm.NewFnType(matrix(), matrix(), matrix()) }

// InferShape returns the product's shape.
func (op Product) InferShape(in ...gorgonia.DimSizer) (tensor.Shape, error) {
	s, err := shapes(op, in, 2, 2)
	if err != nil {
		return nil, err
	}
	m, k, n := op.Sizes(s[0], s[1])
	if kb := s[1].TotalSize() / max(n, 1); kb != k {
		return nil, fmt.Errorf("%v: shapes %v and %v do not fit", op, s[0], s[1])
	}
	return tensor.Shape{m, n}, nil
}

// Sizes returns the rows of the product, the length of its sums, and its columns,
// given its factors' shapes.
func (op Product) Sizes(a, b []int) (m, k, n int) {
	m, k, n = a[0], a[1], b[1]
	if op.TransA {
		m, k = k, m
	}
	if op.TransB {
		n = b[0]
	}
	return m, k, n
}

// Flops counts the multiplications and additions.
func (op Product) Flops(in ...[]int) float64 {
	m, k, n := op.Sizes(in[0], in[1])
	return 2 * float64(m) * float64(k) * float64(n)
}

// Do is the reference.
func (op Product) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	return do(op, in,
		func(s tensor.Shape) (gorgonia.Value, error) { return product[float32](op, in, s) },
		func(s tensor.Shape) (gorgonia.Value, error) { return product[float64](op, in, s) })
}

func product[T float](op Product, in []gorgonia.Value, shape tensor.Shape) (gorgonia.Value, error) {
	a, err := data[T](op, in[0])
	if err != nil {
		return nil, err
	}
	b, err := data[T](op, in[1])
	if err != nil {
		return nil, err
	}
	out, c := newMatrix[T](shape)
	m, inner, n := op.Sizes(in[0].Shape(), in[1].Shape())
	rowA, colA, rowB, colB := inner, 1, n, 1
	if op.TransA {
		rowA, colA = 1, m
	}
	if op.TransB {
		rowB, colB = 1, inner
	}
	for i := range m {
		for j := range n {
			sum := 0.0
			for k := range inner {
				sum += float64(a[i*rowA+k*colA]) * float64(b[k*rowB+j*colB])
			}
			c[i*n+j] = T(sum)
		}
	}
	return out, nil
}

// ColumnSum is the sum of a matrix over its rows: the gradient of a bias.
type ColumnSum struct{ common }

// Type is matrix → vector.
func (ColumnSum) Type() hm.Type { return hm.NewFnType(matrix(), vector()) }

// InferShape returns the number of columns.
func (op ColumnSum) InferShape(in ...gorgonia.DimSizer) (tensor.Shape, error) {
	s, err := shapes(op, in, 2)
	if err != nil {
		return nil, err
	}
	return tensor.Shape{s[0][1]}, nil
}

// Do is the reference.
func (op ColumnSum) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	return do(op, in,
		func(s tensor.Shape) (gorgonia.Value, error) { return columnSum[float32](op, in, s) },
		func(s tensor.Shape) (gorgonia.Value, error) { return columnSum[float64](op, in, s) })
}

func columnSum[T float](op ColumnSum, in []gorgonia.Value, shape tensor.Shape) (gorgonia.Value, error) {
	x, err := data[T](op, in[0])
	if err != nil {
		return nil, err
	}
	out, y := newMatrix[T](shape)
	for j := range y {
		sum := 0.0
		for i := j; i < len(x); i += len(y) {
			sum += float64(x[i])
		}
		y[j] = T(sum)
	}
	return out, nil
}
