package cpu

import (
	"math"

	"github.com/tenfold-ml/tenfold/trainer/ops"
)

// lookup is y = table[symbol] + bias, a row for each symbol.
type lookup[T float] struct {
	pool                    *pool
	symbols, table, bias, y array[T]
	rows                    int // of the table
	part                    func(lo, hi int)
}

func newLookup[T float](p *pool, symbols, table, bias, y array[T], shape []int) *lookup[T] {
	l := &lookup[T]{pool: p, symbols: symbols, table: table, bias: bias, y: y, rows: shape[0]}
	l.part = l.some
	return l
}

func (l *lookup[T]) run() {
	l.pool.each(len(l.symbols.get()), grain/len(l.bias.get())+1, l.part)
}

// some looks up symbols lo … hi. What is no symbol gives NaN: a network that is fed
// nonsense must not look well.
func (l *lookup[T]) some(lo, hi int) {
	symbols, table, bias, y := l.symbols.get(), l.table.get(), l.bias.get(), l.y.get()
	n := len(bias)
	for i := lo; i < hi; i++ {
		out := y[i*n:][:n]
		symbol, ok := ops.Symbol(symbols[i], l.rows)
		if !ok {
			for j := range out {
				out[j] = T(math.NaN())
			}
			continue
		}
		row := table[symbol*n:][:n]
		for j, b := range bias {
			out[j] = row[j] + b
		}
	}
}

// lookupGrad adds each row of dy to its symbol's row of dt. Threads take columns, so
// each sum is in the order of the symbols.
type lookupGrad[T float] struct {
	pool            *pool
	symbols, dy, dt array[T]
	rows, cols      int // of the table
	part            func(lo, hi int)
}

func newLookupGrad[T float](p *pool, op ops.TableLookupGrad, symbols, dy, dt array[T], cols int) *lookupGrad[T] {
	l := &lookupGrad[T]{pool: p, symbols: symbols, dy: dy, dt: dt, rows: op.Rows, cols: cols}
	l.part = l.columns
	return l
}

func (l *lookupGrad[T]) run() {
	l.pool.each(l.cols, max(strip, grain/max(len(l.symbols.get()), 1)), l.part)
}

func (l *lookupGrad[T]) columns(lo, hi int) {
	symbols, dy, dt := l.symbols.get(), l.dy.get(), l.dt.get()
	for r := range l.rows {
		clear(dt[r*l.cols+lo : r*l.cols+hi])
	}
	for i, v := range symbols {
		symbol, ok := ops.Symbol(v, l.rows)
		if !ok {
			continue
		}
		sum, row := dt[symbol*l.cols+lo:symbol*l.cols+hi], dy[i*l.cols+lo:i*l.cols+hi]
		for j, d := range row {
			sum[j] += d
		}
	}
}
