package cpu

import "github.com/tenfold-ml/tenfold/trainer/ops"

// strip is the unit in which products are split over threads: a multiple of the
// tiles that BLAS kernels work on.
const strip = 16

// product is c = op(a)·op(b). Threads take strips of rows or of columns of c,
// whichever c has more of, and nothing is shared between them but a and b.
type product[T float] struct {
	pool           *pool
	gemm           multiplier[T]
	transA, transB bool
	m, k, n        int
	a, b, c        array[T]
	part           func(lo, hi int) // rows or columns, made once
}

func newProduct[T float](p *pool, g multiplier[T], op ops.Product, a, b, c array[T], shapeA, shapeB []int) *product[T] {
	m, k, n := op.Sizes(shapeA, shapeB)
	q := &product[T]{pool: p, gemm: g, transA: op.TransA, transB: op.TransB, m: m, k: k, n: n, a: a, b: b, c: c}
	q.part = q.rows
	if n > m {
		q.part = q.columns
	}
	return q
}

func (p *product[T]) run() { p.pool.each(max(p.m, p.n), strip, p.part) }

func (p *product[T]) rows(lo, hi int)    { p.block(lo, hi, 0, p.n, 0) }
func (p *product[T]) columns(lo, hi int) { p.block(0, p.m, lo, hi, 0) }

// block computes rows i0 … i1 and columns j0 … j1 of c, adding to beta·c.
func (p *product[T]) block(i0, i1, j0, j1 int, beta T) {
	lda, ldb := p.k, p.n
	if p.transA {
		lda = p.m
	}
	if p.transB {
		ldb = p.k
	}
	p.gemm.gemm(p.transA, p.transB, i1-i0, j1-j0, p.k,
		p.a.get()[at(p.transA, i0, 0, lda):], lda, p.b.get()[at(p.transB, 0, j0, ldb):], ldb,
		beta, p.c.get()[i0*p.n+j0:], p.n)
}

// linear is c = activation(a·b + bias). Each thread finishes its part of c while
// it is in the cache.
type linear[T float] struct {
	product[T]
	bias       array[T]
	activation ops.Activation
}

func newLinear[T float](p *pool, g multiplier[T], op ops.Linear, x, w, bias, y array[T], shapeX, shapeW []int) *linear[T] {
	l := &linear[T]{
		product: product[T]{pool: p, gemm: g, m: shapeX[0], k: shapeX[1], n: shapeW[1], a: x, b: w, c: y},
		bias:    bias, activation: op.Activation,
	}
	l.part = l.rows
	if l.n > l.m {
		l.part = l.columns
	}
	return l
}

func (l *linear[T]) rows(lo, hi int)    { l.fused(lo, hi, 0, l.n) }
func (l *linear[T]) columns(lo, hi int) { l.fused(0, l.m, lo, hi) }

func (l *linear[T]) fused(i0, i1, j0, j1 int) {
	bias, y := l.bias.get()[j0:j1], l.c.get()
	for i := i0; i < i1; i++ {
		copy(y[i*l.n+j0:i*l.n+j1], bias)
	}
	l.block(i0, i1, j0, j1, 1)
	for i := i0; i < i1; i++ {
		activate(l.activation, y[i*l.n+j0:i*l.n+j1])
	}
}

// columnSum is y = Σ rows of x. Threads take columns, so each sum is in the order
// of the rows.
type columnSum[T float] struct {
	pool *pool
	x, y array[T]
	cols int
	part func(lo, hi int)
}

func newColumnSum[T float](p *pool, x, y array[T], shape []int) *columnSum[T] {
	c := &columnSum[T]{pool: p, x: x, y: y, cols: shape[1]}
	c.part = c.columns
	return c
}

func (c *columnSum[T]) run() {
	c.pool.each(c.cols, max(strip, grain/max(len(c.x.get())/c.cols, 1)), c.part)
}

func (c *columnSum[T]) columns(lo, hi int) {
	x, y := c.x.get(), c.y.get()[lo:hi]
	clear(y)
	// Four rows at a time, one after the other, to load and store y less often.
	for ; len(x) >= 4*c.cols; x = x[4*c.cols:] {
		r0, r1 := x[lo:][:len(y)], x[c.cols+lo:][:len(y)]
		r2, r3 := x[2*c.cols+lo:][:len(y)], x[3*c.cols+lo:][:len(y)]
		for j, v := range y {
			y[j] = v + r0[j] + r1[j] + r2[j] + r3[j]
		}
	}
	for ; len(x) > 0; x = x[c.cols:] {
		for j, v := range x[lo:][:len(y)] {
			y[j] += v
		}
	}
}
