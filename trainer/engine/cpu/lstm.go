package cpu

import (
	"unsafe"

	"github.com/tenfold-ml/tenfold/trainer/ops"
)

// caseStrip is the unit in which recurrent layers split cases over threads: small, as
// there are few, and a multiple of what BLAS kernels work on.
const caseStrip = 4

// lstm runs a layer forwards. The recurrence is of each case alone, so a thread takes
// its cases through all steps, and threads meet at the end of the sequence only.
type lstm[T float] struct {
	pool                            *pool
	gemm                            multiplier[T]
	gates, recurrent, state, states array[T]
	layout                          ops.LSTMLayout
	cell                            lstmCell[T]
	part                            func(lo, hi int)
}

func newLSTM[T float](e *executable, g multiplier[T], gates, recurrent, state, states array[T], layout ops.LSTMLayout) *lstm[T] {
	l := &lstm[T]{
		pool: e.backend.pool, gemm: g, gates: gates, recurrent: recurrent, state: state, states: states,
		layout: layout, cell: newLSTMCell[T](),
	}
	l.part = l.cases
	return l
}

func (l *lstm[T]) run() { l.pool.each(l.layout.Rows, caseStrip, l.part) }

func (l *lstm[T]) cases(lo, hi int) {
	gates, recurrent, state, s := l.gates.get(), l.recurrent.get(), l.state.get(), l.states.get()
	n, u := l.layout.Rows, l.layout.Units
	copy(s[l.layout.Hidden(0):][lo*u:hi*u], state[lo*u:])
	copy(s[l.layout.Cell(0):][lo*u:hi*u], state[(n+lo)*u:])
	inPlace := &gates[0] == &s[0]
	for t := 1; t <= l.layout.Steps; t++ {
		from, to := lo*u, hi*u
		active := s[l.layout.Gates(t):][4*from : 4*to]
		if !inPlace {
			copy(active, gates[l.layout.Gates(t)+4*from:])
		}
		l.gemm.gemm(false, false, hi-lo, 4*u, u, s[l.layout.Hidden(t-1)+from:], u, recurrent, 4*u, 1, active, 4*u)
		l.cell.forward(u, active, s[l.layout.Cell(t-1):][from:to], s[l.layout.Cell(t):][from:to], s[l.layout.Hidden(t):][from:to])
	}
}

// lstmGrad runs a layer backwards, in the same way.
type lstmGrad[T float] struct {
	pool                             *pool
	gemm                             multiplier[T]
	states, recurrent, dHidden, back array[T]
	layout                           ops.LSTMLayout
	cell                             lstmCell[T]
	dh, dc                           []T // [rows, units] from the step after
	part                             func(lo, hi int)
}

func newLSTMGrad[T float](e *executable, g multiplier[T], states, recurrent, dHidden, back array[T], layout ops.LSTMLayout) *lstmGrad[T] {
	l := &lstmGrad[T]{
		pool: e.backend.pool, gemm: g, states: states, recurrent: recurrent, dHidden: dHidden, back: back,
		layout: layout, cell: newLSTMCell[T](),
		dh: alignedOf[T](layout.Rows * layout.Units), dc: alignedOf[T](layout.Rows * layout.Units),
	}
	l.part = l.cases
	return l
}

func alignedOf[T float](n int) []T {
	var zero T
	memory := alignedBytes(n * sizeOf(zero))
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(memory))), n)
}

func (l *lstmGrad[T]) run() { l.pool.each(l.layout.Rows, caseStrip, l.part) }

func (l *lstmGrad[T]) cases(lo, hi int) {
	s, recurrent, dHidden, back := l.states.get(), l.recurrent.get(), l.dHidden.get(), l.back.get()
	u := l.layout.Units
	from, to := lo*u, hi*u
	dh, dc := l.dh[from:to], l.dc[from:to]
	clear(dh)
	clear(dc)
	if &s[0] != &back[0] {
		l.copyStates(s, back, from, to)
	}
	for t := l.layout.Steps; t >= 1; t-- {
		dz := back[l.layout.Gates(t):][4*from : 4*to]
		l.cell.backward(u, dHidden[(t-1)*l.layout.Rows*u:][from:to], dh, dc, s[l.layout.Gates(t):][4*from:4*to],
			s[l.layout.Cell(t-1):][from:to], s[l.layout.Cell(t):][from:to], dz)
		if t > 1 {
			l.gemm.gemm(false, true, hi-lo, u, 4*u, dz, 4*u, recurrent, 4*u, 0, dh, u)
		}
	}
}

// copyStates copies what is not a gate, where the states are needed afterwards.
func (l *lstmGrad[T]) copyStates(s, back []T, from, to int) {
	for t := range l.layout.Steps + 1 {
		copy(back[l.layout.Hidden(t):][from:to], s[l.layout.Hidden(t):][from:to])
		copy(back[l.layout.Cell(t):][from:to], s[l.layout.Cell(t):][from:to])
	}
}

// lstmCell is what an LSTM layer computes of a step besides the product: for some
// cases, each of so many units.
type lstmCell[T float] struct {
	// forward applies the gates' activations to their sums, active, and computes the
	// cell from that before the step, and the hidden state.
	forward func(units int, active, before, cell, hidden []T)
	// backward computes the gradient dz before the gates' activations, from those
	// by the hidden state, from above and from the step after, and replaces dc, the
	// gradient by the cell, by that of the step before. dz may be active.
	backward func(units int, dHidden, dh, dc, active, before, cell, dz []T)
}

func newLSTMCell[T float]() lstmCell[T] {
	if vectors, ok := vectorLSTMCell(); ok {
		if c, ok := any(vectors).(lstmCell[T]); ok { // T is float32
			return c
		}
	}
	c := newScalarLSTMCell[T]()
	return lstmCell[T]{c.forward, c.backward}
}

// scalarLSTMCell is the cell in Go.
type scalarLSTMCell[T float] struct{ sigmoid, tanh func(x []T) }

func newScalarLSTMCell[T float]() scalarLSTMCell[T] {
	return scalarLSTMCell[T]{fastActivation[T](ops.Sigmoid), fastActivation[T](ops.Tanh)}
}

func (l scalarLSTMCell[T]) forward(units int, active, before, cell, hidden []T) {
	for at := 0; at < len(cell); at += units {
		a := active[4*at:][:4*units]
		l.sigmoid(a[:2*units])
		l.tanh(a[2*units : 3*units])
		l.sigmoid(a[3*units:])
		i, f, g, o := a[:units], a[units:2*units], a[2*units:3*units], a[3*units:]
		b, c, h := before[at:][:units], cell[at:][:units], hidden[at:][:units]
		for j := range i {
			c[j] = f[j]*b[j] + i[j]*g[j]
		}
		copy(h, c)
		l.tanh(h)
		for j := range h {
			h[j] *= o[j]
		}
	}
}

func (l scalarLSTMCell[T]) backward(units int, dHidden, dh, dc, active, before, cell, dz []T) {
	const run = 64 // of tanh(c), computed again
	var squashed [run]T
	for at := 0; at < len(dh); at += units {
		a, d := active[4*at:][:4*units], dz[4*at:][:4*units]
		i, f, g, o := a[:units], a[units:2*units], a[2*units:3*units], a[3*units:]
		di, df, dg, do := d[:units], d[units:2*units], d[2*units:3*units], d[3*units:]
		above, after, dCell, b := dHidden[at:][:units], dh[at:][:units], dc[at:][:units], before[at:][:units]
		for j := range i {
			if j%run == 0 {
				l.tanh(squashed[:copy(squashed[:], cell[at+j:at+units])])
			}
			q := squashed[j%run]
			i, f, g, o := i[j], f[j], g[j], o[j] // dz may be active
			h := above[j] + after[j]
			c := dCell[j] + h*o*((1-q)*(1+q))
			di[j] = c * g * (i * (1 - i))
			df[j] = c * b[j] * (f * (1 - f))
			dg[j] = c * i * ((1 - g) * (1 + g))
			do[j] = h * q * (o * (1 - o))
			dCell[j] = c * f
		}
	}
}
