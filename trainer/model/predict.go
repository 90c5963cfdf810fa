package model

import (
	"fmt"

	"gorgonia.org/tensor"

	"github.com/tenfold-ml/tenfold/trainer/engine"
)

// predictionProgram computes probabilities for a number of rows.
type predictionProgram struct {
	graph   *predictionGraph
	program *engine.Program
}

func (p *predictionProgram) close() error { return p.program.Close() }

func (n *Network) compilePrediction(rows int) (*predictionProgram, error) {
	g, err := newPredictionGraph(n.arch, tensor.Float32, rows, n.options.Inputs, n.values)
	if err != nil {
		return nil, err
	}
	program, err := engine.Compile(n.backend, engine.Result{Node: g.probs})
	if err != nil {
		return nil, err
	}
	if n.profiled {
		program.StartProfile()
	}
	return &predictionProgram{g, program}, nil
}

// Predict fills probs [rows, Classes] with the probabilities of x [rows, Inputs],
// for any number of rows from 1 up. It works in pieces of BatchSize rows, without
// dropout.
func (n *Network) Predict(x []float32, probs []float32) error {
	if n.closed {
		return engine.ErrClosed
	}
	inputs, classes := n.options.Inputs, n.options.Classes
	rows := len(x) / inputs
	if rows < 1 || len(x) != rows*inputs || len(probs) != rows*classes {
		return fmt.Errorf("predict: %d numbers of input and %d of output are not rows of %d and %d", len(x), len(probs), inputs, classes)
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
		if err := p.program.Bind(p.graph.probs, engine.SliceOf(probs[:chunk*classes])); err != nil {
			return err
		}
		if err := p.program.RunAll(); err != nil {
			return err
		}
		x, probs, rows = x[chunk*inputs:], probs[chunk*classes:], rows-chunk
	}
	return nil
}
