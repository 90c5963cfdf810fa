package cpu

import "github.com/tenfold-ml/tenfold/trainer/ops"

// maximum is y = activation(the largest element of each window). Threads take cases'
// planes.
type maximum[T float] struct {
	pool       *pool
	g          ops.Geometry
	oh, ow     int
	activation ops.Activation
	x, y       array[T]
	part       func(lo, hi int)
}

func newMaximum[T float](p *pool, op ops.Maximum, x, y array[T]) *maximum[T] {
	m := &maximum[T]{pool: p, g: op.Geometry, activation: op.Activation, x: x, y: y}
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
		for oy := range m.oh {
			out := y[oy*m.ow:][:m.ow]
			top := x[oy*m.g.Stride*m.g.Width:]
			if m.g.Size == 2 && m.g.Stride == 2 {
				pairs(out, top[:2*m.ow], top[m.g.Width:][:2*m.ow])
				continue
			}
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

// pairs is the case of a window of two.
func pairs[T float](out, top, bottom []T) {
	for i := range out {
		if len(top) < 2 || len(bottom) < 2 { // never; it spares the checks below
			return
		}
		out[i] = max(top[0], top[1], bottom[0], bottom[1])
		top, bottom = top[2:], bottom[2:]
	}
}

// maximumGrad adds dz to the first largest element of each window. Where windows do
// not overlap, dx may be x.
type maximumGrad[T float] struct {
	pool      *pool
	g         ops.Geometry
	oh, ow    int
	dz, x, dx array[T]
	part      func(lo, hi int)
}

// apart reports whether no element is in two windows.
func apart(g ops.Geometry) bool { return g.Stride >= g.Size }

func newMaximumGrad[T float](p *pool, op ops.MaximumGrad, dz, x, dx array[T]) *maximumGrad[T] {
	m := &maximumGrad[T]{pool: p, g: op.Geometry, dz: dz, x: x, dx: dx}
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
		case m.g.Size == 2 && m.g.Stride == 2:
			m.halves(x, dx, dz)
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

// halves is the case of a window of two. What is largest is as good as random, so it
// is found without branches: factors of one and zero instead.
func (m *maximumGrad[T]) halves(x, dx, dz []T) {
	w := m.g.Width
	factor := [2]T{0, 1}
	for oy := range m.oh {
		top, bottom := x[2*oy*w:][:w], x[(2*oy+1)*w:][:w]
		outTop, outBottom := dx[2*oy*w:][:w], dx[(2*oy+1)*w:][:w]
		for _, grad := range dz[oy*m.ow:][:m.ow] {
			if len(top) < 2 || len(bottom) < 2 || len(outTop) < 2 || len(outBottom) < 2 {
				break // never; it spares the checks below
			}
			a, b, c, d := top[0], top[1], bottom[0], bottom[1]
			// Comparisons in pairs, the earlier one winning ties.
			right, rightBelow := bit(b > a), bit(d > c)
			upper, lower := max(a, b), max(c, d)
			below := bit(lower > upper)
			outTop[0] = grad * factor[(1-below)&(1-right)]
			outTop[1] = grad * factor[(1-below)&right]
			outBottom[0] = grad * factor[below&(1-rightBelow)]
			outBottom[1] = grad * factor[below&rightBelow]
			top, bottom, outTop, outBottom = top[2:], bottom[2:], outTop[2:], outBottom[2:]
		}
		if w%2 == 1 {
			outTop[0], outBottom[0] = 0, 0
		}
	}
	clear(dx[2*m.oh*w:])
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}
