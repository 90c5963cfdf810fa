package model

import (
	"fmt"

	"gorgonia.org/gorgonia"

	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/trainer/ops"
)

// mlp is a multilayer perceptron: dense layers with an activation between them. Layer i has
// the parameters "dense<i>.weight" [in, out] and "dense<i>.bias" [out].
type mlp struct {
	widths     []int // inputs, hidden layers, outputs
	activation ops.Activation
	dropout    sweeps.Dropout
	seed       uint64
	firstMask  uint32 // dropout's number of the first layer
}

func newMLP(cfg sweeps.Model, o Options) (mlp, error) {
	activation, err := ops.ParseActivation(cfg.Activation)
	if err != nil {
		return mlp{}, fmt.Errorf("%w: activation: %w", ErrConfig, err)
	}
	if o.Symbols > 0 {
		return mlp{}, fmt.Errorf("%w: the inputs are symbols, which %s cannot take, only lstm and rnn can", ErrConfig, cfg.Kind)
	}
	widths := append([]int{o.Inputs}, cfg.Hidden...)
	return mlp{widths: append(widths, o.Predictions()), activation: activation, dropout: cfg.Dropout, seed: o.Seed}, nil
}

func (m mlp) parameters() []parameter {
	var ps []parameter
	last := len(m.widths) - 2
	for i, out := range m.widths[1:] {
		in := m.widths[i]
		ps = append(ps,
			parameter{name: fmt.Sprintf("dense%d.weight", i), shape: []int{in, out}, fanIn: in},
			parameter{name: fmt.Sprintf("dense%d.bias", i), shape: []int{out}, hiddenBias: i < last})
	}
	return ps
}

func (mlp) memories() []memory { return nil }

func (m mlp) outputs(p pass) (*gorgonia.Node, gorgonia.Nodes, error) {
	layers := len(m.widths) - 1
	h := p.x
	for i := range layers {
		drop := m.dropout.Hidden
		if i == 0 {
			drop = m.dropout.Input
		}
		var err error
		if drop > 0 && p.step != nil {
			// The layer's number is the mask's: what it drops are its inputs.
			if h, err = ops.Dropout(h, p.step, drop, m.seed, m.firstMask+uint32(i)); err != nil {
				return nil, nil, fmt.Errorf("dropout before layer %d: %w", i, err)
			}
		}
		activation := m.activation
		if i == layers-1 {
			activation = ops.Identity
		}
		if h, err = ops.Dense(h, p.params[2*i], p.params[2*i+1], activation); err != nil {
			return nil, nil, fmt.Errorf("layer %d: %w", i, err)
		}
	}
	return h, nil, nil
}
