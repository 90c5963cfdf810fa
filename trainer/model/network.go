package model

import (
	"errors"
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/trainer/engine"
	"github.com/tenfold-ml/tenfold/trainer/engine/cpu"
)

// Network is a model with its parameters, ready to train and to predict. One
// goroutine may use it at a time.
//
// Programs are compiled for a number of rows: one for full minibatches and one for
// the last other number that was asked for, separately for training and for
// prediction. All share the parameters.
type Network struct {
	options Options
	arch    architecture
	backend engine.Backend
	params  []engine.Param
	values  []gorgonia.Value // params, as Gorgonia sees them
	// memories are carried between minibatches; nil without Options.CarryState.
	memories []Memory
	train    cache[*trainingProgram]
	predict  cache[*predictionProgram]
	closed   bool
	// profiled: programs are timed.
	profiled bool
}

// New builds the network of cfg with its initial weights. Errors that are the
// configuration's fault wrap [ErrConfig].
func New(cfg sweeps.Model, o Options) (*Network, error) {
	if err := validate(cfg, o); err != nil {
		return nil, err
	}
	arch, err := newArchitecture(cfg, o)
	if err != nil {
		return nil, err
	}
	backend, err := cpu.New(cpu.Options{Threads: o.Threads, BLAS: o.BLAS})
	if err != nil {
		return nil, err
	}
	n := &Network{
		options: o, arch: arch, backend: backend,
		params: initialParams(arch.parameters(), cfg.Init, o.Seed),
	}
	for _, p := range n.params {
		n.values = append(n.values, tensor.New(tensor.WithShape(p.Shape...), tensor.WithBacking(p.Value)))
	}
	if o.CarryState {
		n.memories = newMemories(arch.memories(), o.BatchSize)
	}
	n.train = newCache(o.BatchSize, n.compileTraining)
	n.predict = newCache(o.BatchSize, n.compilePrediction)
	return n, nil
}

// CountParameters is the number of weights and biases that [New] would make, and
// its errors are those of New.
func CountParameters(cfg sweeps.Model, o Options) (int, error) {
	if err := validate(cfg, o); err != nil {
		return 0, err
	}
	arch, err := newArchitecture(cfg, o)
	if err != nil {
		return 0, err
	}
	count := 0
	for _, p := range arch.parameters() {
		n := 1
		for _, d := range p.shape {
			n *= d
		}
		count += n
	}
	return count, nil
}

// Params returns the parameters, input side first. Weights of dense layers are
// "dense0.weight" [in, out], biases "dense0.bias" [out]; those of convolutions
// "conv0.weight" [channels, input channels, kernel, kernel] and "conv0.bias"; those of
// recurrent layers "lstm0.weight" [in, 4·units], "lstm0.recurrent" [units, 4·units] and
// "lstm0.bias", or "rnn0.weight" [in, units] and so on. Value and Grad are the network's
// own memory: an optimiser updates Value in place, a restore copies into it.
func (n *Network) Params() []engine.Param { return n.params }

// Engine says what computes: "cpu openblas 0.3.21 threads=1".
func (n *Network) Engine() string { return n.backend.Name() }

// Close stops the network's threads. Its parameters stay readable, but it can
// neither train nor predict. Closing twice is harmless.
func (n *Network) Close() error {
	if n.closed {
		return nil
	}
	n.closed = true
	return errors.Join(n.train.close(), n.predict.close(), n.backend.Close())
}

// closer is a compiled program.
type closer interface{ close() error }

// cache keeps the program of full minibatches and one other.
type cache[P closer] struct {
	full    int
	compile func(rows int) (P, error)
	slots   [2]slot[P] // full minibatches, others
}

type slot[P closer] struct {
	rows    int // 0: empty
	program P
}

func newCache[P closer](full int, compile func(rows int) (P, error)) cache[P] {
	return cache[P]{full: full, compile: compile}
}

// get returns the program of a number of rows, compiling it if need be.
func (c *cache[P]) get(rows int) (P, error) {
	s := &c.slots[0]
	if rows != c.full {
		s = &c.slots[1]
	}
	if s.rows == rows {
		return s.program, nil
	}
	program, err := c.compile(rows)
	if err != nil {
		return program, fmt.Errorf("compile the network for %d rows: %w", rows, err)
	}
	if s.rows != 0 {
		if err := s.program.close(); err != nil {
			return program, errors.Join(err, program.close())
		}
	}
	s.rows, s.program = rows, program
	return program, nil
}

func (c *cache[P]) close() error {
	var errs []error
	for i := range c.slots {
		if c.slots[i].rows != 0 {
			errs = append(errs, c.slots[i].program.close())
			c.slots[i].rows = 0
		}
	}
	return errors.Join(errs...)
}
