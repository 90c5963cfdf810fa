package model

import (
	"math"

	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/trainer/engine"
	"github.com/tenfold-ml/tenfold/trainer/philox"
)

// initialParams allocates the parameters with their initial values. Weights are
// draws of the family that init.Kind names; biases of hidden units are uniform in
// [-init.Bias, init.Bias], those of the outputs zero; an lstm's forget gates are then
// raised. Parameter i draws from a
// stream of its own, so its values depend on nothing but the seed, i and its shape.
func initialParams(specs []parameter, init sweeps.Init, seed uint64) []engine.Param {
	params := make([]engine.Param, len(specs))
	for i, spec := range specs {
		n := 1
		for _, d := range spec.shape {
			n *= d
		}
		p := engine.Param{Name: spec.name, Shape: spec.shape, Value: make([]float32, n), Grad: make([]float32, n)}
		stream := philox.New(seed, philox.Init, 0, uint64(i))
		switch {
		case spec.fanIn > 0:
			drawWeights(p.Value, init, spec.fanIn, stream)
		case spec.hiddenBias && init.Bias > 0:
			drawBiases(p.Value, init.Bias, stream)
		}
		for j := spec.raisedFrom; j < spec.raisedTo; j++ {
			p.Value[j] += spec.raised
		}
		params[i] = p
	}
	return params
}

// drawWeights fills w with the family's draws:
//
//	normal  scale · N(0,1)
//	scaled  scale/sqrt(fan-in) · N(0,1)
//	he      scale·sqrt(2/fan-in) · N(0,1), which keeps the variance through relu (He
//	        et al. 2015, "Delving deep into rectifiers")
//	sign    ±scale/sqrt(fan-in), bit i of the stream's words deciding the sign of
//	        weight i (Abbe et al. 2025, "Learning high-degree parities: the crucial
//	        role of the initialization")
func drawWeights(w []float32, init sweeps.Init, fanIn int, stream philox.Stream) {
	scale := init.Scale
	switch init.Kind {
	case "scaled", "sign":
		scale /= math.Sqrt(float64(fanIn))
	case "he":
		scale *= math.Sqrt(2 / float64(fanIn))
	}
	if init.Kind == "sign" {
		var words [4]uint32
		for i := range w {
			if i%128 == 0 {
				words = stream.Block(uint32(i / 128))
			}
			w[i] = float32(scale)
			if words[i/32%4]>>(i%32)&1 == 1 {
				w[i] = -w[i]
			}
		}
		return
	}
	z := make([]float64, len(w))
	stream.Normals(z)
	for i, v := range z {
		w[i] = float32(scale * v)
	}
}

// drawBiases fills b with uniform draws, a word of the stream each.
func drawBiases(b []float32, bias float64, stream philox.Stream) {
	for i := range b {
		word := stream.Block(uint32(i / 4))[i%4]
		b[i] = float32(bias * ((float64(word)+0.5)/(1<<31) - 1))
	}
}
