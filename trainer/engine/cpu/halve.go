package cpu

// halving is max-pooling with windows of two by two beside one another, what most
// networks have: of rows pairs of rows of width elements, with out = width/2 windows
// each. Both forms, by vector instructions and in Go, give the same bits.
type halving[T float] struct {
	// forward sets y to the largest elements, by ReLU if that is asked for.
	forward func(x, y []T, rows, width, out int, relu bool)
	// backward sets dx to dz at the first largest element of each window, else to
	// zero. dx may be x.
	backward func(x, dx, dz []T, rows, width, out int)
}

func newHalving[T float]() halving[T] {
	if vectors, ok := vectorHalving(); ok {
		if h, ok := any(vectors).(halving[T]); ok { // T is float32
			return h
		}
	}
	return halving[T]{halve[T], halveGrad[T]}
}

func halve[T float](x, y []T, rows, width, out int, relu bool) {
	for row := range rows {
		top, bottom := x[2*row*width:][:2*out], x[(2*row+1)*width:][:2*out]
		to := y[row*out:][:out]
		for i := range to {
			if len(top) < 2 || len(bottom) < 2 { // never; it spares the checks below
				return
			}
			to[i] = max(top[0], top[1], bottom[0], bottom[1])
			top, bottom = top[2:], bottom[2:]
		}
		if relu {
			rectify(to)
		}
	}
}

// halveGrad does without branches, because what is largest is as good as random:
// factors of one and zero instead.
func halveGrad[T float](x, dx, dz []T, rows, width, out int) {
	factor := [2]T{0, 1}
	for row := range rows {
		top, bottom := x[2*row*width:][:width], x[(2*row+1)*width:][:width]
		outTop, outBottom := dx[2*row*width:][:width], dx[(2*row+1)*width:][:width]
		for _, grad := range dz[row*out:][:out] {
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
		if width%2 == 1 {
			outTop[0], outBottom[0] = 0, 0
		}
	}
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}
