package cpu

import (
	"math"

	"github.com/tenfold-ml/tenfold/trainer/ops"
)

// The kernels here touch rows·classes numbers, too few to split over threads.
// They compute in float64: sums over a minibatch cost nothing and gain digits.

// crossEntropy is the mean of log Σ exp(row) - row[label].
type crossEntropy[T float] struct {
	logits array[T]
	labels array[int32]
	loss   array[T]
}

func (c *crossEntropy[T]) run() {
	x, labels := c.logits.get(), c.labels.get()
	classes := len(x) / len(labels)
	sum := 0.0
	for i, label := range labels {
		row := x[i*classes : (i+1)*classes]
		top := largest(row)
		total := 0.0
		for _, v := range row {
			total += exp(float64(v) - top)
		}
		sum += math.Log(total) + top - float64(row[label])
	}
	c.loss.get()[0] = T(sum / float64(len(labels)))
}

// crossEntropyGrad is grad·(softmax(row) - onehot(label))/rows.
type crossEntropyGrad[T float] struct {
	logits array[T]
	labels array[int32]
	grad   array[T]
	dx     array[T]
}

func (c *crossEntropyGrad[T]) run() {
	x, labels, dx := c.logits.get(), c.labels.get(), c.dx.get()
	classes := len(x) / len(labels)
	scale := float64(c.grad.get()[0]) / float64(len(labels))
	for i, label := range labels {
		row, out := x[i*classes:(i+1)*classes], dx[i*classes:(i+1)*classes]
		target := float64(row[label]) // out may be row
		top := largest(row)
		total := expRow(out, row, top)
		rest := total - exp(target-top) // of the other classes
		for j, e := range out {
			out[j] = T(float64(e) * (scale / total))
		}
		out[label] = T(-scale * (rest / total))
	}
}

// softmax makes every row probabilities.
type softmax[T float] struct {
	x, y    array[T]
	classes int
}

func (s *softmax[T]) run() {
	x, y := s.x.get(), s.y.get()
	for i := 0; i < len(x); i += s.classes {
		row, out := x[i:i+s.classes], y[i:i+s.classes]
		total := expRow(out, row, largest(row))
		for j, e := range out {
			out[j] = T(float64(e) / total)
		}
	}
}

// errorCount counts the rows that are not ops.Correct.
type errorCount[T float] struct {
	logits array[T]
	labels array[int32]
	count  array[T]
}

func (c *errorCount[T]) run() {
	x, labels := c.logits.get(), c.labels.get()
	classes := len(x) / len(labels)
	wrong := 0
	for i, label := range labels {
		if !ops.Correct(x[i*classes:(i+1)*classes], int(label)) {
			wrong++
		}
	}
	c.count.get()[0] = T(wrong)
}

// largest returns the largest number, NaN if there is one.
func largest[T float](row []T) float64 {
	top := row[0]
	for _, v := range row[1:] {
		top = max(top, v)
	}
	return float64(top)
}

// expRow sets out to exp(row - top) and returns the sum.
func expRow[T float](out, row []T, top float64) float64 {
	total := 0.0
	for j, v := range row {
		e := exp(float64(v) - top)
		total += e
		out[j] = T(e)
	}
	return total
}

// squaredError is the mean of (output - target)².
type squaredError[T float] struct{ outputs, targets, loss array[T] }

func (s *squaredError[T]) run() {
	y, targets := s.outputs.get(), s.targets.get()
	sum := 0.0
	for i, v := range y {
		d := float64(v) - float64(targets[i])
		sum += float64(d * d)
	}
	s.loss.get()[0] = T(sum / float64(len(y)))
}

// squaredErrorGrad is grad·2·(output - target)/elements.
type squaredErrorGrad[T float] struct{ outputs, targets, grad, dy array[T] }

func (s *squaredErrorGrad[T]) run() {
	y, targets, dy := s.outputs.get(), s.targets.get(), s.dy.get()
	scale := 2 * float64(s.grad.get()[0]) / float64(len(y))
	for i, v := range y { // dy may be y
		dy[i] = T(scale * (float64(v) - float64(targets[i])))
	}
}
