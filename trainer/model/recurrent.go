package model

import (
	"fmt"

	"gorgonia.org/gorgonia"

	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/trainer/ops"
)

// recurrent is a network that goes through a case step by step: recurrent layers, then
// a dense one for the outputs. It takes cases of shape [steps, features], and
// [steps] of symbols, each of which stands for a row of the first layer's weights.
// Where a case has as many labels or values as steps, the outputs of a step are of
// the layers' state after it; else all are of the state after the last.
//
// Layer i has the parameters "<kind><i>.weight" [in, sums], "<kind><i>.recurrent"
// [units, sums] and "<kind><i>.bias" [sums], where sums is units for each weighted sum
// of a unit; the output layer has "dense0.weight" and "dense0.bias". To the initial
// values and to optim's limit on the norm of incoming weights, weight and recurrent are
// matrices of their own, and each sum is a unit.
//
// Dropout is of the inputs of each layer but not of what goes from step to step, as
// Zaremba et al. (2014), "Recurrent neural network regularization", have it. Symbols
// are not dropped.
type recurrent struct {
	kind    cell
	steps   int
	inputs  int // features of a step, or the size of the alphabet
	symbols bool
	hidden  []int
	outs    int // of the dense layer
	// everyStep: there are outputs of every step.
	everyStep bool
	dropout   sweeps.Dropout
	seed      uint64
}

// cell is a kind of recurrent layer.
type cell interface {
	// name begins the names of the layers' parameters.
	name() string
	// sums is how many weighted sums a unit has.
	sums() int
	// blocks names what a unit carries from step to step.
	blocks() []string
	// bias describes that of a layer.
	bias(units int) parameter
	// layer builds the graph of a layer over a sequence, see package ops.
	layer(sums, recurrent, state *gorgonia.Node) (hidden, final *gorgonia.Node, err error)
}

func newRecurrent(cfg sweeps.Model, o Options) (recurrent, error) {
	fail := func(format string, args ...any) (recurrent, error) {
		return recurrent{}, fmt.Errorf("%w: %s: %s", ErrConfig, cfg.Kind, fmt.Sprintf(format, args...))
	}
	n := recurrent{symbols: o.Symbols > 0, hidden: cfg.Hidden, dropout: cfg.Dropout, seed: o.Seed}
	switch {
	case len(cfg.Hidden) == 0:
		return fail("hidden has no layers")
	case n.symbols && len(o.Shape) != 1:
		return fail("cases of symbols have the shape %v, want [steps]", o.Shape)
	case n.symbols:
		n.steps, n.inputs = o.Shape[0], o.Symbols
	case len(o.Shape) != 2:
		return fail("cases of shape %v are not sequences, want [steps, features]", o.Shape)
	default:
		n.steps, n.inputs = o.Shape[0], o.Shape[1]
	}
	if size := n.steps * n.inputs; !n.symbols && size != o.Inputs || n.symbols && n.steps != o.Inputs {
		return fail("a shape of %v for cases of %d features", o.Shape, o.Inputs)
	}
	n.everyStep = n.steps > 1 && o.outputs() == n.steps
	n.outs = o.Predictions()
	if n.everyStep {
		n.outs /= n.steps
	}
	if cfg.Kind == "lstm" {
		n.kind = lstm{forgetBias: cfg.ForgetBias}
		return n, nil
	}
	activation, err := ops.ParseActivation(cfg.Activation)
	if err != nil {
		return recurrent{}, fmt.Errorf("%w: activation: %w", ErrConfig, err)
	}
	n.kind = rnn{activation}
	return n, nil
}

// layerName is the beginning of the names of layer i's parameters and memory.
func (n recurrent) layerName(i int) string { return fmt.Sprintf("%s%d", n.kind.name(), i) }

func (n recurrent) parameters() []parameter {
	var ps []parameter
	in := n.inputs
	for i, units := range n.hidden {
		layer, sums := n.layerName(i), units*n.kind.sums()
		bias := n.kind.bias(units)
		bias.name, bias.shape, bias.hiddenBias = layer+".bias", []int{sums}, true
		ps = append(ps,
			parameter{name: layer + ".weight", shape: []int{in, sums}, fanIn: in},
			parameter{name: layer + ".recurrent", shape: []int{units, sums}, fanIn: units},
			bias)
		in = units
	}
	return append(ps,
		parameter{name: "dense0.weight", shape: []int{in, n.outs}, fanIn: in},
		parameter{name: "dense0.bias", shape: []int{n.outs}})
}

func (n recurrent) memories() []memory {
	var ms []memory
	for i, units := range n.hidden {
		ms = append(ms, memory{layer: n.layerName(i), blocks: n.kind.blocks(), units: units})
	}
	return ms
}

func (n recurrent) outputs(p pass) (outputs *gorgonia.Node, final gorgonia.Nodes, err error) {
	rows := p.x.Shape()[0]
	// From here on a step of all cases is contiguous.
	h, err := ops.TimeMajor(p.x, n.steps)
	if err != nil {
		return nil, nil, fmt.Errorf("order the steps: %w", err)
	}
	for i := range n.hidden {
		if h, err = n.drop(h, p.step, i); err != nil {
			return nil, nil, err
		}
		weight, recurrent, bias := p.params[3*i], p.params[3*i+1], p.params[3*i+2]
		var sums, last *gorgonia.Node
		if i == 0 && n.symbols {
			sums, err = ops.Lookup(h, weight, bias)
		} else {
			sums, err = ops.Dense(h, weight, bias, ops.Identity)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("inputs of layer %d: %w", i, err)
		}
		if h, last, err = n.kind.layer(sums, recurrent, p.memories[i]); err != nil {
			return nil, nil, fmt.Errorf("layer %d: %w", i, err)
		}
		final = append(final, last)
	}
	if !n.everyStep {
		if h, err = ops.Rows(h, (n.steps-1)*rows, n.steps*rows); err != nil {
			return nil, nil, fmt.Errorf("take the last step: %w", err)
		}
	}
	layers := len(n.hidden)
	if h, err = n.drop(h, p.step, layers); err != nil {
		return nil, nil, err
	}
	if h, err = ops.Dense(h, p.params[3*layers], p.params[3*layers+1], ops.Identity); err != nil {
		return nil, nil, fmt.Errorf("outputs: %w", err)
	}
	if n.everyStep {
		if h, err = ops.BatchMajor(h, n.steps); err != nil {
			return nil, nil, fmt.Errorf("order the outputs: %w", err)
		}
	}
	return h, final, nil
}

// drop applies dropout to the inputs of a layer, whose number is the mask's.
func (n recurrent) drop(h, step *gorgonia.Node, layer int) (*gorgonia.Node, error) {
	p := n.dropout.Hidden
	if layer == 0 {
		p = n.dropout.Input
	}
	if p == 0 || step == nil || layer == 0 && n.symbols {
		return h, nil
	}
	dropped, err := ops.Dropout(h, step, p, n.seed, uint32(layer))
	if err != nil {
		return nil, fmt.Errorf("dropout before layer %d: %w", layer, err)
	}
	return dropped, nil
}
