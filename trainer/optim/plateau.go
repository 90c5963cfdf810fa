package optim

import (
	"math"

	"github.com/tenfold-ml/tenfold/sweeps"
)

// Plateau is the learning-rate schedule of a run, of either kind: "plateau"
// divides the rate whenever the validation error has not fallen below its best
// for a number of epochs; "constant" leaves it alone. Its JSON is its whole state,
// and reading it back gives the same schedule exactly.
type Plateau struct {
	// Kind is "plateau" or "constant".
	Kind string `json:"kind"`
	// Rate is the current learning rate.
	Rate float64 `json:"rate"`
	// DivideBy, Patience and StopBelow are as in [sweeps.Schedule].
	DivideBy  float64 `json:"divide_by"`
	Patience  int     `json:"patience"`
	StopBelow float64 `json:"stop_below"`
	// Best is the smallest validation error so far, if Observed.
	Best     float64 `json:"best"`
	Observed bool    `json:"observed"`
	// Waited counts the epochs since Best, or since the last division.
	Waited int `json:"waited"`
}

// NewPlateau returns the schedule of cfg, which has passed the spec's validation,
// starting at rate. A divisor or a patience below 1 counts as 1.
func NewPlateau(cfg sweeps.Schedule, rate float64) *Plateau {
	divideBy := cfg.DivideBy
	if !(divideBy >= 1) {
		divideBy = 1
	}
	return &Plateau{
		Kind: cfg.Kind, Rate: rate,
		DivideBy: divideBy, Patience: max(cfg.Patience, 1), StopBelow: cfg.StopBelow,
	}
}

// Observe takes the validation error after an epoch and returns the rate of the
// next one, and whether the run should stop because that rate is below
// StopBelow. An error that is not finite counts as no improvement. A constant
// schedule never stops.
func (p *Plateau) Observe(validationError float64) (rate float64, stop bool) {
	if p.Kind == "constant" {
		return p.Rate, false
	}
	finite := !math.IsNaN(validationError) && !math.IsInf(validationError, 0)
	if finite && (!p.Observed || validationError < p.Best) {
		p.Best, p.Observed, p.Waited = validationError, true, 0
	} else if p.Waited++; p.Waited >= p.Patience {
		p.Rate /= p.DivideBy
		p.Waited = 0
	}
	return p.Rate, p.Rate < p.StopBelow
}
