package cpu

// The loops that convolutional networks spend their time in, besides products and
// pools. In float32 vector instructions do what they can where the processor has them,
// and Go does the rest; both give the same bits.

// add is x += y, for as many elements as y has.
func add[T float](x, y []T) {
	x = x[:len(y)]
	if x32, ok := any(x).([]float32); ok {
		n := addVectors(x32, any(y).([]float32))
		x, y = x[n:], y[n:]
	}
	addGo(x, y)
}

func addGo[T float](x, y []T) {
	for i, v := range y {
		x[i] += v
	}
}

// rectify is ReLU in place. It keeps NaN: a network that has diverged must not look
// well.
func rectify[T float](x []T) {
	if x32, ok := any(x).([]float32); ok {
		x = x[rectifyVectors(x32):]
	}
	rectifyGo(x)
}

func rectifyGo[T float](x []T) {
	for i, v := range x {
		x[i] = max(v, 0)
	}
}

// rectifyGrad is dz = dy where ReLU's result y is positive, else zero. dz may be dy.
func rectifyGrad[T float](dy, y, dz []T) {
	y, dz = y[:len(dy)], dz[:len(dy)]
	if dy32, ok := any(dy).([]float32); ok {
		n := rectifyGradVectors(dy32, any(y).([]float32), any(dz).([]float32))
		dy, y, dz = dy[n:], y[n:], dz[n:]
	}
	rectifyGradGo(dy, y, dz)
}

func rectifyGradGo[T float](dy, y, dz []T) {
	// A table instead of a branch, which would be mispredicted half the time.
	factor := [2]T{0, 1}
	for i, g := range dy {
		dz[i] = g * factor[bit(y[i] > 0)]
	}
}

// planeSums adds to every total the sum of a plane of x, in which planes of size
// elements lie one after the other.
func planeSums[T float](x []T, size int, totals []float64) {
	if x32, ok := any(x).([]float32); ok {
		n := planeSumsVectors(x32, size, totals)
		x, totals = x[n*size:], totals[n:]
	}
	planeSumsGo(x, size, totals)
}

func planeSumsGo[T float](x []T, size int, totals []float64) {
	for i := range totals {
		var s [lanes]T // several, so that additions need not wait for one another
		plane := x[i*size:][:size]
		for len(plane) >= lanes {
			s[0] += plane[0]
			s[1] += plane[1]
			s[2] += plane[2]
			s[3] += plane[3]
			plane = plane[lanes:]
		}
		totals[i] += float64(lanesSum(s, plane))
	}
}

// lanes is how many sums planeSums makes of a plane, of every fourth element each.
const lanes = 4

// lanesSum puts the sums together. What is left of the plane belongs to the first.
func lanesSum[T float](s [lanes]T, left []T) T {
	for _, v := range left {
		s[0] += v
	}
	return (s[0] + s[1]) + (s[2] + s[3])
}

// fill sets all elements to v.
func fill[T float](x []T, v T) {
	if len(x) == 0 {
		return
	}
	x[0] = v
	for n := 1; n < len(x); n *= 2 { // copying is faster than a loop
		copy(x[n:], x[:n])
	}
}
