package engine

import (
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Plan is a compiled graph: what to execute, in which order, in which memory. It
// holds no pointers into a device and does not change after it is made.
type Plan struct {
	// Values are all arrays of the program; instructions refer to them by index.
	Values []Value
	// Instructions are in an order in which operands precede their use.
	Instructions []Instruction
	// ArenaBytes is the size of the memory that all temporaries share.
	ArenaBytes int
}

// Instruction is one operation: Values[Out] = Op(Values[In[0]], Values[In[1]], …).
type Instruction struct {
	Op  gorgonia.Op
	In  []int
	Out int
}

// Kind says who owns a value's memory.
type Kind uint8

const (
	// Leaf values are inputs, parameters and constants: memory of the caller,
	// which the program reads.
	Leaf Kind = iota
	// Temporary values lie in the arena and mean nothing after a run.
	Temporary
	// Output values are what a run leaves for the caller, in the caller's memory.
	Output
	// View values are contiguous parts of another value, which is no view: they
	// have no memory and no instruction of their own.
	View
)

func (k Kind) String() string { return [...]string{"leaf", "temporary", "output", "view"}[k] }

// Value is one array.
type Value struct {
	// Name is for people.
	Name  string
	Dtype tensor.Dtype
	// Shape is row-major; a scalar has none.
	Shape []int
	Kind  Kind
	// Offset is a temporary's place in the arena, in bytes, a multiple of
	// [Alignment]. Values that live at different times share places.
	Offset int
	// Host is the initial memory of leaves and outputs; zero for a leaf that
	// is bound later.
	Host Slice
	// Base is the value that a view is a part of, Start the first of its elements.
	Base, Start int
}

// Selector is an operation whose result is a contiguous part of an operand, which
// begins with element start. The engine takes it from there instead of executing the
// operation, unless it is a result of the program.
type Selector interface {
	Select(in ...[]int) (operand, start int)
}

// root is the value whose memory value v lies in.
func (p *Plan) root(v int) int {
	if p.Values[v].Kind == View {
		return p.Values[v].Base
	}
	return v
}

// makeViews turns the temporaries that operations select into views, and leaves out
// those operations.
func makeViews(p *Plan) {
	kept := p.Instructions[:0]
	for _, in := range p.Instructions {
		s, ok := in.Op.(Selector)
		out := &p.Values[in.Out]
		if !ok || out.Kind != Temporary {
			kept = append(kept, in)
			continue
		}
		shapes := make([][]int, len(in.In))
		for i, v := range in.In {
			shapes[i] = p.Values[v].Shape
		}
		operand, start := s.Select(shapes...)
		of := in.In[operand]
		out.Kind, out.Base, out.Start = View, p.root(of), p.Values[of].Start+start
	}
	p.Instructions = kept
}

// Len is the number of elements.
func (v Value) Len() int {
	n := 1
	for _, d := range v.Shape {
		n *= d
	}
	return n
}

// Bytes is the size of the elements.
func (v Value) Bytes() int { return v.Len() * int(v.Dtype.Size()) }

// Alignment of temporaries in bytes: a cache line, and the widest vector register.
const Alignment = 64
