package cpu

import "math"

// exp returns e^x for x ≤ 0, to about 1e-15; 0 below -708 and NaN for NaN. It is
// made of single IEEE operations, so gradients do not depend on whether the
// processor has a fused multiply-add, as they would with math.Exp.
func exp(x float64) float64 {
	if !(x >= -708) {
		if x < -708 {
			return 0
		}
		return x
	}
	const (
		ln2Hi = 6.93147180369123816490e-01 // its lowest bits are zero: k·ln2Hi is exact
		ln2Lo = 1.90821492927058770002e-10
	)
	k := math.Floor(float64(x*math.Log2E) + 0.5)
	r := (x - float64(k*ln2Hi)) - float64(k*ln2Lo) // in [-ln2/2, ln2/2]
	r2 := float64(r * r)
	r4 := float64(r2 * r2)
	// Taylor to r^13, in pairs and fours, so that the processor need not wait
	// for one term before it starts the next.
	p0 := float64(1+r) + float64(r2*(1.0/2+float64(r*(1.0/6))))
	p1 := float64(1.0/24+float64(r*(1.0/120))) + float64(r2*(1.0/720+float64(r*(1.0/5040))))
	p2 := float64(1.0/40320+float64(r*(1.0/362880))) + float64(r2*(1.0/3628800+float64(r*(1.0/39916800))))
	p3 := float64(1.0/479001600 + float64(r*(1.0/6227020800)))
	p := p0 + float64(r4*(p1+float64(r4*(p2+float64(r4*p3)))))
	return p * math.Float64frombits(uint64(int64(k)+1023)<<52)
}
