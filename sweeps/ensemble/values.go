package ensemble

import (
	"fmt"
	"math"
)

// MeasureValues computes the measures of predicted values, as many as there are
// targets: NLL is the mean squared error, Error that as a share of the targets'
// variance, which is 1 for guessing their mean and may exceed 1, and Brier is 0. Errors
// are [*ShapeError] and [ErrConstant].
func MeasureValues[T Real](predictions []T, targets []float32) (Measures, error) {
	if len(targets) == 0 {
		return Measures{}, &ShapeError{What: "values", Got: 0, Want: max(len(predictions), 1)}
	}
	if len(predictions) != len(targets) {
		return Measures{}, &ShapeError{What: "values", Got: len(predictions), Want: len(targets)}
	}
	variance := Variance(targets)
	if variance == 0 {
		return Measures{}, ErrConstant
	}
	sum := 0.0
	for i, p := range predictions {
		d := float64(p) - float64(targets[i])
		sum += float64(d * d) // converted, so that no machine fuses it with the sum
	}
	mse := sum / float64(len(targets))
	return Measures{Error: mse / variance, NLL: mse}, nil
}

// Variance is that of values, of the population and not of a sample: the mean squared
// error of guessing their mean. It is 0 without values.
func Variance(values []float32) float64 {
	n := float64(max(len(values), 1))
	mean := 0.0
	for _, v := range values {
		mean += float64(v)
	}
	mean /= n
	sum := 0.0
	for _, v := range values {
		d := float64(v) - mean
		sum += float64(d * d)
	}
	return sum / n
}

// CheckValues returns nil when all of the predictions, [cases, outputs], are finite;
// else a [*ShapeError] or [*RowError].
func CheckValues[T Real](predictions []T, outputs int) error {
	if outputs < 1 || len(predictions)%outputs != 0 {
		return &ShapeError{What: "values", Got: len(predictions), Want: len(predictions) - len(predictions)%max(outputs, 1)}
	}
	for i, p := range predictions {
		if x := float64(p); math.IsNaN(x) || math.IsInf(x, 0) {
			return &RowError{Row: i / outputs, Problem: fmt.Sprintf("has %v for value %d", x, i%outputs)}
		}
	}
	return nil
}
