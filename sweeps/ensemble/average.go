package ensemble

import (
	"fmt"
	"math"
)

// Real is a floating-point number: predictions are float32, averages float64.
type Real interface{ ~float32 | ~float64 }

// RowTolerance is how far a row's sum may be from 1, and a probability from
// [0, 1]: far above the rounding of a float32 softmax over some thousand
// classes, far below anything else that a file could hold.
const RowTolerance = 1e-3

// Check returns nil when probs, row by row, are probability distributions over
// the classes, up to [RowTolerance]; else a [*ShapeError] or [*RowError].
func Check[T Real](probs []T, classes int) error {
	if err := checkShape(len(probs), classes); err != nil {
		return err
	}
	for row := 0; row*classes < len(probs); row++ {
		sum := 0.0
		for k, p := range probs[row*classes : (row+1)*classes] {
			x := float64(p)
			if math.IsNaN(x) || math.IsInf(x, 0) {
				return &RowError{Row: row, Problem: fmt.Sprintf("has %v for class %d", x, k)}
			}
			if x < -RowTolerance || x > 1+RowTolerance {
				return &RowError{Row: row, Problem: fmt.Sprintf("has %g for class %d, which is no probability", x, k)}
			}
			sum += x
		}
		if math.Abs(sum-1) > RowTolerance {
			return &RowError{Row: row, Problem: fmt.Sprintf("sums to %g, want 1", sum)}
		}
	}
	return nil
}

func checkShape(numbers, classes int) error {
	if classes < 1 {
		return &ShapeError{What: "classes", Got: classes, Want: 1}
	}
	if numbers%classes != 0 {
		return &ShapeError{What: "probabilities", Got: numbers, Want: numbers - numbers%classes}
	}
	return nil
}

// Average is the arithmetic mean of the members' predictions, number by number:
// members[m] has shape [cases, classes], or that of values, in row-major order. The
// sum runs over the members in the order given, in float64, so the same order
// gives the same bits; in another order they differ by some 1e-16. The mean of
// copies of one member is that member, exactly (up to 2^29 copies). Errors are
// [ErrNoMembers] and [*ShapeError].
func Average[T Real](members [][]T) ([]float64, error) {
	if len(members) == 0 {
		return nil, ErrNoMembers
	}
	mean := make([]float64, len(members[0]))
	for _, m := range members {
		if len(m) != len(mean) {
			return nil, &ShapeError{What: "probabilities", Got: len(m), Want: len(mean)}
		}
		for i, p := range m {
			mean[i] += float64(p)
		}
	}
	n := float64(len(members))
	for i := range mean {
		mean[i] /= n
	}
	return mean, nil
}
