package data

import (
	"math"
	"slices"
)

// Scale sums up how large the features of the training split are, as they are in
// the data: bytes from 0 to 255, or floats.
type Scale struct {
	// Log1p says that all is of the logarithms of 1 plus the features.
	Log1p bool `json:"log1p,omitempty"`
	// Features is their number, Constant that of those with one value only.
	Features int `json:"features"`
	Constant int `json:"constant"`
	// Min, Max, Mean and Std (of the population) are measured for each feature.
	Min  Spread `json:"min"`
	Max  Spread `json:"max"`
	Mean Spread `json:"mean"`
	Std  Spread `json:"std"`
}

// Spread says how a measure varies among features.
type Spread struct {
	Lowest  float64 `json:"lowest"`
	Median  float64 `json:"median"`
	Highest float64 `json:"highest"`
}

// measureScale measures the features of all cases of split.
func measureScale(split Split, features int) *Scale {
	if split.Values != nil {
		return scaleOf(split.Values, split.N, features)
	}
	return scaleOf(split.Images, split.N, features)
}

func scaleOf[T uint8 | float32](values []T, n, features int) *Scale {
	low, high := make([]float64, features), make([]float64, features)
	mean, std := make([]float64, features), make([]float64, features)
	for j := range low {
		low[j], high[j] = math.Inf(1), math.Inf(-1)
	}
	for i := range n {
		for j, v := range values[i*features:][:features] {
			x := float64(v)
			low[j], high[j] = min(low[j], x), max(high[j], x)
			mean[j] += x
		}
	}
	for j := range mean {
		mean[j] /= float64(n)
	}
	// In a second pass, since large means would swamp small deviations in one.
	for i := range n {
		for j, v := range values[i*features:][:features] {
			d := float64(v) - mean[j]
			std[j] += d * d
		}
	}
	s := &Scale{Features: features}
	for j := range std {
		std[j] = math.Sqrt(std[j] / float64(n))
		if low[j] == high[j] {
			s.Constant++
			mean[j], std[j] = low[j], 0 // and not what rounding leaves
		}
	}
	s.Min, s.Max, s.Mean, s.Std = spread(low), spread(high), spread(mean), spread(std)
	return s
}

// spread sorts values and takes the ends and the middle, the upper one of two.
func spread(values []float64) Spread {
	slices.Sort(values)
	return Spread{Lowest: values[0], Median: values[len(values)/2], Highest: values[len(values)-1]}
}
