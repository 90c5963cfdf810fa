package ops

import (
	"fmt"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// TableLookup is a row of a table for each symbol, plus a bias: the product of one-
// hot rows with the table, without making those rows.
type TableLookup struct{ common }

// Lookup returns the node of table[symbol] + bias, [n, columns], for symbols [n, 1],
// a table [V, columns] and a bias [columns]. Symbols are whole numbers in [0, V) held
// as floats, and have no gradient. The reference refuses others; kernels, which
// cannot fail, give rows of NaN for them and leave them out of the gradient.
func Lookup(symbols, table, bias *gorgonia.Node) (*gorgonia.Node, error) {
	return gorgonia.ApplyOp(TableLookup{common{"lookup", 3}}, symbols, table, bias)
}

// Symbol returns which row of a table of that many rows a float means, and whether
// it means one.
func Symbol[T float](v T, rows int) (int, bool) {
	if v >= 0 && v < T(rows) { // which is false of NaN
		return int(v), T(int(v)) == v
	}
	return 0, false
}

// Type is matrix, matrix, vector → matrix.
func (TableLookup) Type() hm.Type { return hm.NewFnType(matrix(), matrix(), vector(), matrix()) }

// InferShape returns [n, columns].
func (op TableLookup) InferShape(in ...gorgonia.DimSizer) (tensor.Shape, error) {
	s, err := shapes(op, in, 2, 2, 1)
	if err != nil {
		return nil, err
	}
	if s[0][1] != 1 || s[1][1] != s[2][0] {
		return nil, fmt.Errorf("%v: shapes %v, %v and %v do not fit", op, s[0], s[1], s[2])
	}
	return tensor.Shape{s[0][0], s[1][1]}, nil
}

// Do is the reference.
func (op TableLookup) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	return do(op, in,
		func(s tensor.Shape) (gorgonia.Value, error) { return lookup[float32](op, in, s) },
		func(s tensor.Shape) (gorgonia.Value, error) { return lookup[float64](op, in, s) })
}

func lookup[T float](op TableLookup, in []gorgonia.Value, shape tensor.Shape) (gorgonia.Value, error) {
	symbols, table, err := pair[T](op, in[:2])
	if err != nil {
		return nil, err
	}
	bias, err := data[T](op, in[2])
	if err != nil {
		return nil, err
	}
	out, y := newMatrix[T](shape)
	n := shape[1]
	for i, v := range symbols {
		row, ok := Symbol(v, in[1].Shape()[0])
		if !ok {
			return nil, fmt.Errorf("%v: symbol %v of row %d is not one of %d", op, v, i, in[1].Shape()[0])
		}
		for j, b := range bias {
			y[i*n+j] = T(float64(table[row*n+j]) + float64(b))
		}
	}
	return out, nil
}

// DiffWRT says that the table and the bias have gradients.
func (TableLookup) DiffWRT(int) []bool { return []bool{false, true, true} }

// SymDiff returns the gradients: a row of the table has the sum of those of its
// symbol's rows.
func (op TableLookup) SymDiff(in gorgonia.Nodes, _, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	rows := in[1].Shape()[0]
	dt, err := gorgonia.ApplyOp(TableLookupGrad{common{fmt.Sprintf("lookup_grad[%d]", rows), 2}, rows}, in[0], grad)
	if err != nil {
		return nil, fmt.Errorf("differentiate by the table: %w", err)
	}
	db, err := gorgonia.ApplyOp(ColumnSum{common{"column_sum", 1}}, grad)
	if err != nil {
		return nil, fmt.Errorf("differentiate by the bias: %w", err)
	}
	return gorgonia.Nodes{nil, dt, db}, nil
}

// TableLookupGrad is the gradient of [TableLookup] by the table, from the symbols
// and the gradient of its result. Each sum is in the order of the symbols.
type TableLookupGrad struct {
	common
	// Rows is the table's number of them.
	Rows int
}

// Type is matrix, matrix → matrix.
func (TableLookupGrad) Type() hm.Type { return hm.NewFnType(matrix(), matrix(), matrix()) }

// InferShape returns [Rows, columns].
func (op TableLookupGrad) InferShape(in ...gorgonia.DimSizer) (tensor.Shape, error) {
	s, err := shapes(op, in, 2, 2)
	if err != nil {
		return nil, err
	}
	if s[0][0] != s[1][0] || s[0][1] != 1 {
		return nil, fmt.Errorf("%v: shapes %v and %v do not fit", op, s[0], s[1])
	}
	return tensor.Shape{op.Rows, s[1][1]}, nil
}

// Flops counts the additions.
func (TableLookupGrad) Flops(in ...[]int) float64 { return float64(in[1][0]) * float64(in[1][1]) }

// Do is the reference.
func (op TableLookupGrad) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	return do(op, in,
		func(s tensor.Shape) (gorgonia.Value, error) { return lookupGrad[float32](op, in, s) },
		func(s tensor.Shape) (gorgonia.Value, error) { return lookupGrad[float64](op, in, s) })
}

func lookupGrad[T float](op TableLookupGrad, in []gorgonia.Value, shape tensor.Shape) (gorgonia.Value, error) {
	symbols, dy, err := pair[T](op, in)
	if err != nil {
		return nil, err
	}
	out, dt := newMatrix[T](shape)
	n := shape[1]
	sums := make([]float64, len(dt))
	for i, v := range symbols {
		row, ok := Symbol(v, op.Rows)
		if !ok {
			return nil, fmt.Errorf("%v: symbol %v of row %d is not one of %d", op, v, i, op.Rows)
		}
		for j := range n {
			sums[row*n+j] += float64(dy[i*n+j])
		}
	}
	for i, sum := range sums {
		dt[i] = T(sum)
	}
	return out, nil
}
