package data

import "math"

// Baseline is how well the test split is guessed without looking at the inputs, by
// what is most frequent or the mean in the training split. A network that does not
// do better has learnt nothing.
type Baseline struct {
	// Error is the share of labels that are not the most frequent ones: of each output
	// by itself, or of all in an ordered data set, where outputs are alike.
	Error *float64 `json:"error,omitempty"`
	// BitsPerSymbol is the cross-entropy of a text's symbols under their frequencies
	// in the training split, each raised by one for those that do not occur there.
	BitsPerSymbol *float64 `json:"bits_per_symbol,omitempty"`
	// SquaredError is the mean squared error of guessing the mean, of each output by
	// itself.
	SquaredError *float64 `json:"mean_squared_error,omitempty"`
}

// measureBaseline takes the labels or values of both splits, else it is nil.
func measureBaseline(ds *Dataset) *Baseline {
	loaded := func(s Split) bool { return len(s.Labels)+len(s.Targets) > 0 }
	if !loaded(ds.Train) || !loaded(ds.Test) {
		return nil
	}
	if ds.Classes == 0 {
		mse := guessMeans(ds.Train.Targets, ds.Test.Targets, ds.Outputs)
		return &Baseline{SquaredError: &mse}
	}
	outputs := ds.Outputs
	if ds.Ordered {
		outputs = 1
	}
	counts := make([]int, outputs*ds.Classes)
	for i, l := range ds.Train.Labels {
		counts[i%outputs*ds.Classes+int(l)]++
	}
	guesses := make([]uint8, outputs)
	for k := range guesses {
		of := counts[k*ds.Classes:][:ds.Classes]
		for l, n := range of {
			if n > of[guesses[k]] {
				guesses[k] = uint8(l)
			}
		}
	}
	wrong := 0
	for i, l := range ds.Test.Labels {
		if l != guesses[i%outputs] {
			wrong++
		}
	}
	share := float64(wrong) / float64(len(ds.Test.Labels))
	b := &Baseline{Error: &share}
	if ds.Alphabet != "" {
		bits := unigramBits(counts, ds.Test.Labels)
		b.BitsPerSymbol = &bits
	}
	return b
}

func guessMeans(train, test []float32, outputs int) float64 {
	means := make([]float64, outputs)
	for i, v := range train {
		means[i%outputs] += float64(v) / float64(len(train)/outputs)
	}
	sum := 0.0
	for i, v := range test {
		d := float64(v) - means[i%outputs]
		sum += d * d
	}
	return sum / float64(len(test))
}

func unigramBits(counts []int, symbols []uint8) float64 {
	total := len(counts)
	for _, n := range counts {
		total += n
	}
	bits := make([]float64, len(counts))
	for s, n := range counts {
		bits[s] = math.Log2(float64(total)) - math.Log2(float64(n+1))
	}
	sum := 0.0
	for _, s := range symbols {
		sum += bits[s]
	}
	return sum / float64(len(symbols))
}
