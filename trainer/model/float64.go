package model

import (
	"errors"
	"fmt"
	"slices"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/trainer/engine"
	"github.com/tenfold-ml/tenfold/trainer/engine/cpu"
)

// Float64 is a network's loss and gradients in double precision for a fixed
// number of cases: the same graph, differentiated and compiled in the same way,
// as [Network] trains, for checking the gradients.
type Float64 struct {
	options  Options
	backend  engine.Backend
	params   []Param64
	graph    *trainingGraph
	gradient *engine.Program // loss and gradients
	forward  *engine.Program // loss alone
	loss     []float64       // of one number
	step     []int64         // of one number
	memories [][]float64     // zeros
	kinked   bool
}

// Param64 is a trainable array of a [Float64] network.
type Param64 struct {
	Name  string
	Shape []int
	// Value is the network's own memory and may be changed; Grad is what
	// [Float64.Gradient] computed last.
	Value, Grad []float64
}

// NewFloat64 builds the network of cfg with its initial weights, for minibatches
// of exactly o.BatchSize cases. Errors that are the configuration's fault wrap
// [ErrConfig].
func NewFloat64(cfg sweeps.Model, o Options) (n *Float64, err error) {
	if err := validate(cfg, o); err != nil {
		return nil, err
	}
	arch, err := newArchitecture(cfg, o)
	if err != nil {
		return nil, err
	}
	n = &Float64{
		options: o, loss: make([]float64, 1), step: make([]int64, 1),
		kinked: kinked(cfg),
	}
	var values []gorgonia.Value
	for _, p := range initialParams(arch.parameters(), cfg.Init, o.Seed) {
		q := Param64{Name: p.Name, Shape: p.Shape, Value: make([]float64, len(p.Value)), Grad: make([]float64, len(p.Value))}
		for i, v := range p.Value {
			q.Value[i] = float64(v)
		}
		n.params = append(n.params, q)
		values = append(values, tensor.New(tensor.WithShape(q.Shape...), tensor.WithBacking(q.Value)))
	}
	if n.graph, err = newTrainingGraph(arch, tensor.Float64, o.BatchSize, o, values); err != nil {
		return nil, err
	}
	for _, leaf := range n.graph.memories {
		n.memories = append(n.memories, make([]float64, leaf.Shape().TotalSize()))
	}
	if n.backend, err = cpu.New(cpu.Options{Threads: o.Threads, BLAS: o.BLAS}); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.Close())
		}
	}()
	loss := engine.Result{Node: n.graph.loss, Into: engine.SliceOf(n.loss)}
	if n.forward, err = engine.Compile(n.backend, loss); err != nil {
		return nil, err
	}
	results := []engine.Result{loss}
	for i, g := range n.graph.grads {
		results = append(results, engine.Result{Node: g, Into: engine.SliceOf(n.params[i].Grad)})
	}
	if n.gradient, err = engine.Compile(n.backend, results...); err != nil {
		return nil, err
	}
	return n, nil
}

// Params returns the parameters, input side first.
func (n *Float64) Params() []Param64 { return n.params }

// Kinked says whether the loss has points without a derivative: through relu and
// max-pool.
func (n *Float64) Kinked() bool { return n.kinked }

// kinked says whether the network of cfg has relu or max-pool in it.
func kinked(cfg sweeps.Model) bool {
	pools := cfg.Kind == "convnet" && slices.ContainsFunc(cfg.Conv, func(l sweeps.ConvLayer) bool { return l.Pool > 1 })
	return pools || cfg.Kind != "lstm" && cfg.Activation == "relu"
}

// Minibatch64 is a [Minibatch] in double precision.
type Minibatch64 struct {
	X       []float64
	Labels  []int32
	Targets []float64
}

// Bind sets the cases, BatchSize of them, whose numbers the network keeps, and the
// step that selects dropout's masks. Sequences begin with memories of zeros.
func (n *Float64) Bind(m Minibatch64, step uint64) error {
	o := n.options
	labels, targets := o.BatchSize*o.outputs(), 0
	if o.Classes == 0 {
		labels, targets = 0, labels
	}
	if len(m.X) != o.BatchSize*o.Inputs || len(m.Labels) != labels || len(m.Targets) != targets {
		return fmt.Errorf("bind %d numbers, %d labels and %d values: want %d, %d and %d",
			len(m.X), len(m.Labels), len(m.Targets), o.BatchSize*o.Inputs, labels, targets)
	}
	n.step[0] = int64(step)
	for _, p := range []*engine.Program{n.forward, n.gradient} {
		if err := p.Bind(n.graph.x, engine.SliceOf(m.X)); err != nil {
			return err
		}
		var err error
		if o.Classes > 0 {
			err = p.Bind(n.graph.labels, engine.SliceOf(m.Labels))
		} else {
			err = p.Bind(n.graph.targets, engine.SliceOf(m.Targets))
		}
		if err != nil {
			return err
		}
		for i, leaf := range n.graph.memories {
			if err := p.Bind(leaf, engine.SliceOf(n.memories[i])); err != nil {
				return err
			}
		}
		if p.Uses(n.graph.step) {
			if err := p.Bind(n.graph.step, engine.SliceOf(n.step)); err != nil {
				return err
			}
		}
	}
	return nil
}

// Loss computes the mean loss of the bound cases at the present parameters.
func (n *Float64) Loss() (float64, error) {
	err := n.forward.RunAll()
	return n.loss[0], err
}

// Gradient computes the loss and every parameter's Grad.
func (n *Float64) Gradient() (float64, error) {
	err := n.gradient.RunAll()
	return n.loss[0], err
}

// Close stops the network's threads.
func (n *Float64) Close() error {
	var errs []error
	for _, p := range []*engine.Program{n.forward, n.gradient} {
		if p != nil {
			errs = append(errs, p.Close())
		}
	}
	return errors.Join(append(errs, n.backend.Close())...)
}
