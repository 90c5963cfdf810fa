package engine

import (
	"errors"
	"fmt"
	"unsafe"

	"gonum.org/v1/gonum/graph"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Result names a node whose value the caller wants.
type Result struct {
	Node *gorgonia.Node
	// Into is where the value goes. Where it is zero, Compile provides memory.
	Into Slice
}

// Compile makes a program that computes results, and whatever they need, on a
// backend. Nodes that no result depends on are left out.
//
// The order of the results decides the order of execution among instructions that
// do not depend on one another: what an earlier result needs comes first. For few
// live temporaries, name the loss first and then the gradients from the last
// layer to the first.
//
// Leaves that have a value (parameters, constants) use its memory in place. The
// others are inputs, to be bound with [Program.Bind] or gorgonia.Let before the
// first run. The value of each result's node becomes the memory it is written
// to, so that node.Value() shows the outcome of the latest run.
func Compile(b Backend, results ...Result) (*Program, error) {
	if len(results) == 0 {
		return nil, errors.New("compile a program: no results are asked for")
	}
	c := compiler{plan: &Plan{}, index: map[*gorgonia.Node]int{}}
	for _, r := range results {
		if r.Node == nil {
			return nil, errors.New("compile a program: a result has no node")
		}
		if err := c.visit(r.Node); err != nil {
			return nil, fmt.Errorf("compile a program: %w", err)
		}
	}
	for _, r := range results {
		if err := c.output(r); err != nil {
			return nil, fmt.Errorf("compile a program: %w", err)
		}
	}
	makeViews(c.plan)
	planMemory(c.plan, b.Overwrites)
	exec, err := b.Load(c.plan)
	if err != nil {
		return nil, fmt.Errorf("load a program on %s: %w", b.Name(), err)
	}
	return newProgram(c.plan, exec, c.index, c.leaves), nil
}

type compiler struct {
	plan   *Plan
	index  map[*gorgonia.Node]int
	leaves []leaf
}

// visit adds what n needs and then n itself, each once.
func (c *compiler) visit(n *gorgonia.Node) error {
	if _, done := c.index[n]; done {
		return nil
	}
	children, err := operands(n)
	if err != nil {
		return err
	}
	in := make([]int, len(children))
	for i, child := range children {
		if err := c.visit(child); err != nil {
			return err
		}
		in[i] = c.index[child]
	}
	v := Value{Name: name(n), Dtype: n.Dtype(), Shape: n.Shape()}
	id := len(c.plan.Values)
	if len(children) == 0 {
		v.Kind = Leaf
		if v.Host, err = hostMemory(n); err != nil {
			return err
		}
		c.leaves = append(c.leaves, leaf{node: n, value: id, host: v.Host})
	} else {
		v.Kind = Temporary
		c.plan.Instructions = append(c.plan.Instructions, Instruction{Op: n.Op(), In: in, Out: id})
	}
	c.plan.Values = append(c.plan.Values, v)
	c.index[n] = id
	return nil
}

// output gives a result memory that outlives the run.
func (c *compiler) output(r Result) error {
	v := &c.plan.Values[c.index[r.Node]]
	if v.Kind != Temporary {
		return fmt.Errorf("result %s is already %s", v.Name, article(v.Kind))
	}
	v.Kind = Output
	if !r.Into.IsZero() {
		if err := checkSlice(*v, r.Into); err != nil {
			return err
		}
		v.Host = r.Into
		if len(v.Shape) == 0 {
			return nil // Gorgonia copies scalars, so its value cannot show this memory
		}
		return bindValue(r.Node, tensor.New(tensor.WithShape(v.Shape...), tensor.WithBacking(r.Into.any())))
	}
	// Gorgonia's own value is the memory.
	var value gorgonia.Value
	switch {
	case len(v.Shape) > 0:
		value = tensor.New(tensor.WithShape(v.Shape...), tensor.Of(v.Dtype))
	case v.Dtype == tensor.Float32:
		value = gorgonia.NewF32(0)
	case v.Dtype == tensor.Float64:
		value = gorgonia.NewF64(0)
	default:
		return fmt.Errorf("result %s is a scalar of %v, not a float", v.Name, v.Dtype)
	}
	v.Host = valueMemory(value)
	return bindValue(r.Node, value)
}

func bindValue(n *gorgonia.Node, value gorgonia.Value) error {
	if err := gorgonia.UnsafeLet(n, value); err != nil {
		return fmt.Errorf("bind the result %s: %w", name(n), err)
	}
	return nil
}

// operands returns a node's children in the order of the operation's arguments.
func operands(n *gorgonia.Node) ([]*gorgonia.Node, error) {
	g := n.Graph()
	if g == nil {
		return nil, fmt.Errorf("node %s is in no graph", name(n))
	}
	if n.Op() == nil {
		return nil, nil
	}
	var children []*gorgonia.Node
	for it := g.From(n.ID()); it != nil && it.Next(); {
		child, err := asNode(it.Node())
		if err != nil {
			return nil, err
		}
		children = append(children, child)
	}
	if arity := n.Op().Arity(); arity >= 0 && arity != len(children) {
		return nil, fmt.Errorf("node %s has %d operands, its operation takes %d", name(n), len(children), arity)
	}
	return children, nil
}

func asNode(n graph.Node) (*gorgonia.Node, error) {
	node, ok := n.(*gorgonia.Node)
	if !ok {
		return nil, fmt.Errorf("a graph of %T, not of Gorgonia's nodes", n)
	}
	return node, nil
}

func name(n *gorgonia.Node) string {
	if n.Op() == nil {
		return n.Name()
	}
	return fmt.Sprintf("%%%d", n.ID())
}

// hostMemory returns the memory of a leaf's value, or zero where it has none yet.
func hostMemory(n *gorgonia.Node) (Slice, error) {
	value := n.Value()
	if value == nil {
		return Slice{}, nil
	}
	s := valueMemory(value)
	if s.IsZero() {
		return Slice{}, fmt.Errorf("the value of %s is a %T, which cannot be used in place", name(n), value)
	}
	if err := checkSlice(Value{Name: name(n), Dtype: n.Dtype(), Shape: n.Shape()}, s); err != nil {
		return Slice{}, err
	}
	if t, ok := value.(tensor.Tensor); ok && t.RequiresIterator() {
		return Slice{}, fmt.Errorf("the value of %s is a view that is not contiguous", name(n))
	}
	return s, nil
}

// valueMemory returns the memory of a tensor or a float, zero for other values. It
// allocates nothing: it is called for every leaf of every run.
func valueMemory(v gorgonia.Value) Slice {
	switch v := v.(type) {
	case *tensor.Dense:
		return Slice{
			data: unsafe.Pointer(unsafe.SliceData(v.Raw)), len: len(v.Raw) / int(v.Dtype().Size()), dtype: v.Dtype(),
		}
	case *gorgonia.F32:
		return SliceOf(unsafe.Slice((*float32)(v), 1))
	case *gorgonia.F64:
		return SliceOf(unsafe.Slice((*float64)(v), 1))
	default:
		return Slice{}
	}
}

func checkSlice(v Value, s Slice) error {
	if s.dtype != v.Dtype {
		return fmt.Errorf("%s holds %v, not %v", v.Name, v.Dtype, s.dtype)
	}
	if s.len != v.Len() {
		return fmt.Errorf("%s has shape %v, %d numbers, not %d", v.Name, v.Shape, v.Len(), s.len)
	}
	return nil
}

func article(k Kind) string {
	if k == Output {
		return "an output"
	}
	return "a " + k.String()
}
