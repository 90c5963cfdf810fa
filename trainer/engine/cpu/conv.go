package cpu

import "github.com/tenfold-ml/tenfold/trainer/ops"

// Convolutions are products with the windows written out, a column for each
// position (im2col): case by case, and where a case's windows would leave the cache,
// in bands of rows of positions. Every product is the same whatever the number of
// threads, so results are too.

// bandBytes is about how much of a case's windows is written out at a time.
const bandBytes = 512 << 10

// convolver is what the kernels of convolutions share.
type convolver[T float] struct {
	pool *pool
	gemm multiplier[T]
	windows
	rows, filters int
	band          int // rows of positions in a band
	scratch       *scratch
	part          func(lo, hi int) // threads
}

func newConvolver[T float](e *executable, m multiplier[T], g ops.Geometry, rows, filters int) convolver[T] {
	c := convolver[T]{
		pool: e.backend.pool, gemm: m, windows: newWindows(g),
		rows: rows, filters: filters, scratch: &e.scratch,
	}
	var zero T
	size := sizeOf(zero)
	c.band = min(max(bandBytes/(c.taps*c.ow*size), 1), c.oh)
	e.scratch.need(c.taps * c.band * c.ow * size)
	return c
}

// run lets every thread do its part.
func (c *convolver[T]) run() { c.pool.each(c.pool.threads, 1, c.part) }

// cases calls f with every case of the threads lo … hi and the thread's scratch.
func (c *convolver[T]) cases(lo, hi int, f func(row int, columns []T)) {
	for thread := lo; thread < hi; thread++ {
		columns := scratchOf[T](c.scratch, thread)
		for row := c.rows * thread / c.pool.threads; row < c.rows*(thread+1)/c.pool.threads; row++ {
			f(row, columns)
		}
	}
}

// convolution is y = activation(w·windows(x) + b).
type convolution[T float] struct {
	convolver[T]
	x, w, b, y array[T]
	activation ops.Activation
	each       func(row int, columns []T)
}

func newConvolution[T float](e *executable, m multiplier[T], op ops.Convolution, x, w, b, y array[T], shapeX, shapeW []int) *convolution[T] {
	c := &convolution[T]{convolver: newConvolver(e, m, op.Geometry, shapeX[0], shapeW[0]), x: x, w: w, b: b, y: y, activation: op.Activation}
	c.each = c.oneCase
	c.part = func(lo, hi int) { c.cases(lo, hi, c.each) }
	return c
}

func (c *convolution[T]) oneCase(row int, columns []T) {
	x, w, b := c.x.get()[row*c.inputs:][:c.inputs], c.w.get(), c.b.get()
	y := c.y.get()[row*c.filters*c.positions:][:c.filters*c.positions]
	for k, bias := range b {
		fill(y[k*c.positions:][:c.positions], bias)
	}
	for oy := 0; oy < c.oh; oy += c.band {
		n := (min(oy+c.band, c.oh) - oy) * c.ow
		gather(&c.windows, x, columns, oy, min(oy+c.band, c.oh))
		c.gemm.gemm(false, false, c.filters, n, c.taps, w, c.taps, columns, n, 1, y[oy*c.ow:], c.positions)
	}
	activate(c.activation, y)
}

// convInputGrad is dx, the sum over the windows that each element is in of wᵀ·dz.
type convInputGrad[T float] struct {
	convolver[T]
	dz, w, dx array[T]
	each      func(row int, columns []T)
}

func newConvInputGrad[T float](e *executable, m multiplier[T], op ops.ConvInputGrad, dz, w, dx array[T], shapeDZ, shapeW []int) *convInputGrad[T] {
	c := &convInputGrad[T]{convolver: newConvolver(e, m, op.Geometry, shapeDZ[0], shapeW[0]), dz: dz, w: w, dx: dx}
	c.each = c.oneCase
	c.part = func(lo, hi int) { c.cases(lo, hi, c.each) }
	return c
}

func (c *convInputGrad[T]) oneCase(row int, columns []T) {
	dx, w := c.dx.get()[row*c.inputs:][:c.inputs], c.w.get()
	dz := c.dz.get()[row*c.filters*c.positions:][:c.filters*c.positions]
	clear(dx)
	for oy := 0; oy < c.oh; oy += c.band {
		n := (min(oy+c.band, c.oh) - oy) * c.ow
		c.gemm.gemm(true, false, c.taps, n, c.filters, w, c.taps, dz[oy*c.ow:], c.positions, 0, columns, n)
		scatter(&c.windows, columns, dx, oy, min(oy+c.band, c.oh))
	}
}

// partials is into how many sums the gradient of filters is split, each over an even
// share of the cases, so that threads need not share one.
const partials = 16

// convFilterGrad is dw = Σ dz·windows(x)ᵀ over the cases.
type convFilterGrad[T float] struct {
	convolver[T]
	dz, x, dw array[T]
	sums      []T
	parts     int
}

func newConvFilterGrad[T float](e *executable, m multiplier[T], op ops.ConvFilterGrad, dz, x, dw array[T], shapeDZ []int) *convFilterGrad[T] {
	filters := shapeDZ[1] / op.Geometry.Positions()
	c := &convFilterGrad[T]{
		convolver: newConvolver(e, m, op.Geometry, shapeDZ[0], filters), dz: dz, x: x, dw: dw,
		parts: min(partials, shapeDZ[0]),
	}
	c.sums = make([]T, c.parts*filters*c.taps)
	c.part = c.threads
	return c
}

func (c *convFilterGrad[T]) run() {
	c.convolver.run()
	dw := c.dw.get()
	copy(dw, c.sums)
	for part := 1; part < c.parts; part++ {
		for i, v := range c.sums[part*len(dw):][:len(dw)] {
			dw[i] += v
		}
	}
}

func (c *convFilterGrad[T]) threads(lo, hi int) {
	size := c.filters * c.taps
	for thread := lo; thread < hi; thread++ {
		columns := scratchOf[T](c.scratch, thread)
		for part := c.parts * thread / c.pool.threads; part < c.parts*(thread+1)/c.pool.threads; part++ {
			var beta T // the first product of a sum replaces the last run's
			for row := c.rows * part / c.parts; row < c.rows*(part+1)/c.parts; row++ {
				c.oneCase(row, columns, beta, c.sums[part*size:][:size])
				beta = 1
			}
		}
	}
}

func (c *convFilterGrad[T]) oneCase(row int, columns []T, beta T, sum []T) {
	x := c.x.get()[row*c.inputs:][:c.inputs]
	dz := c.dz.get()[row*c.filters*c.positions:][:c.filters*c.positions]
	for oy := 0; oy < c.oh; oy += c.band {
		n := (min(oy+c.band, c.oh) - oy) * c.ow
		gather(&c.windows, x, columns, oy, min(oy+c.band, c.oh))
		c.gemm.gemm(false, true, c.filters, c.taps, n, dz[oy*c.ow:], c.positions, columns, n, beta, sum, c.taps)
		beta = 1
	}
}

// channelSum is y = Σ x over rows and positions. Threads take channels, so each sum
// is in one order.
type channelSum[T float] struct {
	pool            *pool
	x, y            array[T]
	rows, positions int
	totals          []float64
	part            func(lo, hi int)
}

func newChannelSum[T float](p *pool, op ops.ChannelSum, x, y array[T], shape []int) *channelSum[T] {
	c := &channelSum[T]{pool: p, x: x, y: y, rows: shape[0], positions: op.Positions}
	c.totals = make([]float64, shape[1]/op.Positions)
	c.part = c.channels
	return c
}

func (c *channelSum[T]) run() { c.pool.each(len(c.totals), 4, c.part) }

func (c *channelSum[T]) channels(lo, hi int) {
	x, totals := c.x.get(), c.totals[lo:hi]
	clear(totals)
	for row := range c.rows {
		planes := x[(row*len(c.totals)+lo)*c.positions:]
		planeSums(planes[:len(totals)*c.positions], c.positions, totals)
	}
	for k, total := range totals {
		c.y.get()[lo+k] = T(total)
	}
}
