package model

import (
	"fmt"
	"io"

	"github.com/tenfold-ml/tenfold/trainer/engine"
)

// Dump writes the programs for full minibatches for people: every instruction with its
// operands, shapes, place in memory, bytes and arithmetic.
func (n *Network) Dump(w io.Writer) error {
	if n.closed {
		return engine.ErrClosed
	}
	train, err := n.train.get(n.options.BatchSize)
	if err != nil {
		return err
	}
	predict, err := n.predict.get(n.options.BatchSize)
	if err != nil {
		return err
	}
	for _, p := range []struct {
		name    string
		program *engine.Program
	}{{"training", train.program}, {"prediction", predict.program}} {
		if _, err := fmt.Fprintf(w, "%s, %d rows:\n", p.name, n.options.BatchSize); err != nil {
			return fmt.Errorf("dump a network: %w", err)
		}
		if err := p.program.Dump(w); err != nil {
			return err
		}
	}
	return nil
}

// StartProfile has the instructions of all programs timed from now on.
func (n *Network) StartProfile() {
	n.profiled = true
	for _, s := range n.train.slots {
		if s.rows != 0 {
			s.program.program.StartProfile()
		}
	}
	for _, s := range n.predict.slots {
		if s.rows != 0 {
			s.program.program.StartProfile()
		}
	}
}

// WriteProfile writes where the time went in each program since StartProfile:
// instruction by instruction for full minibatches, in a line for those that are not
// full, of which it has only those of the latest size.
func (n *Network) WriteProfile(w io.Writer) error {
	if n.closed {
		return engine.ErrClosed
	}
	write := func(name string, rows int, p *engine.Program, folded bool) error {
		if _, err := fmt.Fprintf(w, "%s, %d rows: ", name, rows); err != nil {
			return fmt.Errorf("write a profile: %w", err)
		}
		if folded {
			return p.WriteCalls(w)
		}
		return p.WriteProfile(w)
	}
	for i, s := range n.train.slots {
		if s.rows != 0 {
			if err := write("training", s.rows, s.program.program, i > 0 && n.train.slots[0].rows != 0); err != nil {
				return err
			}
		}
	}
	for i, s := range n.predict.slots {
		if s.rows != 0 {
			if err := write("prediction", s.rows, s.program.program, i > 0 && n.predict.slots[0].rows != 0); err != nil {
				return err
			}
		}
	}
	return nil
}
