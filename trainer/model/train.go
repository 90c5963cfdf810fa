package model

import (
	"fmt"

	"gorgonia.org/tensor"

	"github.com/tenfold-ml/tenfold/trainer/engine"
)

// trainingProgram computes loss, errors and gradients for a number of rows.
type trainingProgram struct {
	graph       *trainingGraph
	program     *engine.Program
	loss, wrong []float32 // of one number
	step        []int64   // of one number
}

func (p *trainingProgram) close() error { return p.program.Close() }

func (n *Network) compileTraining(rows int) (*trainingProgram, error) {
	g, err := newTrainingGraph(n.arch, tensor.Float32, rows, n.options.Inputs, n.values)
	if err != nil {
		return nil, err
	}
	p := &trainingProgram{graph: g, loss: make([]float32, 1), wrong: make([]float32, 1), step: make([]int64, 1)}
	results := []engine.Result{
		{Node: g.loss, Into: engine.SliceOf(p.loss)},
		{Node: g.wrong, Into: engine.SliceOf(p.wrong)},
	}
	// The last layer's gradients come first, as backpropagation has them.
	for i := len(g.grads) - 1; i >= 0; i-- {
		results = append(results, engine.Result{Node: g.grads[i], Into: engine.SliceOf(n.params[i].Grad)})
	}
	if p.program, err = engine.Compile(n.backend, results...); err != nil {
		return nil, err
	}
	if n.profiled {
		p.program.StartProfile()
	}
	if p.program.Uses(g.step) { // a network without dropout does not
		if err := p.program.Bind(g.step, engine.SliceOf(p.step)); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// TrainStep computes one minibatch: x [rows, Inputs] and labels [rows] of numbers
// in [0, Classes), with 1 ≤ rows ≤ BatchSize. It leaves the gradient of the mean
// loss in every parameter's Grad, and returns the loss (mean negative
// log-likelihood in nats) and how many rows are classified wrongly; both are
// those of the network with dropout. Step selects dropout's masks: the same step
// and seed drop the same units. The parameters' values are not changed.
//
// A loss that is not finite is no error: the caller decides what to do about a
// diverged run.
func (n *Network) TrainStep(x []float32, labels []int32, step uint64) (loss float64, wrong int, err error) {
	if n.closed {
		return 0, 0, engine.ErrClosed
	}
	rows := len(labels)
	if rows < 1 || rows > n.options.BatchSize {
		return 0, 0, fmt.Errorf("train on %d rows: want 1 to %d", rows, n.options.BatchSize)
	}
	if len(x) != rows*n.options.Inputs {
		return 0, 0, fmt.Errorf("train on %d rows of %d features: got %d numbers", rows, n.options.Inputs, len(x))
	}
	for i, label := range labels {
		if label < 0 || int(label) >= n.options.Classes {
			return 0, 0, fmt.Errorf("train on a minibatch: label %d of row %d is not one of %d classes", label, i, n.options.Classes)
		}
	}
	p, err := n.train.get(rows)
	if err != nil {
		return 0, 0, err
	}
	p.step[0] = int64(step)
	if err := p.program.Bind(p.graph.x, engine.SliceOf(x)); err != nil {
		return 0, 0, err
	}
	if err := p.program.Bind(p.graph.labels, engine.SliceOf(labels)); err != nil {
		return 0, 0, err
	}
	if err := p.program.RunAll(); err != nil {
		return 0, 0, err
	}
	return float64(p.loss[0]), int(p.wrong[0]), nil
}
