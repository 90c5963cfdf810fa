package model

import (
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/tenfold-ml/tenfold/trainer/engine"
)

// Memory is what a recurrent layer carries from one minibatch to the next.
type Memory struct {
	// Name is as "lstm0.cell".
	Name string
	// Shape is [BatchSize, units]; row r belongs to the sequence that is in row r of
	// every minibatch.
	Shape []int
	// Value is the network's own: read it to save, copy into it to restore.
	Value []float32
}

// Memories returns what the network carries between minibatches, input side first.
// There is nothing unless Options.CarryState is set.
func (n *Network) Memories() []Memory { return n.memories }

// Forget sets the memories to zero: the next minibatch begins new sequences.
func (n *Network) Forget() {
	for _, m := range n.memories {
		clear(m.Value)
	}
}

// newMemories allocates those of an architecture.
func newMemories(specs []memory, rows int) []Memory {
	var all []Memory
	for _, spec := range specs {
		for _, block := range spec.blocks {
			all = append(all, Memory{
				Name: spec.layer + "." + block, Shape: []int{rows, spec.units}, Value: make([]float32, rows*spec.units),
			})
		}
	}
	return all
}

// memoryNodes are the leaves of the memories in a graph for a number of rows.
func memoryNodes(g *gorgonia.ExprGraph, specs []memory, dtype tensor.Dtype, rows int) gorgonia.Nodes {
	var nodes gorgonia.Nodes
	for _, spec := range specs {
		nodes = append(nodes, gorgonia.NewMatrix(g, dtype,
			gorgonia.WithShape(len(spec.blocks)*rows, spec.units), gorgonia.WithName(spec.layer+".memory")))
	}
	return nodes
}

// carrier moves the memories of a network into a program for fewer or as many rows,
// and back. Without memories the program's stay zero.
type carrier struct {
	specs         []memory
	rows          int
	before, after [][]float32 // the program's; after is nil where nothing is carried
	memories      []Memory
}

func newCarrier(specs []memory, memories []Memory, rows int) carrier {
	c := carrier{specs: specs, rows: rows, memories: memories}
	for _, spec := range specs {
		size := len(spec.blocks) * rows * spec.units
		c.before = append(c.before, make([]float32, size))
		if memories != nil {
			c.after = append(c.after, make([]float32, size))
		}
	}
	return c
}

// results are what a program has to leave for c.
func (c *carrier) results(final gorgonia.Nodes) []engine.Result {
	var results []engine.Result
	for i, into := range c.after {
		results = append(results, engine.Result{Node: final[i], Into: engine.SliceOf(into)})
	}
	return results
}

// bind gives a program the memory of its leaves.
func (c *carrier) bind(p *engine.Program, leaves gorgonia.Nodes) error {
	for i, leaf := range leaves {
		if err := p.Bind(leaf, engine.SliceOf(c.before[i])); err != nil {
			return fmt.Errorf("bind a memory: %w", err)
		}
	}
	return nil
}

// load fills the program's memories before a run, store takes them after it. Rows
// that the program does not have stay as they are.
func (c *carrier) load() {
	c.move(c.before, func(program, network []float32) { copy(program, network) })
}
func (c *carrier) store() {
	c.move(c.after, func(program, network []float32) { copy(network, program) })
}

func (c *carrier) move(program [][]float32, copyRows func(program, network []float32)) {
	if c.memories == nil {
		return
	}
	at := 0
	for i, spec := range c.specs {
		size := c.rows * spec.units
		for block := range spec.blocks {
			copyRows(program[i][block*size:][:size], c.memories[at].Value[:size])
			at++
		}
	}
}
