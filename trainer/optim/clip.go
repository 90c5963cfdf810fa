package optim

import (
	"math"

	"github.com/tenfold-ml/tenfold/trainer/engine"
)

// ClipNorm returns the L2 norm of all gradients taken as one vector, and where
// it is above limit scales them all by limit/norm, so that the norm becomes the
// limit (Pascanu et al. 2013, "On the difficulty of training recurrent neural
// networks", as a hard constraint). A limit of 0 sets none.
//
// The sum of squares is in float64 and in an order that depends on the lengths
// alone. Gradients whose norm is not finite are left as they are: scaling
// would only hide which of them is at fault.
func ClipNorm(params []engine.Param, limit float64) (norm float64, clipped bool) {
	sum := 0.0
	for _, p := range params {
		sum += sumOfSquares(p.Grad)
	}
	norm = math.Sqrt(sum)
	if limit <= 0 || !(norm > limit) || math.IsInf(norm, 1) {
		return norm, false
	}
	scale := float32(limit / norm)
	for _, p := range params {
		for i := range p.Grad {
			p.Grad[i] *= scale
		}
	}
	return norm, true
}

// sumOfSquares uses four accumulators, since one would wait for each addition.
// The conversions keep the compiler from fusing, which would make the result
// depend on the processor.
func sumOfSquares(x []float32) float64 {
	var s0, s1, s2, s3 float64
	for len(x) >= 4 {
		a, b, c, d := float64(x[0]), float64(x[1]), float64(x[2]), float64(x[3])
		s0 += float64(a * a)
		s1 += float64(b * b)
		s2 += float64(c * c)
		s3 += float64(d * d)
		x = x[4:]
	}
	for _, v := range x {
		s0 += float64(float64(v) * float64(v))
	}
	return (s0 + s1) + (s2 + s3)
}
