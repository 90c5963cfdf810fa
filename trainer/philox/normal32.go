package philox

import "math"

// Normals32 is [Stream.Normals] in single precision and several times as fast: the
// draws are the same to within 1e-6, and the same bits on every machine.
func (s Stream) Normals32(dst []float32) {
	block := uint32(0)
	for ; len(dst) >= 4; dst = dst[4:] {
		w := s.Block(block)
		dst[0], dst[1] = boxMuller32(w[0], w[1])
		dst[2], dst[3] = boxMuller32(w[2], w[3])
		block++
	}
	if len(dst) > 0 {
		w := s.Block(block)
		var last [4]float32
		last[0], last[1] = boxMuller32(w[0], w[1])
		last[2], last[3] = boxMuller32(w[2], w[3])
		copy(dst, last[:])
	}
}

// sqrtHalf is the upper half of the bits of √½.
const sqrtHalf = 0x3fe6a09e << 32

// boxMuller32 is boxMuller with series that end at single precision, and without
// branches, which would be mispredicted half of the time.
//
// The conversions to float64 are there for the reason given at log.
func boxMuller32(a, b uint32) (x, y float32) {
	// u = m·2^e with m in [√½, √2): moving the bits by the distance from √½ to 1
	// makes the exponent field step at √½.
	bits := math.Float64bits((float64(a)+0.5)*(1.0/(1<<32))) + (0x3ff<<52 - sqrtHalf)
	e := int64(bits>>52) - 0x3ff
	m := math.Float64frombits(bits&(1<<52-1) + sqrtHalf)
	s := (m - 1) / (m + 1)
	t := s * s
	p := float64(t*(1.0/13)) + 1.0/11
	p = float64(p*t) + 1.0/9
	p = float64(p*t) + 1.0/7
	p = float64(p*t) + 1.0/5
	p = float64(p*t) + 1.0/3
	p = float64(p*t) + 1
	r := math.Sqrt(-2 * (float64(float64(e)*math.Ln2) + float64(2*s*p)))

	quarter := (b + 1<<29) >> 30
	turn := float64(int32(b-quarter<<30)) * (2 * math.Pi / (1 << 32)) // in [-π/4, π/4]
	t = turn * turn
	p = float64(t*(-1.0/39916800)) + 1.0/362880
	p = float64(p*t) - 1.0/5040
	p = float64(p*t) + 1.0/120
	p = float64(p*t) - 1.0/6
	p = float64(p*t) + 1
	sin := math.Float64bits(p * turn)
	p = float64(t*(-1.0/3628800)) + 1.0/40320
	p = float64(p*t) - 1.0/720
	p = float64(p*t) + 1.0/24
	p = float64(p*t) - 1.0/2
	p = float64(p*t) + 1
	cos := math.Float64bits(p)
	// An odd quarter turn swaps the two; the signs follow from the quarter.
	swap := (sin ^ cos) & -uint64(quarter&1)
	sin ^= swap ^ uint64(quarter&2)<<62
	cos ^= swap ^ uint64((quarter+1)&2)<<62
	return float32(r * math.Float64frombits(cos)), float32(r * math.Float64frombits(sin))
}
