package space

import "math"

// A trial's ID is a hash of its numbers, so a grid has to have the same bits
// everywhere. The standard library's Exp and Log are assembly on some
// architectures, with a last bit of their own. These two are made of IEEE
// additions, multiplications and divisions only, in a fixed order; the explicit
// conversions forbid fused multiply-adds. Their relative error is about 1e-15,
// far below the 12 digits that are kept.

// ln2 as a sum: ln2High has trailing zeros, so k*ln2High is exact for |k| < 2^20.
const (
	ln2High = 6.93147180369123816490e-01
	ln2Low  = 1.90821492927058770002e-10
)

// ln is the natural logarithm of a positive, normal x.
func ln(x float64) float64 {
	fraction, exponent := math.Frexp(x) // fraction in [1/2, 1)
	if fraction < math.Sqrt2/2 {
		fraction *= 2
		exponent--
	}
	// ln(f) = 2·atanh(s), s = (f-1)/(f+1), |s| < 0.172: s^25/25 is below 1e-20.
	s := (fraction - 1) / (fraction + 1)
	square := float64(s * s)
	sum := 0.0
	for k := 23; k >= 1; k -= 2 {
		sum = float64(sum*square) + 1/float64(k)
	}
	k := float64(exponent)
	return float64(k*ln2High) + (float64(2*float64(s*sum)) + float64(k*ln2Low))
}

// exp is e to the power of x, for |x| < 700.
func exp(x float64) float64 {
	k := math.Floor(x/math.Ln2 + 0.5)
	r := (x - float64(k*ln2High)) - float64(k*ln2Low) // |r| < 0.35: r^17/17! is below 1e-22
	sum := 1.0
	for n := 16; n >= 1; n-- {
		sum = 1 + float64(r*sum)/float64(n)
	}
	return math.Ldexp(sum, int(k))
}
