package model

import (
	"fmt"

	"gorgonia.org/tensor"

	"github.com/tenfold-ml/tenfold/trainer/engine"
)

// predictionProgram computes predictions for a number of rows.
type predictionProgram struct {
	graph   *predictionGraph
	program *engine.Program
	carrier carrier
}

func (p *predictionProgram) close() error { return p.program.Close() }

func (n *Network) compilePrediction(rows int) (*predictionProgram, error) {
	g, err := newPredictionGraph(n.arch, tensor.Float32, rows, n.options, n.values)
	if err != nil {
		return nil, err
	}
	p := &predictionProgram{graph: g, carrier: newCarrier(n.arch.memories(), n.memories, rows)}
	results := append([]engine.Result{{Node: g.predictions}}, p.carrier.results(g.final)...)
	if p.program, err = engine.Compile(n.backend, results...); err != nil {
		return nil, err
	}
	if n.profiled {
		p.program.StartProfile()
	}
	return p, p.carrier.bind(p.program, g.memories)
}

// Predict fills predictions with those for x [rows, Inputs], without dropout: the
// probabilities of the labels, [rows, Outputs, Classes], or the values, [rows,
// Outputs]. It takes any number of rows from 1 up and works in pieces of BatchSize. With
// Options.CarryState, where row r goes on with the sequence of row r of the last
// minibatch, it takes BatchSize rows at most.
func (n *Network) Predict(x []float32, predictions []float32) error {
	if n.closed {
		return engine.ErrClosed
	}
	inputs, each := n.options.Inputs, n.options.Predictions()
	rows := len(x) / inputs
	switch {
	case rows < 1 || len(x) != rows*inputs || len(predictions) != rows*each:
		return fmt.Errorf("predict: %d numbers of input and %d of output are not rows of %d and %d", len(x), len(predictions), inputs, each)
	case n.options.CarryState && rows > n.options.BatchSize:
		return fmt.Errorf("predict: %d rows, where %d sequences are carried", rows, n.options.BatchSize)
	}
	if err := n.options.checkSymbols(x); err != nil {
		return fmt.Errorf("predict: %w", err)
	}
	for rows > 0 {
		chunk := min(rows, n.options.BatchSize)
		p, err := n.predict.get(chunk)
		if err != nil {
			return err
		}
		if err := p.program.Bind(p.graph.x, engine.SliceOf(x[:chunk*inputs])); err != nil {
			return err
		}
		if err := p.program.Bind(p.graph.predictions, engine.SliceOf(predictions[:chunk*each])); err != nil {
			return err
		}
		p.carrier.load()
		if err := p.program.RunAll(); err != nil {
			return err
		}
		p.carrier.store()
		x, predictions, rows = x[chunk*inputs:], predictions[chunk*each:], rows-chunk
	}
	return nil
}
