package cpu

import (
	"math"

	"github.com/tenfold-ml/tenfold/trainer/ops"
)

// Recurrent layers apply millions of smooth activations a step, so in float32 they
// are computed in float32: by vector instructions where the processor has them, else
// here. Both are within 2e-7 of the truth, relative to it.
//
// e^x is 2^k·(1 + r·P(r)), with k the integer nearest to x/ln 2, r = x - k·ln 2, and P
// a polynomial with P(0) = 1 whose largest error on |r| ≤ ln(2)/2 is about as small as
// its degree allows: 1.6e-8. What is computed is r·P(r) = e^r - 1, so that nothing
// cancels in tanh near 0.
const (
	expC1 = 0.5
	expC2 = 0.16666541993618011
	expC3 = 0.04166628047823906
	expC4 = 0.008366644382476807
	expC5 = 0.0013946552062407136
	ln2Hi = 0.693359375 // its lowest bits are zero: k·ln2Hi is exact
	ln2Lo = -2.12194440054690583e-4
	// expLimit keeps 2^k a normal number. Beyond it sigmoid is within 2e-38 of 0 or 1,
	// and tanh is ±1.
	expLimit = 87
)

// exp32 returns scale = 2^k and r with e^x = scale·(1 + r), for |x| ≤ expLimit.
func exp32(x float32) (scale, r float32) {
	const whole = 3 << 22 // of this size float32 are whole numbers, so adding it rounds
	k := (float32(x*math.Log2E) + whole) - whole
	r = float32(x-float32(k*ln2Hi)) - float32(k*ln2Lo)
	p := float32(expC5*r) + expC4
	p = float32(p*r) + expC3
	p = float32(p*r) + expC2
	p = float32(p*r) + expC1
	p = float32(p*r) + 1
	return math.Float32frombits(uint32(int32(k)+127) << 23), r * p
}

// sigmoid32 returns 1/(1 + e^-x).
func sigmoid32(x float32) float32 {
	if x != x {
		return x
	}
	scale, r := exp32(min(max(-x, -expLimit), expLimit))
	return 1 / (1 + (scale + float32(scale*r)))
}

// tanh32 returns the hyperbolic tangent, with t = e^-2|x| - 1 as -t/(2 + t).
func tanh32(x float32) float32 {
	if x != x {
		return x
	}
	const sign = 1 << 31
	bits := math.Float32bits(x)
	a := math.Float32frombits(bits &^ sign)
	scale, r := exp32(max(-2*a, -expLimit))
	t := (scale - 1) + float32(scale*r)
	y := math.Float32bits(t / (2 + t)) // of the wrong sign, which goes
	return math.Float32frombits(y&^sign | bits&sign)
}

// fastActivation returns what applies an activation in place in recurrent layers: as
// activate does, but for the smooth ones in float32.
func fastActivation[T float](a ops.Activation) func(x []T) {
	fast := map[ops.Activation]func(x []float32){ops.Tanh: tanhs, ops.Sigmoid: sigmoids}[a]
	if f, ok := any(fast).(func(x []T)); ok && fast != nil { // T is float32
		return f
	}
	return func(x []T) { activate(a, x) }
}

func tanhsGo(x []float32) {
	for i, v := range x {
		x[i] = tanh32(v)
	}
}

func sigmoidsGo(x []float32) {
	for i, v := range x {
		x[i] = sigmoid32(v)
	}
}
