package cpu

import "golang.org/x/sys/cpu"

// hasVectors reports whether the processor, and the system, can do what smooth_amd64.s
// needs.
func hasVectors() bool { return cpu.X86.HasAVX2 && cpu.X86.HasFMA }

// vectorWidth is how many float32 a vector instruction works on.
const vectorWidth = 8

// tanhVectors sets x to its tanh in place. n is a multiple of vectorWidth.
//
//go:noescape
func tanhVectors(x *float32, n int)

// sigmoidVectors sets x to its sigmoid in place. n is a multiple of vectorWidth.
//
//go:noescape
func sigmoidVectors(x *float32, n int)

// lstmForwardVectors is scalarLSTMCell.forward for one case and units 0 … n-1, n a multiple of
// vectorWidth. The gates in active are stride elements apart.
//
//go:noescape
func lstmForwardVectors(n, stride int, active, before, cell, hidden *float32)

// lstmBackwardVectors is scalarLSTMCell.backward, likewise. The gates in active and dz are stride
// elements apart.
//
//go:noescape
func lstmBackwardVectors(n, stride int, dHidden, dh, dc, active, before, cell, dz *float32)

func tanhs(x []float32) {
	if !hasVectors() {
		tanhsGo(x)
		return
	}
	if whole := wholeVectors(len(x)); whole > 0 {
		tanhVectors(&x[0], whole)
		x = x[whole:]
	}
	if len(x) > 0 {
		v := lastVector(x)
		tanhVectors(&v[0], vectorWidth)
		copy(x, v[:])
	}
}

func sigmoids(x []float32) {
	if !hasVectors() {
		sigmoidsGo(x)
		return
	}
	if whole := wholeVectors(len(x)); whole > 0 {
		sigmoidVectors(&x[0], whole)
		x = x[whole:]
	}
	if len(x) > 0 {
		v := lastVector(x)
		sigmoidVectors(&v[0], vectorWidth)
		copy(x, v[:])
	}
}

// wholeVectors is how many of n elements make whole vectors.
func wholeVectors(n int) int { return n / vectorWidth * vectorWidth }

// lastVector returns the last elements, fewer than a vector, in one of their own, so
// that all elements are computed by the same instructions.
func lastVector(x []float32) (v [vectorWidth]float32) {
	copy(v[:], x)
	return v
}

// vectorLSTMCell returns the cell by vector instructions, if the processor has them.
func vectorLSTMCell() (lstmCell[float32], bool) {
	return lstmCell[float32]{lstmForwardAMD64, lstmBackwardAMD64}, hasVectors()
}

func lstmForwardAMD64(units int, active, before, cell, hidden []float32) {
	whole := wholeVectors(units)
	for at := 0; at < len(cell); at += units {
		a, b, c, h := active[4*at:][:4*units], before[at:][:units], cell[at:][:units], hidden[at:][:units]
		if whole > 0 {
			lstmForwardVectors(whole, units, &a[0], &b[0], &c[0], &h[0])
		}
		if whole == units {
			continue
		}
		// The last units, fewer than a vector, in copies.
		var v struct {
			active               [4 * vectorWidth]float32
			before, cell, hidden [vectorWidth]float32
		}
		for k := range 4 {
			copy(v.active[k*vectorWidth:], a[k*units+whole:(k+1)*units])
		}
		copy(v.before[:], b[whole:])
		lstmForwardVectors(vectorWidth, vectorWidth, &v.active[0], &v.before[0], &v.cell[0], &v.hidden[0])
		for k := range 4 {
			copy(a[k*units+whole:(k+1)*units], v.active[k*vectorWidth:])
		}
		copy(c[whole:], v.cell[:])
		copy(h[whole:], v.hidden[:])
	}
}

func lstmBackwardAMD64(units int, dHidden, dh, dc, active, before, cell, dz []float32) {
	whole := wholeVectors(units)
	for at := 0; at < len(dh); at += units {
		a, d := active[4*at:][:4*units], dz[4*at:][:4*units]
		above, after, dCell := dHidden[at:][:units], dh[at:][:units], dc[at:][:units]
		b, c := before[at:][:units], cell[at:][:units]
		if whole > 0 {
			lstmBackwardVectors(whole, units, &above[0], &after[0], &dCell[0], &a[0], &b[0], &c[0], &d[0])
		}
		if whole == units {
			continue
		}
		var v struct {
			active, dz                        [4 * vectorWidth]float32
			above, after, dCell, before, cell [vectorWidth]float32
		}
		for k := range 4 {
			copy(v.active[k*vectorWidth:], a[k*units+whole:(k+1)*units])
		}
		copy(v.above[:], above[whole:])
		copy(v.after[:], after[whole:])
		copy(v.dCell[:], dCell[whole:])
		copy(v.before[:], b[whole:])
		copy(v.cell[:], c[whole:])
		lstmBackwardVectors(vectorWidth, vectorWidth, &v.above[0], &v.after[0], &v.dCell[0], &v.active[0], &v.before[0], &v.cell[0], &v.dz[0])
		for k := range 4 {
			copy(d[k*units+whole:(k+1)*units], v.dz[k*vectorWidth:])
		}
		copy(dCell[whole:], v.dCell[:])
	}
}
