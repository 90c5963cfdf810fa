package model

import (
	"fmt"

	"gorgonia.org/gorgonia"

	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/trainer/ops"
)

// architecture is one kind of model.
type architecture interface {
	// parameters lists what is trained, input side first. The order fixes the
	// initial values.
	parameters() []parameter
	// logits builds the graph from x [rows, inputs] to [rows, classes], with
	// params in the order of parameters. A nil step means prediction, without
	// dropout.
	logits(x, step *gorgonia.Node, params gorgonia.Nodes) (*gorgonia.Node, error)
}

// parameter describes one trainable array.
type parameter struct {
	name  string
	shape []int
	// fanIn is the number of inputs of a unit; 0 marks a bias.
	fanIn int
	// hiddenBias marks the biases of hidden units, which init.bias spreads; others
	// start at zero.
	hiddenBias bool
}

// mlp is a multilayer perceptron: dense layers with an activation between them. Layer i has
// the parameters "dense<i>.weight" [in, out] and "dense<i>.bias" [out].
type mlp struct {
	widths     []int // inputs, hidden layers, classes
	activation ops.Activation
	dropout    sweeps.Dropout
	seed       uint64
	firstMask  uint32 // dropout's number of the first layer
}

// newArchitecture builds the kind of model that cfg names.
func newArchitecture(cfg sweeps.Model, o Options) (architecture, error) {
	if cfg.Kind == "convnet" {
		return newConvnet(cfg, o)
	}
	return newMLP(cfg, o)
}

func newMLP(cfg sweeps.Model, o Options) (mlp, error) {
	activation, err := ops.ParseActivation(cfg.Activation)
	if err != nil {
		return mlp{}, fmt.Errorf("%w: activation: %w", ErrConfig, err)
	}
	widths := append([]int{o.Inputs}, cfg.Hidden...)
	return mlp{widths: append(widths, o.Classes), activation: activation, dropout: cfg.Dropout, seed: o.Seed}, nil
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

func (m mlp) logits(x, step *gorgonia.Node, params gorgonia.Nodes) (*gorgonia.Node, error) {
	layers := len(m.widths) - 1
	h := x
	for i := range layers {
		p := m.dropout.Hidden
		if i == 0 {
			p = m.dropout.Input
		}
		var err error
		if p > 0 && step != nil {
			// The layer's number is the mask's: what it drops are its inputs.
			if h, err = ops.Dropout(h, step, p, m.seed, m.firstMask+uint32(i)); err != nil {
				return nil, fmt.Errorf("dropout before layer %d: %w", i, err)
			}
		}
		activation := m.activation
		if i == layers-1 {
			activation = ops.Identity
		}
		if h, err = ops.Dense(h, params[2*i], params[2*i+1], activation); err != nil {
			return nil, fmt.Errorf("layer %d: %w", i, err)
		}
	}
	return h, nil
}
