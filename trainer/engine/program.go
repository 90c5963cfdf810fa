package engine

import (
	"errors"
	"fmt"

	"gorgonia.org/gorgonia"
)

// ErrClosed is returned by a program that has been closed.
var ErrClosed = errors.New("the program is closed")

// Program is a compiled graph that runs on a [Backend]. It is a [gorgonia.VM]. One
// goroutine may use it at a time.
type Program struct {
	plan   *Plan
	exec   Executable
	index  map[*gorgonia.Node]int
	leaves []leaf
	memory []Slice // what each leaf and output is bound to
	closed bool
	// profile is nil unless runs are timed.
	profile *profile
}

var _ gorgonia.VM = (*Program)(nil)

// leaf is a value that Gorgonia may rebind between runs.
type leaf struct {
	node  *gorgonia.Node
	value int
	host  Slice // memory of the node's value when last seen
}

func newProgram(plan *Plan, exec Executable, index map[*gorgonia.Node]int, leaves []leaf) *Program {
	p := &Program{plan: plan, exec: exec, index: index, leaves: leaves, memory: make([]Slice, len(plan.Values))}
	for i, v := range plan.Values {
		p.memory[i] = v.Host
	}
	return p
}

// Uses reports whether any result depends on a node.
func (p *Program) Uses(n *gorgonia.Node) bool {
	_, ok := p.index[n]
	return ok
}

// Bind makes data the memory of a leaf or a result, from the next run on and
// until it is bound again. The program keeps the slice, not a copy.
func (p *Program) Bind(n *gorgonia.Node, data Slice) error {
	i, ok := p.index[n]
	if !ok || p.plan.Values[i].Kind == Temporary || p.plan.Values[i].Kind == View {
		return fmt.Errorf("bind %s: it is neither a leaf nor a result of this program", name(n))
	}
	if p.memory[i] == data {
		return nil
	}
	if err := checkSlice(p.plan.Values[i], data); err != nil {
		return fmt.Errorf("bind a value: %w", err)
	}
	p.memory[i] = data
	p.exec.Bind(i, data)
	return nil
}

// RunAll executes the program once. Values that gorgonia.Let has given to leaves
// since the last run are taken up.
func (p *Program) RunAll() error {
	if p.closed {
		return ErrClosed
	}
	for i := range p.leaves {
		if err := p.refresh(&p.leaves[i]); err != nil {
			return err
		}
	}
	return p.run()
}

// refresh looks whether a leaf's node has another value than before.
func (p *Program) refresh(l *leaf) error {
	if value := l.node.Value(); value != nil && valueMemory(value) != l.host {
		host, err := hostMemory(l.node)
		if err != nil {
			return err
		}
		l.host = host
		p.memory[l.value] = host
		p.exec.Bind(l.value, host)
	}
	if p.memory[l.value].IsZero() {
		return fmt.Errorf("input %s has no value", name(l.node))
	}
	return nil
}

// Reset does nothing: a program keeps no state between runs. It is there for
// [gorgonia.VM].
func (p *Program) Reset() {}

// Close releases the program. Closing twice is harmless.
func (p *Program) Close() error {
	if p.closed {
		return nil
	}
	p.closed = true
	return p.exec.Close()
}

// Plan returns what the program executes; it must not be changed.
func (p *Program) Plan() *Plan { return p.plan }
