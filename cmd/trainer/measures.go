package main

import (
	"fmt"
	"math"

	"github.com/tenfold-ml/tenfold/trainer"
)

// measuresOf writes the measures of a task for people.
type measuresOf trainer.Task

// share is an error as short as it can be: "2.15 %", or of values "0.0215".
func (t measuresOf) share(x float64) string {
	if trainer.Task(t) == trainer.Regression {
		return fmt.Sprintf("%.4g", x)
	}
	return fmt.Sprintf("%.2f %%", 100*x)
}

// error is an error in words.
func (t measuresOf) error(x float64) string {
	switch trainer.Task(t) {
	case trainer.Regression:
		return fmt.Sprintf("%.4g of the variance unexplained", x)
	case trainer.Labelling:
		return fmt.Sprintf("%.2f %% of the labels wrong", 100*x)
	case trainer.NextSymbol:
		return fmt.Sprintf("%.2f %% of the symbols wrong", 100*x)
	default:
		return fmt.Sprintf("%.2f %% wrong", 100*x)
	}
}

// loss is a loss in words.
func (t measuresOf) loss(x float64) string {
	switch trainer.Task(t) {
	case trainer.Regression:
		return fmt.Sprintf("mean squared error %.4g", x)
	case trainer.Labelling:
		return fmt.Sprintf("%.4f nats a label", x)
	case trainer.NextSymbol:
		return fmt.Sprintf("%.4f bits a character", bits(x))
	default:
		return fmt.Sprintf("%.4f nats a case", x)
	}
}

// training is an epoch's train loss, in the unit of validation's.
func (t measuresOf) training(loss float64) string {
	if trainer.Task(t) == trainer.NextSymbol {
		return fmt.Sprintf("train %.4f bits", bits(loss))
	}
	return fmt.Sprintf("train loss %.4f", loss)
}

// validation is what follows an epoch's train loss.
func (t measuresOf) validation(share, loss float64) string {
	switch trainer.Task(t) {
	case trainer.Regression:
		return fmt.Sprintf("validation error %6.4g", share)
	case trainer.NextSymbol:
		return fmt.Sprintf("validation %.4f bits", bits(loss))
	default:
		return fmt.Sprintf("validation error %6.2f %%", 100*share)
	}
}

// bits turns nats into bits.
func bits(nats float64) float64 { return nats / math.Ln2 }
