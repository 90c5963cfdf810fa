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
)

func (k Kind) String() string { return [...]string{"leaf", "temporary", "output"}[k] }

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
