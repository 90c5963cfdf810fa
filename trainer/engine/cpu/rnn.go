package cpu

import "github.com/tenfold-ml/tenfold/trainer/ops"

// rnn runs a plain recurrent layer forwards, a thread's cases through all steps.
type rnn[T float] struct {
	pool                          *pool
	gemm                          multiplier[T]
	activate                      func(x []T)
	pre, recurrent, state, states array[T]
	rows, units                   int
	part                          func(lo, hi int)
}

func newRNN[T float](p *pool, g multiplier[T], op ops.RNNStates, pre, recurrent, state, states array[T], shape []int) *rnn[T] {
	r := &rnn[T]{
		pool: p, gemm: g, activate: fastActivation[T](op.Activation), pre: pre, recurrent: recurrent, state: state, states: states,
		rows: shape[0], units: shape[1],
	}
	r.part = r.cases
	return r
}

func (r *rnn[T]) run() { r.pool.each(r.rows, caseStrip, r.part) }

func (r *rnn[T]) cases(lo, hi int) {
	pre, recurrent, s := r.pre.get(), r.recurrent.get(), r.states.get()
	u, step := r.units, r.rows*r.units
	copy(s[lo*u:hi*u], r.state.get()[lo*u:])
	for at := 0; at < len(pre); at += step {
		h := s[at+step+lo*u : at+step+hi*u]
		copy(h, pre[at+lo*u:])
		r.gemm.gemm(false, false, hi-lo, u, u, s[at+lo*u:], u, recurrent, u, 1, h, u)
		r.activate(h)
	}
}

// rnnGrad runs a plain recurrent layer backwards.
type rnnGrad[T float] struct {
	pool                             *pool
	gemm                             multiplier[T]
	activation                       ops.Activation
	states, recurrent, dHidden, dPre array[T]
	rows, units                      int
	part                             func(lo, hi int)
}

func newRNNGrad[T float](p *pool, g multiplier[T], op ops.RNNGrad, states, recurrent, dHidden, dPre array[T], shapeStates, shape []int) *rnnGrad[T] {
	r := &rnnGrad[T]{
		pool: p, gemm: g, activation: op.Activation, states: states, recurrent: recurrent, dHidden: dHidden, dPre: dPre,
		rows: shapeStates[0] - shape[0], units: shape[1],
	}
	r.part = r.cases
	return r
}

func (r *rnnGrad[T]) run() { r.pool.each(r.rows, caseStrip, r.part) }

func (r *rnnGrad[T]) cases(lo, hi int) {
	s, recurrent, dHidden, dPre := r.states.get(), r.recurrent.get(), r.dHidden.get(), r.dPre.get()
	u, step := r.units, r.rows*r.units
	for at := len(dPre) - step; at >= 0; at -= step {
		dz := dPre[at+lo*u : at+hi*u]
		copy(dz, dHidden[at+lo*u:])
		if at+step < len(dPre) {
			r.gemm.gemm(false, true, hi-lo, u, u, dPre[at+step+lo*u:], u, recurrent, u, 1, dz, u)
		}
		slope(r.activation, dz, s[at+step+lo*u:][:len(dz)], dz)
	}
}
