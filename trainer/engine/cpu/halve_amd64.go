package cpu

// halveVectors is halve, with keep all ones for no ReLU and zero for it. out is at least
// leastHalved, rows at least one.
//
//go:noescape
func halveVectors(x, y *float32, rows, width, out int, keep uint32)

// halveGradVectors is halveGrad, likewise.
//
//go:noescape
func halveGradVectors(x, dx, dz *float32, rows, width, out int)

// leastHalved is how many windows a row must have for the vector forms.
const leastHalved = 4

// vectorHalving returns halving by vector instructions, if the processor has them.
func vectorHalving() (halving[float32], bool) {
	return halving[float32]{halveAMD64, halveGradAMD64}, hasVectors()
}

func halveAMD64(x, y []float32, rows, width, out int, relu bool) {
	if out < leastHalved {
		halve(x, y, rows, width, out, relu)
		return
	}
	keep := ^uint32(0)
	if relu {
		keep = 0
	}
	x, y = x[:2*rows*width], y[:rows*out]
	halveVectors(&x[0], &y[0], rows, width, out, keep)
}

func halveGradAMD64(x, dx, dz []float32, rows, width, out int) {
	if out < leastHalved {
		halveGrad(x, dx, dz, rows, width, out)
		return
	}
	x, dx, dz = x[:2*rows*width], dx[:2*rows*width], dz[:rows*out]
	halveGradVectors(&x[0], &dx[0], &dz[0], rows, width, out)
}
