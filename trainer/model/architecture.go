package model

import (
	"gorgonia.org/gorgonia"

	"github.com/tenfold-ml/tenfold/sweeps"
)

// architecture is one kind of model.
type architecture interface {
	// parameters lists what is trained, input side first. The order fixes the
	// initial values.
	parameters() []parameter
	// memories lists what is carried from one minibatch to the next, input side
	// first; nil of networks that are not recurrent.
	memories() []memory
	// outputs builds the graph from p.x [rows, inputs] to [rows, Options.Outputs ·
	// classes] of logits, or [rows, Options.Outputs] of values. final are the
	// memories after the last step of the sequences, as p.memories has them before
	// the first.
	outputs(p pass) (outputs *gorgonia.Node, final gorgonia.Nodes, err error)
}

// pass is what the graph of an architecture begins with.
type pass struct {
	x *gorgonia.Node
	// step selects dropout's masks; nil means prediction, without dropout.
	step *gorgonia.Node
	// params and memories in the architecture's order.
	params, memories gorgonia.Nodes
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
	// raised is added to the entries from raisedFrom up to raisedTo.
	raised               float32
	raisedFrom, raisedTo int
}

// memory describes what one layer carries, [len(blocks)·rows, units]: the rows of
// each block, one block after the other.
type memory struct {
	layer  string
	blocks []string
	units  int
}

// newArchitecture builds the kind of model that cfg names.
func newArchitecture(cfg sweeps.Model, o Options) (architecture, error) {
	switch cfg.Kind {
	case "convnet":
		return newConvnet(cfg, o)
	case "lstm", "rnn":
		return newRecurrent(cfg, o)
	default:
		return newMLP(cfg, o)
	}
}
