package cpu

import "github.com/tenfold-ml/tenfold/trainer/ops"

// maximum is y = activation(the largest element of each window). Threads take cases'
// planes.
type maximum[T float] struct {
	pool       *pool
	g          ops.Geometry
	oh, ow     int
	halving    halving[T]
	activation ops.Activation
	x, y       array[T]
	part       func(lo, hi int)
}

func newMaximum[T float](p *pool, op ops.Maximum, x, y array[T]) *maximum[T] {
	m := &maximum[T]{pool: p, g: op.Geometry, activation: op.Activation, halving: newHalving[T](), x: x, y: y}
	m.oh, m.ow = op.Geometry.Out()
	m.part = m.planes
	return m
}

func (m *maximum[T]) run() {
	m.pool.each(len(m.y.get())/(m.oh*m.ow), max(grain/(m.g.Height*m.g.Width), 1), m.part)
}

func (m *maximum[T]) planes(lo, hi int) {
	size, positions := m.g.Height*m.g.Width, m.oh*m.ow
	for p := lo; p < hi; p++ {
		x, y := m.x.get()[p*size:][:size], m.y.get()[p*positions:][:positions]
		if halves(m.g) {
			relu := m.activation == ops.ReLU
			m.halving.forward(x, y, m.oh, m.g.Width, m.ow, relu)
			if !relu {
				activate(m.activation, y)
			}
			continue
		}
		for oy := range m.oh {
			out := y[oy*m.ow:][:m.ow]
			top := x[oy*m.g.Stride*m.g.Width:]
			for ox := range out {
				v := top[ox*m.g.Stride]
				for ky := range m.g.Size {
					for _, u := range top[ky*m.g.Width+ox*m.g.Stride:][:m.g.Size] {
						v = max(v, u)
					}
				}
				out[ox] = v
			}
		}
		activate(m.activation, y)
	}
}

// maximumGrad adds dz to the first largest element of each window. Where windows do
// not overlap, dx may be x.
type maximumGrad[T float] struct {
	pool      *pool
	g         ops.Geometry
	oh, ow    int
	halving   halving[T]
	dz, x, dx array[T]
	part      func(lo, hi int)
}

// apart reports whether no element is in two windows.
func apart(g ops.Geometry) bool { return g.Stride >= g.Size }

// halves reports whether a geometry is what halving is for.
func halves(g ops.Geometry) bool { return g.Size == 2 && g.Stride == 2 }

func newMaximumGrad[T float](p *pool, op ops.MaximumGrad, dz, x, dx array[T]) *maximumGrad[T] {
	m := &maximumGrad[T]{pool: p, g: op.Geometry, halving: newHalving[T](), dz: dz, x: x, dx: dx}
	m.oh, m.ow = op.Geometry.Out()
	m.part = m.planes
	return m
}

func (m *maximumGrad[T]) run() {
	m.pool.each(len(m.dz.get())/(m.oh*m.ow), max(grain/(m.g.Height*m.g.Width), 1), m.part)
}

func (m *maximumGrad[T]) planes(lo, hi int) {
	size, positions := m.g.Height*m.g.Width, m.oh*m.ow
	for p := lo; p < hi; p++ {
		x, dx, dz := m.x.get()[p*size:][:size], m.dx.get()[p*size:][:size], m.dz.get()[p*positions:][:positions]
		switch {
		case halves(m.g):
			m.halving.backward(x, dx, dz, m.oh, m.g.Width, m.ow)
			clear(dx[2*m.oh*m.g.Width:])
		case apart(m.g):
			m.tiles(x, dx, dz)
		default:
			clear(dx)
			for i, grad := range dz {
				dx[m.largest(x, i/m.ow, i%m.ow)] += grad
			}
		}
	}
}

// largest is where the first largest element of a window is. As in the reference,
// nothing is larger than what is not a number.
func (m *maximumGrad[T]) largest(x []T, oy, ox int) int {
	corner := oy*m.g.Stride*m.g.Width + ox*m.g.Stride
	best, at := x[corner], corner
	for ky := range m.g.Size {
		from := corner + ky*m.g.Width
		for kx, v := range x[from:][:m.g.Size] {
			if v > best || (v != v && best == best) {
				best, at = v, from+kx
			}
		}
	}
	return at
}

// tiles reads a window before it writes there, and clears what is between windows.
func (m *maximumGrad[T]) tiles(x, dx, dz []T) {
	step := m.g.Stride * m.g.Width
	for oy := range m.oh {
		for ox := range m.ow {
			at := m.largest(x, oy, ox)
			corner := oy*step + ox*m.g.Stride
			for ky := range m.g.Size {
				clear(dx[corner+ky*m.g.Width:][:m.g.Size])
			}
			dx[at] = dz[oy*m.ow+ox]
			// To the next window, or the end of the row.
			end := (ox + 1) * m.g.Stride
			if ox == m.ow-1 {
				end = m.g.Width
			}
			for ky := range m.g.Size {
				clear(dx[oy*step+ky*m.g.Width+ox*m.g.Stride+m.g.Size : oy*step+ky*m.g.Width+end])
			}
		}
		bottom := (oy + 1) * step
		if oy == m.oh-1 {
			bottom = len(dx)
		}
		clear(dx[oy*step+m.g.Size*m.g.Width : bottom])
	}
}
