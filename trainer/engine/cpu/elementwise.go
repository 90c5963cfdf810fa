package cpu

import "github.com/tenfold-ml/tenfold/trainer/ops"

// grain is how many elements are worth waking another thread for.
const grain = 8192

// dropout is y = x·mask(step).
type dropout[T float] struct {
	pool *pool
	op   ops.DropoutMask
	x, y array[T]
	step array[int64]
	part func(lo, hi int)
}

func newDropout[T float](p *pool, op ops.DropoutMask, x array[T], step array[int64], y array[T]) *dropout[T] {
	d := &dropout[T]{pool: p, op: op, x: x, y: y, step: step}
	d.part = d.elements
	return d
}

func (d *dropout[T]) run() { d.pool.each(len(d.y.get()), grain, d.part) }

// elements needs lo to be a multiple of eight, which grain is.
func (d *dropout[T]) elements(lo, hi int) {
	x, y := d.x.get()[lo:hi], d.y.get()[lo:hi]
	stream, keep := d.op.Stream(d.step.get()[0]), d.op.Keep
	factor := [2]T{0, T(d.op.Scale())}
	block := uint32(lo / 8)
	for len(x) >= 8 && len(y) >= 8 {
		w := stream.Block(block)
		block++
		// The difference is negative, its top bit set, where the number is
		// below keep.
		y[0] = x[0] * factor[(w[0]&0xffff-keep)>>31]
		y[1] = x[1] * factor[(w[0]>>16-keep)>>31]
		y[2] = x[2] * factor[(w[1]&0xffff-keep)>>31]
		y[3] = x[3] * factor[(w[1]>>16-keep)>>31]
		y[4] = x[4] * factor[(w[2]&0xffff-keep)>>31]
		y[5] = x[5] * factor[(w[2]>>16-keep)>>31]
		y[6] = x[6] * factor[(w[3]&0xffff-keep)>>31]
		y[7] = x[7] * factor[(w[3]>>16-keep)>>31]
		x, y = x[8:], y[8:]
	}
	if len(x) > 0 {
		w := stream.Block(block)
		for i, v := range x {
			y[i] = v * factor[(w[i/2]>>(16*(i%2))&0xffff-keep)>>31]
		}
	}
}
