package data

import "math"

// Standardizer turns the bytes of a case into a network's inputs:
//
//	x[j] = (byte[j]/255 − Mean[j]) / Std[j]
//
// and floats without the division by 255.
//
// A checkpoint carries Mean and Std, so that it can predict by itself.
type Standardizer struct {
	// Mean and Std have one number per feature, in units of byte/255, or of the
	// features themselves where they are floats.
	Mean, Std []float32
	// offset and factor are Mean and 1/Std in units of bytes.
	offset, factor []float32
}

// NewStandardizer makes one of given statistics, such as a checkpoint's.
func NewStandardizer(mean, std []float32) *Standardizer {
	s := &Standardizer{Mean: mean, Std: std, offset: make([]float32, len(mean)), factor: make([]float32, len(std))}
	for j := range mean {
		s.offset[j] = float32(255 * float64(mean[j]))
		s.factor[j] = float32(1 / (255 * float64(std[j])))
	}
	return s
}

// Identity only scales bytes to [0, 1], and leaves floats as they are.
func Identity(features int) *Standardizer {
	std := make([]float32, features)
	for j := range std {
		std[j] = 1
	}
	return NewStandardizer(make([]float32, features), std)
}

// Symbols leaves bytes that are symbols the whole numbers that they are. Its Mean is 0
// and its Std 1, as those of [Identity].
func Symbols(features int) *Standardizer {
	s := Identity(features)
	copy(s.factor, s.Std)
	return s
}

// Fit measures mean and standard deviation (of the population, not of a sample)
// of every feature over the cases of split that indices name, and over no others:
// what is measured on validation or test cases would leak into training. A
// feature that is constant there gets Std 1, so it stays what it is: zero. No Std is
// below floor times the root mean square of the features' standard deviations.
// The sums are of integers, hence exact and independent of the order.
func Fit(split Split, features int, indices []int32, floor float64) *Standardizer {
	if split.Values != nil {
		return fitFloats(split.Values, features, indices, floor)
	}
	sum := make([]uint64, features)
	squares := make([]uint64, features)
	for _, i := range indices {
		row := split.Images[int(i)*features:][:features]
		for j, b := range row {
			v := uint64(b)
			sum[j] += v
			squares[j] += v * v
		}
	}
	mean := make([]float32, features)
	std := make([]float32, features)
	n, variances := float64(len(indices)), 0.0
	for j := range mean {
		mean[j] = float32(float64(sum[j]) / n / 255)
		std[j] = 1
		// n·Σv² − (Σv)² in integers: no cancellation, and exactly 0 for a
		// constant. It fits 64 bits up to 16 million cases.
		if v := uint64(len(indices))*squares[j] - sum[j]*sum[j]; v > 0 {
			std[j] = float32(math.Sqrt(float64(v)) / n / 255)
			variances += float64(v) / n / n / (255 * 255)
		}
	}
	least := float32(floor * math.Sqrt(variances/float64(features)))
	for j := range std {
		std[j] = max(std[j], least)
	}
	return NewStandardizer(mean, std)
}

// Apply writes the inputs for one case to dst; both have one number per feature.
func (s *Standardizer) Apply(dst []float32, src []uint8) {
	offset, factor := s.offset[:len(dst)], s.factor[:len(dst)]
	for j, b := range src[:len(dst)] {
		dst[j] = (float32(b) - offset[j]) * factor[j]
	}
}

// fitFloats is Fit for floats: in double precision, in two passes and in the order
// of the indices, so that the result is the same wherever it is computed.
func fitFloats(values []float32, features int, indices []int32, floor float64) *Standardizer {
	n := float64(len(indices))
	center, squares := make([]float64, features), make([]float64, features)
	for _, i := range indices {
		for j, v := range values[int(i)*features:][:features] {
			center[j] += float64(v) / n
		}
	}
	for _, i := range indices {
		for j, v := range values[int(i)*features:][:features] {
			d := float64(v) - center[j]
			squares[j] += d * d / n
		}
	}
	mean, std := make([]float32, features), make([]float32, features)
	variances := 0.0
	for j := range mean {
		mean[j], std[j] = float32(center[j]), 1
		// A constant has no variance but that of rounding its mean.
		if s := math.Sqrt(squares[j]); s > 1e-9*math.Abs(center[j]) && float32(s) > 0 {
			std[j] = float32(s)
			variances += squares[j]
		}
	}
	least := float32(floor * math.Sqrt(variances/float64(features)))
	for j := range std {
		std[j] = max(std[j], least)
	}
	return NewStandardizer(mean, std)
}

// ApplyFloats is Apply for a case of floats.
func (s *Standardizer) ApplyFloats(dst, src []float32) {
	mean, std := s.Mean[:len(dst)], s.Std[:len(dst)]
	for j, v := range src[:len(dst)] {
		dst[j] = (v - mean[j]) / std[j]
	}
}

// applyBytes is Apply for bytes that have been interpolated.
func (s *Standardizer) applyBytes(dst, src []float32) {
	offset, factor := s.offset[:len(dst)], s.factor[:len(dst)]
	for j, v := range src[:len(dst)] {
		dst[j] = (v - offset[j]) * factor[j]
	}
}
