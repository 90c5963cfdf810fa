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
	copy(s[l.layout.Hidden(0)+lo*u:l.layout.Hidden(0)+hi*u], state[lo*u:])
	copy(s[l.layout.Cell(0)+lo*u:l.layout.Cell(0)+hi*u], state[(n+lo)*u:])
	for t := 1; t <= l.layout.Steps; t++ {
		active := s[l.layout.Gates(t)+lo*4*u : l.layout.Gates(t)+hi*4*u]
		l.gemm.gemm(false, false, hi-lo, 4*u, u, s[l.layout.Hidden(t-1)+lo*u:], u, recurrent, 4*u, 0, active, 4*u)
		pre := gates[((t-1)*n+lo)*4*u:][:len(active)]
		from, to := lo*u, hi*u
		l.cell.forward(u, pre, active, s[l.layout.Cell(t-1)+from:][:to-from],
			s[l.layout.Cell(t)+from:][:to-from], s[l.layout.Squashed(t)+from:][:to-from], s[l.layout.Hidden(t)+from:][:to-from])
	}
}

// lstmGrad runs a layer backwards, in the same way.
type lstmGrad[T float] struct {
	pool                               *pool
	gemm                               multiplier[T]
	states, recurrent, dHidden, dGates array[T]
	layout                             ops.LSTMLayout
	cell                               lstmCell[T]
	dh, dc                             []T // [rows, units] from the step after
	part                               func(lo, hi int)
}

func newLSTMGrad[T float](e *executable, g multiplier[T], states, recurrent, dHidden, dGates array[T], layout ops.LSTMLayout) *lstmGrad[T] {
	l := &lstmGrad[T]{
		pool: e.backend.pool, gemm: g, states: states, recurrent: recurrent, dHidden: dHidden, dGates: dGates,
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
	s, recurrent, dHidden, dGates := l.states.get(), l.recurrent.get(), l.dHidden.get(), l.dGates.get()
	n, u := l.layout.Rows, l.layout.Units
	dh, dc := l.dh[lo*u:hi*u], l.dc[lo*u:hi*u]
	clear(dh)
	clear(dc)
	for t := l.layout.Steps; t >= 1; t-- {
		dz := dGates[((t-1)*n+lo)*4*u:][:4*len(dh)]
		from := lo * u
		l.cell.backward(u, dHidden[(t-1)*n*u+from:][:len(dh)], dh, dc,
			s[l.layout.Gates(t)+4*from:][:len(dz)], s[l.layout.Cell(t-1)+from:][:len(dh)],
			s[l.layout.Squashed(t)+from:][:len(dh)], dz)
		if t > 1 {
			l.gemm.gemm(false, true, hi-lo, u, 4*u, dz, 4*u, recurrent, 4*u, 0, dh, u)
		}
	}
}

// lstmCell is what an LSTM layer computes of a step besides the product: for some
// cases, each of so many units.
type lstmCell[T float] struct {
	// forward adds the gates' sums before the step, pre, to the recurrent ones in
	// active, applies the gates' activations, and computes the cell, its tanh and
	// the hidden state.
	forward func(units int, pre, active, before, cell, squashed, hidden []T)
	// backward computes the gradient dz before the gates' activations, from those
	// by the hidden state, from above and from the step after, and replaces dc, the
	// gradient by the cell, by that of the step before.
	backward func(units int, dHidden, dh, dc, active, before, squashed, dz []T)
}

func newLSTMCell[T float]() lstmCell[T] {
	if vectors, ok := vectorLSTMCell(); ok {
		if c, ok := any(vectors).(lstmCell[T]); ok { // T is float32
			return c
		}
	}
	c := scalarLSTMCell[T]{fastActivation[T](ops.Sigmoid), fastActivation[T](ops.Tanh)}
	return lstmCell[T]{c.forward, c.backward}
}

// scalarLSTMCell is the cell in Go.
type scalarLSTMCell[T float] struct{ sigmoid, tanh func(x []T) }

func (l scalarLSTMCell[T]) forward(units int, pre, active, before, cell, squashed, hidden []T) {
	for at := 0; at < len(cell); at += units {
		p, a := pre[4*at:][:4*units], active[4*at:][:4*units]
		for j, v := range p {
			a[j] += v
		}
		l.sigmoid(a[:2*units])
		l.tanh(a[2*units : 3*units])
		l.sigmoid(a[3*units:])
		i, f, g, o := a[:units], a[units:2*units], a[2*units:3*units], a[3*units:]
		b, c, q, h := before[at:][:units], cell[at:][:units], squashed[at:][:units], hidden[at:][:units]
		for j := range i {
			c[j] = f[j]*b[j] + i[j]*g[j]
		}
		copy(q, c)
		l.tanh(q)
		for j := range h {
			h[j] = o[j] * q[j]
		}
	}
}

func (scalarLSTMCell[T]) backward(units int, dHidden, dh, dc, active, before, squashed, dz []T) {
	for at := 0; at < len(dh); at += units {
		a, d := active[4*at:][:4*units], dz[4*at:][:4*units]
		i, f, g, o := a[:units], a[units:2*units], a[2*units:3*units], a[3*units:]
		di, df, dg, do := d[:units], d[units:2*units], d[2*units:3*units], d[3*units:]
		above, after, cell := dHidden[at:][:units], dh[at:][:units], dc[at:][:units]
		b, q := before[at:][:units], squashed[at:][:units]
		for j := range i {
			h := above[j] + after[j]
			c := cell[j] + h*o[j]*((1-q[j])*(1+q[j]))
			di[j] = c * g[j] * (i[j] * (1 - i[j]))
			df[j] = c * b[j] * (f[j] * (1 - f[j]))
			dg[j] = c * i[j] * ((1 - g[j]) * (1 + g[j]))
			do[j] = h * q[j] * (o[j] * (1 - o[j]))
			cell[j] = c * f[j]
		}
	}
}
