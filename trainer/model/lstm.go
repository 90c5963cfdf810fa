package model

import (
	"gorgonia.org/gorgonia"

	"github.com/tenfold-ml/tenfold/trainer/ops"
)

// lstm is long short-term memory, see [ops.LSTM]. A unit has four sums, of the input
// gate, the forget gate, the candidate and the output gate; parameters have those of
// all units one kind after the other. The forget gates' biases start higher by
// forgetBias, so that a new network does not forget at once (Gers et al. 2000,
// "Learning to forget"; Jozefowicz et al. 2015, "An empirical exploration of recurrent
// network architectures").
type lstm struct{ forgetBias float64 }

func (lstm) name() string { return "lstm" }

func (lstm) sums() int { return 4 }

func (lstm) blocks() []string { return []string{"hidden", "cell"} }

func (l lstm) bias(units int) parameter {
	return parameter{raised: float32(l.forgetBias), raisedFrom: units, raisedTo: 2 * units}
}

func (lstm) layer(sums, recurrent, state *gorgonia.Node) (hidden, final *gorgonia.Node, err error) {
	return ops.LSTM(sums, recurrent, state)
}
