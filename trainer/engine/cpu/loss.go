package cpu

import (
	"math"

	"github.com/tenfold-ml/tenfold/trainer/ops"
)

// The kernels here compute in float64: sums over a minibatch cost nothing and gain
// digits. Threads take rows, which only language models have many of; sums over the
// rows are then made in their order, so that they do not depend on the threads.

// exponentials is how many of them are worth waking another thread for.
const exponentials = 4096

// eachLabel splits a kernel's labels over the threads.
func eachLabel(p *pool, labels, classes int, part func(lo, hi int)) {
	p.each(labels, max(1, exponentials/classes), part)
}

// crossEntropy is the mean of log Σ exp(row) - row[label].
type crossEntropy[T float] struct {
	pool    *pool
	logits  array[T]
	labels  array[int32]
	loss    array[T]
	classes int
	losses  []float64 // of the labels
	part    func(lo, hi int)
}

func newCrossEntropy[T float](p *pool, logits array[T], labels array[int32], loss array[T], classes, count int) *crossEntropy[T] {
	c := &crossEntropy[T]{pool: p, logits: logits, labels: labels, loss: loss, classes: classes, losses: make([]float64, count)}
	c.part = c.rows
	return c
}

func (c *crossEntropy[T]) run() {
	eachLabel(c.pool, len(c.losses), c.classes, c.part)
	sum := 0.0
	for _, loss := range c.losses {
		sum += loss
	}
	c.loss.get()[0] = T(sum / float64(len(c.losses)))
}

func (c *crossEntropy[T]) rows(lo, hi int) {
	x, labels := c.logits.get(), c.labels.get()
	for i := lo; i < hi; i++ {
		row := x[i*c.classes : (i+1)*c.classes]
		top := largest(row)
		total := 0.0
		for _, v := range row {
			total += exp(float64(v) - top)
		}
		c.losses[i] = math.Log(total) + top - float64(row[labels[i]])
	}
}

// crossEntropyGrad is grad·(softmax(row) - onehot(label))/rows.
type crossEntropyGrad[T float] struct {
	pool    *pool
	logits  array[T]
	labels  array[int32]
	grad    array[T]
	dx      array[T]
	classes int
	part    func(lo, hi int)
}

func newCrossEntropyGrad[T float](p *pool, logits array[T], labels array[int32], grad, dx array[T], classes int) *crossEntropyGrad[T] {
	c := &crossEntropyGrad[T]{pool: p, logits: logits, labels: labels, grad: grad, dx: dx, classes: classes}
	c.part = c.rows
	return c
}

func (c *crossEntropyGrad[T]) run() {
	eachLabel(c.pool, len(c.labels.get()), c.classes, c.part)
}

func (c *crossEntropyGrad[T]) rows(lo, hi int) {
	x, labels, dx := c.logits.get(), c.labels.get(), c.dx.get()
	classes := c.classes
	scale := float64(c.grad.get()[0]) / float64(len(labels))
	for i := lo; i < hi; i++ {
		label := labels[i]
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
	pool    *pool
	x, y    array[T]
	classes int
	part    func(lo, hi int)
}

func newSoftmax[T float](p *pool, x, y array[T], classes int) *softmax[T] {
	s := &softmax[T]{pool: p, x: x, y: y, classes: classes}
	s.part = s.rows
	return s
}

func (s *softmax[T]) run() { eachLabel(s.pool, len(s.x.get())/s.classes, s.classes, s.part) }

func (s *softmax[T]) rows(lo, hi int) {
	x, y := s.x.get(), s.y.get()
	for i := lo * s.classes; i < hi*s.classes; i += s.classes {
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

// classes is how many logits go with each label.
func classes(logits, labels []int) int { return logits[0] * logits[1] / labels[0] }
