package cpu

import "github.com/tenfold-ml/tenfold/trainer/ops"

// sequenceOrder takes x as [outer][inner][block] and writes [inner][outer][block].
type sequenceOrder[T float] struct {
	pool                *pool
	x, y                array[T]
	outer, inner, block int
	part                func(lo, hi int)
}

func newSequenceOrder[T float](p *pool, op ops.SequenceOrder, x, y array[T], shape []int) *sequenceOrder[T] {
	s := &sequenceOrder[T]{pool: p, x: x, y: y}
	s.outer, s.inner, s.block = op.Sizes(shape)
	s.part = s.blocks
	return s
}

func (s *sequenceOrder[T]) run() {
	s.pool.each(s.inner, grain/max(s.outer*s.block, 1)+1, s.part)
}

// blocks writes the result's outer indices lo … hi.
func (s *sequenceOrder[T]) blocks(lo, hi int) {
	x, y := s.x.get(), s.y.get()
	for j := lo; j < hi; j++ {
		out := y[j*s.outer*s.block:][:s.outer*s.block]
		if s.block == 1 { // one number a step: a transposition
			for i := range out {
				out[i] = x[i*s.inner+j]
			}
			continue
		}
		for i := range s.outer {
			copy(out[i*s.block:][:s.block], x[(i*s.inner+j)*s.block:])
		}
	}
}

// selection copies a part of a value that is a result of the program.
type selection[T float] struct {
	x, y  array[T]
	start int
}

func (s *selection[T]) run() {
	y := s.y.get()
	copy(y, s.x.get()[s.start:][:len(y)])
}

// rowRangeGrad puts dy where the rows came from and zeros around it.
type rowRangeGrad[T float] struct {
	dy, dx array[T]
	start  int
}

func (r *rowRangeGrad[T]) run() {
	dy, dx := r.dy.get(), r.dx.get()
	clear(dx[:r.start])
	copy(dx[r.start:], dy)
	clear(dx[r.start+len(dy):])
}
