package cpu

// addWhole is addGo for n elements, a multiple of vectorWidth, at least one.
//
//go:noescape
func addWhole(x, y *float32, n int)

// rectifyWhole is rectifyGo, likewise.
//
//go:noescape
func rectifyWhole(x *float32, n int)

// rectifyGradWhole is rectifyGradGo, likewise.
//
//go:noescape
func rectifyGradWhole(dy, y, dz *float32, n int)

// quadSums sets sums to those of every fourth of the first 4·quads elements of four
// planes of size elements, one after the other.
//
//go:noescape
func quadSums(x *float32, size, quads int, sums *[4][lanes]float32)

// addVectors and the others below return how many elements, or planes, they have done.
func addVectors(x, y []float32) int {
	n := vectorsIn(len(x))
	if n > 0 {
		addWhole(&x[0], &y[0], n)
	}
	return n
}

func rectifyVectors(x []float32) int {
	n := vectorsIn(len(x))
	if n > 0 {
		rectifyWhole(&x[0], n)
	}
	return n
}

func rectifyGradVectors(dy, y, dz []float32) int {
	n := vectorsIn(len(dz))
	if n > 0 {
		rectifyGradWhole(&dy[0], &y[0], &dz[0], n)
	}
	return n
}

func planeSumsVectors(x []float32, size int, totals []float64) int {
	quads, n := size/lanes, len(totals)/4*4
	if quads == 0 || !hasVectors() {
		return 0
	}
	var sums [4][lanes]float32
	for at := 0; at < n; at += 4 {
		planes := x[at*size:][:4*size]
		quadSums(&planes[0], size, quads, &sums)
		for i, s := range sums {
			totals[at+i] += float64(lanesSum(s, planes[i*size+quads*lanes:(i+1)*size]))
		}
	}
	return n
}

// vectorsIn is how many of n elements the processor can do as whole vectors.
func vectorsIn(n int) int {
	if !hasVectors() {
		return 0
	}
	return wholeVectors(n)
}
