package data

import (
	"fmt"
	"math"
)

// Log1p replaces every feature that is loaded by the logarithm of 1 plus it, for
// features with long tails, and makes floats of bytes, whose range is 0 to 255. It comes
// before all that measures or varies features. A feature of -1 or less is an [*Error].
func (d *Dataset) Log1p() error {
	for _, s := range []struct {
		split *Split
		name  string
	}{{&d.Train, "training"}, {&d.Test, "test"}} {
		if err := checkLog1p(fmt.Sprintf("%s, %s split", d.Name, s.name), s.split.Values, d.Features()); err != nil {
			return err
		}
		s.split.log1p()
	}
	d.Logs = true
	return nil
}

func (s *Split) log1p() {
	for i, v := range s.Values {
		s.Values[i] = float32(math.Log1p(float64(v)))
	}
	if s.Images == nil {
		return
	}
	var logs [256]float32
	for b := range logs {
		logs[b] = float32(math.Log1p(float64(b)))
	}
	s.Values = make([]float32, len(s.Images))
	for i, b := range s.Images {
		s.Values[i] = logs[b]
	}
	s.Images = nil
}

// checkLog1p finds the first number that has no logarithm of 1 plus it, by row and
// column from 1.
func checkLog1p(name string, values []float32, columns int) error {
	for i, v := range values {
		if v <= -1 {
			return bad(name, "has %v in row %d, column %d, and data.log1p needs numbers above -1", v, i/columns+1, i%columns+1)
		}
	}
	return nil
}
