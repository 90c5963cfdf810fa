package cpu

import (
	"unsafe"

	"github.com/tenfold-ml/tenfold/trainer/engine"
	"github.com/tenfold-ml/tenfold/trainer/ops"
)

// windows writes out what a geometry's windows see of a case: a matrix [taps,
// positions].
type windows struct {
	ops.Geometry
	oh, ow, inputs, taps, positions int
	// aligned: the rows of a band lie one after the other in the case as they do
	// in the matrix, so they are copied at once.
	aligned bool
	// columns are, for every column of the window, the span of positions in which it
	// is on the plane.
	columns []span
}

// span is a half-open range of positions.
type span struct{ lo, hi int }

func newWindows(g ops.Geometry) windows {
	oh, ow := g.Out()
	w := windows{
		Geometry: g, oh: oh, ow: ow, inputs: g.Inputs(), taps: g.Taps(), positions: oh * ow,
		aligned: g.Stride == 1 && ow == g.Width,
	}
	for kx := range g.Size {
		lo := max(0, (g.Padding-kx+g.Stride-1)/g.Stride)
		hi := (g.Width + g.Padding - kx + g.Stride - 1) / g.Stride
		hi = max(min(hi, ow), 0)
		w.columns = append(w.columns, span{min(lo, hi), hi})
	}
	return w
}

// rowsOf returns the rows oy0 ≤ oy < oy1 for which row ky of the window is on the
// plane.
func (w *windows) rowsOf(ky, oy0, oy1 int) (lo, hi int) {
	lo = max(oy0, (w.Padding-ky+w.Stride-1)/w.Stride)
	hi = (w.Height + w.Padding - ky + w.Stride - 1) / w.Stride
	hi = max(min(hi, oy1), oy0)
	return min(lo, hi), hi
}

// gather writes out the windows of the rows oy0 … oy1 of positions.
func gather[T float](w *windows, x, columns []T, oy0, oy1 int) {
	n := (oy1 - oy0) * w.ow
	for c := range w.Channels {
		plane := x[c*w.Height*w.Width:][:w.Height*w.Width]
		for ky := range w.Size {
			top, bottom := w.rowsOf(ky, oy0, oy1)
			for kx := range w.Size {
				row := columns[((c*w.Size+ky)*w.Size+kx)*n:][:n]
				lo, hi := w.columns[kx].lo, w.columns[kx].hi
				clear(row[:(top-oy0)*w.ow])
				clear(row[(bottom-oy0)*w.ow:])
				inner := row[(top-oy0)*w.ow : (bottom-oy0)*w.ow]
				first := (top*w.Stride+ky-w.Padding)*w.Width + kx - w.Padding
				switch {
				case lo == hi: // off the plane in every position
					clear(inner)
				case len(inner) == 0:
				case w.aligned:
					// From the first element on the plane to the last one.
					copy(inner[lo:len(inner)-(w.ow-hi)], plane[first+lo:])
					edges(inner, w.ow, lo, hi)
				default:
					gatherRows(w, inner, plane, first, lo, hi)
				}
			}
		}
	}
}

// edges clears the columns that are off the plane.
func edges[T float](inner []T, width, lo, hi int) {
	// Column by column: they are few.
	for column := range lo {
		for at := column; at < len(inner); at += width {
			inner[at] = 0
		}
	}
	for column := hi; column < width; column++ {
		for at := column; at < len(inner); at += width {
			inner[at] = 0
		}
	}
}

func gatherRows[T float](w *windows, inner, plane []T, first, lo, hi int) {
	for ; len(inner) > 0; inner, first = inner[w.ow:], first+w.Stride*w.Width {
		clear(inner[:lo])
		clear(inner[hi:w.ow])
		if w.Stride == 1 {
			copy(inner[lo:hi], plane[first+lo:])
			continue
		}
		at := first + lo*w.Stride
		for ox := lo; ox < hi; ox++ {
			inner[ox] = plane[at]
			at += w.Stride
		}
	}
}

// scatter adds what gather would have copied back to where it would have come from.
// It may change columns.
func scatter[T float](w *windows, columns, dx []T, oy0, oy1 int) {
	n := (oy1 - oy0) * w.ow
	for c := range w.Channels {
		plane := dx[c*w.Height*w.Width:][:w.Height*w.Width]
		for ky := range w.Size {
			top, bottom := w.rowsOf(ky, oy0, oy1)
			for kx := range w.Size {
				row := columns[((c*w.Size+ky)*w.Size+kx)*n:][:n]
				lo, hi := w.columns[kx].lo, w.columns[kx].hi
				inner := row[(top-oy0)*w.ow : (bottom-oy0)*w.ow]
				first := (top*w.Stride+ky-w.Padding)*w.Width + kx - w.Padding
				switch {
				case lo == hi || len(inner) == 0:
				case w.aligned:
					edges(inner, w.ow, lo, hi)
					add(plane[first+lo:], inner[lo:len(inner)-(w.ow-hi)])
				default:
					scatterRows(w, inner, plane, first, lo, hi)
				}
			}
		}
	}
}

func scatterRows[T float](w *windows, inner, plane []T, first, lo, hi int) {
	for ; len(inner) > 0; inner, first = inner[w.ow:], first+w.Stride*w.Width {
		if w.Stride == 1 {
			add(plane[first+lo:], inner[lo:hi])
			continue
		}
		at := first + lo*w.Stride
		for ox := lo; ox < hi; ox++ {
			plane[at] += inner[ox]
			at += w.Stride
		}
	}
}

// scratch is memory that a kernel needs while it runs, the same for all kernels of an
// executable: for each thread as much as the greediest of them asks for.
type scratch struct {
	bytes  int // of one thread
	memory []byte
}

// need makes sure of so many bytes for each thread. It is called while kernels are
// chosen.
func (s *scratch) need(bytes int) {
	bytes = (bytes + engine.Alignment - 1) / engine.Alignment * engine.Alignment
	s.bytes = max(s.bytes, bytes)
}

// allocate is called when all kernels are chosen.
func (s *scratch) allocate(threads int) { s.memory = alignedBytes(s.bytes * threads) }

// scratchOf returns a thread's memory.
func scratchOf[T float](s *scratch, thread int) []T {
	memory := s.memory[thread*s.bytes:][:s.bytes]
	var zero T
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(memory))), s.bytes/sizeOf(zero))
}

func sizeOf[T float](zero T) int { return int(unsafe.Sizeof(zero)) }
