package model

import (
	"gorgonia.org/gorgonia"

	"github.com/tenfold-ml/tenfold/trainer/ops"
)

// rnn is a plain recurrent layer, without gates, see [ops.RNN].
type rnn struct{ activation ops.Activation }

func (rnn) name() string { return "rnn" }

func (rnn) sums() int { return 1 }

func (rnn) blocks() []string { return []string{"hidden"} }

func (rnn) bias(int) parameter { return parameter{} }

func (r rnn) layer(sums, recurrent, state *gorgonia.Node) (hidden, final *gorgonia.Node, err error) {
	return ops.RNN(sums, recurrent, state, r.activation)
}
