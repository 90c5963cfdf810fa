package model

import (
	"fmt"
	"math"

	"gorgonia.org/tensor"

	"github.com/tenfold-ml/tenfold/trainer/engine"
)

// Minibatch is what one step of training is about, with 1 to BatchSize rows, the
// cases. Their order is kept everywhere: case by case, then output by output.
type Minibatch struct {
	// X is [rows, Inputs].
	X []float32
	// Labels, numbers in [0, Classes), are [rows, Outputs], and nil where cases ask
	// for values.
	Labels []int32
	// Targets are the values, [rows, Outputs], and nil where cases ask for labels.
	Targets []float32
}

// trainingProgram computes loss, errors and gradients for a number of rows.
type trainingProgram struct {
	graph       *trainingGraph
	program     *engine.Program
	carrier     carrier
	loss, wrong []float32 // of one number
	step        []int64   // of one number
}

func (p *trainingProgram) close() error { return p.program.Close() }

func (n *Network) compileTraining(rows int) (*trainingProgram, error) {
	g, err := newTrainingGraph(n.arch, tensor.Float32, rows, n.options, n.values)
	if err != nil {
		return nil, err
	}
	p := &trainingProgram{
		graph: g, loss: make([]float32, 1), wrong: make([]float32, 1), step: make([]int64, 1),
		carrier: newCarrier(n.arch.memories(), n.memories, rows),
	}
	results := []engine.Result{{Node: g.loss, Into: engine.SliceOf(p.loss)}}
	if g.wrong != nil {
		results = append(results, engine.Result{Node: g.wrong, Into: engine.SliceOf(p.wrong)})
	}
	results = append(results, p.carrier.results(g.final)...)
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
	if err := p.carrier.bind(p.program, g.memories); err != nil {
		return nil, err
	}
	if p.program.Uses(g.step) { // a network without dropout does not
		if err := p.program.Bind(g.step, engine.SliceOf(p.step)); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// TrainStep computes one minibatch. It leaves the gradient of the mean
// loss in every parameter's Grad, and returns the loss (mean negative
// log-likelihood in nats of a label, or mean squared error of a value) and how many
// labels are predicted wrongly, 0 where cases ask for values; both are
// those of the network with dropout. Step selects dropout's masks: the same step
// and seed drop the same units. The parameters' values are not changed. With
// Options.CarryState the sequences go on where those of the last minibatch ended, row
// by row, without a gradient to what was before.
//
// A loss that is not finite is no error: the caller decides what to do about a
// diverged run.
func (n *Network) TrainStep(m Minibatch, step uint64) (loss float64, wrong int, err error) {
	if n.closed {
		return 0, 0, engine.ErrClosed
	}
	rows, err := n.options.check(m)
	if err != nil {
		return 0, 0, err
	}
	p, err := n.train.get(rows)
	if err != nil {
		return 0, 0, err
	}
	p.step[0] = int64(step)
	if err := p.program.Bind(p.graph.x, engine.SliceOf(m.X)); err != nil {
		return 0, 0, err
	}
	if n.options.Classes > 0 {
		err = p.program.Bind(p.graph.labels, engine.SliceOf(m.Labels))
	} else {
		err = p.program.Bind(p.graph.targets, engine.SliceOf(m.Targets))
	}
	if err != nil {
		return 0, 0, err
	}
	p.carrier.load()
	if err := p.program.RunAll(); err != nil {
		return 0, 0, err
	}
	p.carrier.store()
	return float64(p.loss[0]), int(p.wrong[0]), nil
}

// check returns the number of rows of a minibatch that can be trained on.
func (o Options) check(m Minibatch) (rows int, err error) {
	asked, other, noun := len(m.Labels), len(m.Targets), "labels"
	if o.Classes == 0 {
		asked, other, noun = len(m.Targets), len(m.Labels), "values"
	}
	rows = asked / o.outputs()
	switch {
	case rows*o.outputs() != asked || other != 0:
		return 0, fmt.Errorf("train on a minibatch of %d labels and %d values: want %d %s of each case", len(m.Labels), len(m.Targets), o.outputs(), noun)
	case rows < 1 || rows > o.BatchSize:
		return 0, fmt.Errorf("train on %d rows: want 1 to %d", rows, o.BatchSize)
	case len(m.X) != rows*o.Inputs:
		return 0, fmt.Errorf("train on %d rows of %d features: got %d numbers", rows, o.Inputs, len(m.X))
	}
	for i, label := range m.Labels {
		if label < 0 || int(label) >= o.Classes {
			return 0, fmt.Errorf("train on a minibatch: label %d of row %d is not one of %d classes", label, i/o.outputs(), o.Classes)
		}
	}
	return rows, o.checkSymbols(m.X)
}

// checkSymbols refuses inputs that are no symbols where they should be.
func (o Options) checkSymbols(x []float32) error {
	if o.Symbols == 0 {
		return nil
	}
	for i, v := range x {
		if !(v >= 0 && v < float32(o.Symbols)) || v != float32(math.Trunc(float64(v))) {
			return fmt.Errorf("input %d of row %d is %v, not one of %d symbols", i%o.Inputs, i/o.Inputs, v, o.Symbols)
		}
	}
	return nil
}
