package trainer

import (
	"math"

	"github.com/tenfold-ml/tenfold/sweeps/ensemble"
	"github.com/tenfold-ml/tenfold/trainer/data"
)

// answers are what cases ask for, in the order of their predictions: labels or values.
type answers struct {
	classes int // 0: values
	labels  []int32
	targets []float32
}

func answersOf(ds *data.Dataset, split data.Split, indices []int32) answers {
	if ds.Classes == 0 {
		return answers{targets: ds.Targets(split, indices)}
	}
	return answers{classes: ds.Classes, labels: ds.Labels(split, indices)}
}

// score measures predictions: for labels, the share that is wrong and the mean
// negative log-likelihood; for values, the mean squared error as a share of their
// variance, and itself.
func (a answers) score(predictions []float32) (share, loss float64, err error) {
	if a.classes > 0 {
		share, loss = measure(predictions, a.labels, a.classes)
		return share, loss, nil
	}
	m, err := ensemble.MeasureValues(predictions, a.targets)
	return m.Error, m.NLL, err
}

// leastProbability is what a probability counts as at least, so that one case
// whose class got 0 in float32 does not make the whole NLL infinite.
const leastProbability = 1e-30

// measure returns the share of labels that are not the most probable class (the first
// of equals), and the mean negative log-likelihood in nats.
func measure(probs []float32, labels []int32, classes int) (share, nll float64) {
	wrong := 0
	for i, label := range labels {
		row := probs[i*classes:][:classes]
		best := 0
		for k, p := range row {
			if p > row[best] {
				best = k
			}
		}
		if best != int(label) {
			wrong++
		}
		p := float64(row[label])
		if p < leastProbability {
			p = leastProbability
		}
		nll -= math.Log(p)
	}
	n := float64(len(labels))
	return float64(wrong) / n, nll / n
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
