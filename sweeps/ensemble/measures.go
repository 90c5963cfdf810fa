package ensemble

import "math"

// MinProbability is what [NLL] takes for any smaller probability of the right
// class: a float32 softmax gives 0 for what is merely very unlikely, and one such
// case would make the mean infinite. A case costs at most 27.6 nats.
const MinProbability = 1e-12

// Measures of predicted labels on one split; [MeasureValues] says what they are of
// values. Where a case has several labels, each of them counts as a case here.
type Measures struct {
	// Error is the share of cases whose most probable class is not their label.
	Error float64 `json:"error"`
	// NLL is the mean negative log likelihood, in nats per case.
	NLL float64 `json:"nll"`
	// Brier is the mean squared distance between the probabilities and the label
	// as a one-hot vector, in [0, 2] (Brier, 1950, in its original form).
	Brier float64 `json:"brier"`
}

// Measure computes all measures of probs, of shape [len(labels), classes]. Errors
// are [*ShapeError] and [*LabelError].
func Measure[T Real](probs []T, classes int, labels []int32) (Measures, error) {
	var m Measures
	var err error
	if m.Error, err = Error(probs, classes, labels); err != nil {
		return Measures{}, err
	}
	if m.NLL, err = NLL(probs, classes, labels); err != nil {
		return Measures{}, err
	}
	m.Brier, err = Brier(probs, classes, labels)
	return m, err
}

// Error is the share of cases whose most probable class is not their label. Of
// equally probable classes the lowest counts.
func Error[T Real](probs []T, classes int, labels []int32) (float64, error) {
	wrong := 0
	err := eachRow(probs, classes, labels, func(row []T, label int32) {
		best := 0
		for k, p := range row {
			if p > row[best] {
				best = k
			}
		}
		if best != int(label) {
			wrong++
		}
	})
	if err != nil {
		return 0, err
	}
	return float64(wrong) / float64(len(labels)), nil
}

// NLL is the mean negative log likelihood of the labels, in nats per case, with
// probabilities below [MinProbability] taken for it.
func NLL[T Real](probs []T, classes int, labels []int32) (float64, error) {
	sum := 0.0
	err := eachRow(probs, classes, labels, func(row []T, label int32) {
		sum -= math.Log(max(float64(row[label]), MinProbability))
	})
	if err != nil {
		return 0, err
	}
	return sum / float64(len(labels)), nil
}

// Brier is the mean over the cases of the squared Euclidean distance between the
// row and the label as a one-hot vector, in [0, 2].
func Brier[T Real](probs []T, classes int, labels []int32) (float64, error) {
	sum := 0.0
	err := eachRow(probs, classes, labels, func(row []T, label int32) {
		for k, p := range row {
			d := float64(p)
			if k == int(label) {
				d--
			}
			// Converted, so that no machine fuses it with the sum.
			sum += float64(d * d)
		}
	})
	if err != nil {
		return 0, err
	}
	return sum / float64(len(labels)), nil
}

// eachRow checks the shapes and labels and calls f for each case.
func eachRow[T Real](probs []T, classes int, labels []int32, f func(row []T, label int32)) error {
	if err := checkShape(len(probs), classes); err != nil {
		return err
	}
	if len(labels) == 0 {
		return &ShapeError{What: "labels", Got: 0, Want: max(len(probs)/classes, 1)}
	}
	if rows := len(probs) / classes; rows != len(labels) {
		return &ShapeError{What: "rows", Got: rows, Want: len(labels)}
	}
	for i, label := range labels {
		if label < 0 || int(label) >= classes {
			return &LabelError{Case: i, Label: label, Classes: classes}
		}
		f(probs[i*classes:(i+1)*classes], label)
	}
	return nil
}
