package optim

import (
	"math"

	"github.com/tenfold-ml/tenfold/trainer/engine"
)

// maxNorm is a hard limit on the L2 norm of the weights that enter each unit, the
// constraint that goes with dropout (Srivastava et al. 2014). Biases are free.
type maxNorm struct {
	limit   float64
	factors []float64 // of the units of a matrix; as many as the widest has
}

func newMaxNorm(params []engine.Param, limit float64) maxNorm {
	widest := 0
	for _, p := range params {
		if len(p.Shape) == 2 {
			widest = max(widest, p.Shape[1])
		}
	}
	return maxNorm{limit: limit, factors: make([]float64, widest)}
}

// apply scales the weights of the units above the limit down to it.
func (m maxNorm) apply(params []engine.Param) {
	for _, p := range params {
		switch {
		case !isWeight(p):
		case len(p.Shape) == 2:
			m.columns(p.Value, p.Shape[1])
		default:
			m.blocks(p.Value, len(p.Value)/p.Shape[0])
		}
	}
}

// columns is for a matrix [inputs, units].
func (m maxNorm) columns(w []float32, units int) {
	factors := m.factors[:units]
	clear(factors)
	for row := w; len(row) >= units; row = row[units:] {
		for j, v := range row[:units] {
			factors[j] += float64(float64(v) * float64(v))
		}
	}
	above := false
	for j, sum := range factors {
		factors[j] = m.factor(sum)
		above = above || factors[j] != 1
	}
	if !above {
		return
	}
	for row := w; len(row) >= units; row = row[units:] {
		for j, f := range factors {
			row[j] = float32(float64(row[j]) * f)
		}
	}
}

// blocks is for filters, of size weights each.
func (m maxNorm) blocks(w []float32, size int) {
	for ; len(w) >= size && size > 0; w = w[size:] {
		if f := m.factor(sumOfSquares(w[:size])); f != 1 {
			for i, v := range w[:size] {
				w[i] = float32(float64(v) * f)
			}
		}
	}
}

// factor is what weights with a sum of squares are multiplied by. It is a trifle
// less than the exact one, so that rounding does not lead above the limit again.
func (m maxNorm) factor(sum float64) float64 {
	if norm := math.Sqrt(sum); norm > m.limit {
		return m.limit * (1 - 1e-7) / norm
	}
	return 1
}

// isWeight tells weights from biases, which have one dimension.
func isWeight(p engine.Param) bool { return len(p.Shape) > 1 }
