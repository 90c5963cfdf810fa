package philox

import "math"

// Normals fills dst with N(0,1) draws (Box-Muller on pairs of words): draws 4i …
// 4i+3 come from block i. With 32-bit words, no draw is beyond ±6.8.
//
// The results are the same bits on every machine: the logarithm, sine and cosine
// here are made of single IEEE operations, where those of package math are free
// to be assembly or to use fused multiply-adds.
func (s Stream) Normals(dst []float64) {
	for i := 0; i < len(dst); i += 4 {
		w := s.Block(uint32(i / 4))
		var z [4]float64
		z[0], z[1] = boxMuller(w[0], w[1])
		z[2], z[3] = boxMuller(w[2], w[3])
		copy(dst[i:], z[:])
	}
}

// boxMuller makes two independent normal draws of two words.
func boxMuller(a, b uint32) (x, y float64) {
	u := (float64(a) + 0.5) / (1 << 32) // in (0, 1), so the logarithm is finite
	r := math.Sqrt(-2 * log(u))
	sin, cos := sincosTurn(b)
	return r * cos, r * sin
}

// log is the natural logarithm of a normal x > 0, to about 1e-16: x = m·2^e with
// m near 1, then log m = 2·artanh((m-1)/(m+1)) by its series.
//
// The conversions to float64 keep the compiler from fusing a product with the
// sum that takes it.
func log(x float64) float64 {
	m, e := math.Frexp(x)
	if m < math.Sqrt2/2 {
		m *= 2
		e--
	}
	s := (m - 1) / (m + 1)
	s2 := s * s
	sum := 0.0
	for n := 23; n >= 1; n -= 2 {
		sum = float64(sum*s2) + 1/float64(n)
	}
	return float64(float64(e)*math.Ln2) + float64(2*s*sum)
}

// sincosTurn returns sine and cosine of w/2^32 of a full turn.
func sincosTurn(w uint32) (sin, cos float64) {
	quarter := (w + 1<<29) >> 30 // to the nearest quarter turn, modulo 4
	rest := int32(w - quarter<<30)
	a := float64(rest) * (2 * math.Pi / (1 << 32)) // in [-π/4, π/4]
	a2 := a * a
	s, c := 0.0, 0.0
	for n := 19; n >= 3; n -= 2 { // Taylor, up to a^19 and a^18
		s = 1 - float64(float64(s*a2)/float64(n*(n-1)))
		c = 1 - float64(float64(c*a2)/float64((n-1)*(n-2)))
	}
	s *= a
	switch quarter & 3 {
	case 0:
		return s, c
	case 1:
		return c, -s
	case 2:
		return -s, -c
	default:
		return -c, s
	}
}
