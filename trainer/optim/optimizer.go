package optim

import (
	"math"

	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/trainer/engine"
)

// Optimizer updates the parameters of a run as its configuration says.
type Optimizer struct {
	params []engine.Param
	rule   rule
	limit  maxNorm
	// classical is the rule where the last update is its state.
	classical *SGD
	before    [][]float32 // weights before a measured step; nil until then
}

// rule is how one step goes.
type rule interface {
	Step(rate float64)
	State() []NamedSlice
}

// New returns the optimiser of params that cfg, which has passed the spec's
// validation, describes.
func New(params []engine.Param, cfg sweeps.Train) *Optimizer {
	o := &Optimizer{params: params, limit: newMaxNorm(params, cfg.MaxNorm)}
	if cfg.Optimizer == "adam" {
		o.rule = NewAdam(params, cfg.Adam, cfg.WeightDecay)
		return o
	}
	sgd := NewSGD(params, cfg.Momentum)
	sgd.nesterov, sgd.decay = cfg.Nesterov, float32(cfg.WeightDecay)
	o.rule = sgd
	if !cfg.Nesterov && cfg.MaxNorm == 0 {
		o.classical = sgd
	}
	return o
}

// Step updates every parameter from its gradient, which it may change, and then
// applies the limit on the weights' norms.
func (o *Optimizer) Step(rate float64) {
	o.rule.Step(rate)
	if o.limit.limit > 0 {
		o.limit.apply(o.params)
	}
}

// MeasuredStep is Step, and returns |update| / |weights| (L2 norms, the weights
// after the step) of each parameter, by name. About 1e-3 is healthy. It is 0 where
// all weights are zero. It costs more than a step, so ask once an epoch.
func (o *Optimizer) MeasuredStep(rate float64) map[string]float64 {
	if o.classical != nil {
		o.Step(rate)
		return o.classical.UpdateRatio()
	}
	if o.before == nil {
		o.before = make([][]float32, len(o.params))
	}
	for i, p := range o.params {
		o.before[i] = append(o.before[i][:0], p.Value...)
	}
	o.Step(rate)
	ratios := make(map[string]float64, len(o.params))
	for i, p := range o.params {
		update := o.before[i]
		for j, w := range p.Value {
			update[j] = w - update[j]
		}
		ratios[p.Name] = 0
		if weights := math.Sqrt(sumOfSquares(p.Value)); weights > 0 {
			ratios[p.Name] = math.Sqrt(sumOfSquares(update)) / weights
		}
	}
	return ratios
}

// State returns all that the next steps depend on besides the parameters. The
// slices are live: read them to save, copy into them to restore.
func (o *Optimizer) State() []NamedSlice { return o.rule.State() }
