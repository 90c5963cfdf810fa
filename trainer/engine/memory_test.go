package engine

import (
	"fmt"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
	"pgregory.net/rapid"
)

// overwriting is an operation that may write over its first operand.
type overwriting struct{ gorgonia.Op }

func overwritesFirst(op gorgonia.Op) int {
	if _, ok := op.(overwriting); ok {
		return 0
	}
	return -1
}

// selecting is an operation whose result is the end of its first operand.
type selecting struct {
	gorgonia.Op
	from int
}

func (s selecting) Select(...[]int) (operand, start int) { return 0, s.from }

// drawPlan draws a program of instructions on earlier values.
func drawPlan(t *rapid.T) *Plan {
	p := &Plan{}
	add := func(k Kind) int {
		p.Values = append(p.Values, Value{
			Name: fmt.Sprint(len(p.Values)), Dtype: tensor.Float32, Kind: k,
			Shape: []int{rapid.SampledFrom([]int{1, 3, 16, 100}).Draw(t, "size")},
		})
		return len(p.Values) - 1
	}
	for range rapid.IntRange(1, 3).Draw(t, "leaves") {
		add(Leaf)
	}
	for range rapid.IntRange(1, 20).Draw(t, "instructions") {
		in := rapid.SliceOfN(rapid.IntRange(0, len(p.Values)-1), 1, 3).Draw(t, "operands")
		i := Instruction{In: in, Out: add(rapid.SampledFrom([]Kind{Temporary, Temporary, Temporary, Output}).Draw(t, "kind"))}
		switch rapid.IntRange(0, 3).Draw(t, "operation") {
		case 0, 1:
			i.Op = overwriting{}
		case 2:
			n := p.Values[in[0]].Len()
			from := rapid.IntRange(0, n-1).Draw(t, "from")
			i.Op = selecting{from: from}
			p.Values[i.Out].Shape = []int{n - from}
		}
		p.Instructions = append(p.Instructions, i)
	}
	makeViews(p)
	return p
}

// Simulates a program: each instruction writes its number into its result's bytes.
// Whatever an instruction reads must still be there, and a result must not lie
// over an operand unless the operation allows it.
func TestTemporariesAreNotOverwrittenWhileNeeded(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := drawPlan(t)
		planMemory(p, overwritesFirst)
		total := 0
		writer := make([]int, p.ArenaBytes) // the value that each byte holds
		for _, in := range p.Instructions {
			for _, v := range in.In {
				v = p.root(v)
				if p.Values[v].Kind == Temporary {
					for _, b := range place(p, v, writer) {
						if b != v {
							t.Fatalf("%d reads %d, which is overwritten by %d", in.Out, v, b)
						}
					}
				}
			}
			if p.Values[in.Out].Kind != Temporary {
				continue
			}
			total += (p.Values[in.Out].Bytes() + Alignment - 1) / Alignment * Alignment
			if p.Values[in.Out].Offset%Alignment != 0 {
				t.Fatalf("%d is not aligned", in.Out)
			}
			for i, operand := range in.In {
				v := p.root(operand)
				if p.Values[v].Kind == Temporary && overlap(p, v, in.Out) && (overwritesFirst(in.Op) != 0 || i != 0 || v != operand) {
					t.Fatalf("%d lies over its operand %d", in.Out, v)
				}
			}
			bytes := place(p, in.Out, writer)
			for i := range bytes {
				bytes[i] = in.Out
			}
		}
		if p.ArenaBytes > total {
			t.Fatalf("the arena has %d bytes, all temporaries together %d", p.ArenaBytes, total)
		}
	})
}

func place(p *Plan, v int, memory []int) []int {
	return memory[p.Values[v].Offset : p.Values[v].Offset+p.Values[v].Bytes()]
}

func overlap(p *Plan, a, b int) bool {
	x, y := p.Values[a], p.Values[b]
	return x.Offset < y.Offset+y.Bytes() && y.Offset < x.Offset+x.Bytes()
}

// Views of views are views of what has memory, and operations on them are left out, but
// for those whose result the caller wants.
func TestViews(t *testing.T) {
	t.Parallel()
	p := &Plan{}
	for i, k := range []Kind{Leaf, Temporary, Temporary, Temporary, Output} {
		p.Values = append(p.Values, Value{Kind: k, Shape: []int{16 - i}, Dtype: tensor.Float32})
	}
	for i, op := range []gorgonia.Op{overwriting{}, selecting{from: 3}, selecting{from: 4}, selecting{from: 1}} {
		p.Instructions = append(p.Instructions, Instruction{Op: op, In: []int{i}, Out: i + 1})
	}
	makeViews(p)
	for i, want := range []Value{{Kind: Leaf}, {Kind: Temporary}, {Kind: View, Base: 1, Start: 3}, {Kind: View, Base: 1, Start: 7}, {Kind: Output}} {
		if v := p.Values[i]; v.Kind != want.Kind || v.Base != want.Base || v.Start != want.Start {
			t.Errorf("value %d is %v of %d from %d, want %v of %d from %d", i, v.Kind, v.Base, v.Start, want.Kind, want.Base, want.Start)
		}
	}
	if n := len(p.Instructions); n != 2 {
		t.Errorf("%d instructions, want 2: the first, and a copy for the caller", n)
	}
}

// A chain needs two places, and one when it works in place.
func TestMemoryIsReused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		op   gorgonia.Op
		want int
	}{{nil, 2}, {overwriting{}, 1}} {
		p := &Plan{Values: []Value{{Kind: Leaf, Shape: []int{16}, Dtype: tensor.Float32}}}
		for i := range 10 {
			p.Values = append(p.Values, Value{Kind: Temporary, Shape: []int{16}, Dtype: tensor.Float32})
			p.Instructions = append(p.Instructions, Instruction{Op: c.op, In: []int{i}, Out: i + 1})
		}
		planMemory(p, overwritesFirst)
		if p.ArenaBytes != c.want*64 {
			t.Errorf("a chain in place (%v) takes %d bytes, want %d", c.op != nil, p.ArenaBytes, c.want*64)
		}
	}
}

func TestSlices(t *testing.T) {
	t.Parallel()
	x := []int32{1, 2, 3}
	s := SliceOf(x)
	if s.Len() != 3 || s.Dtype() != tensor.Int32 || s.IsZero() || !(Slice{}).IsZero() {
		t.Errorf("slice of %d %v", s.Len(), s.Dtype())
	}
	As[int32](s)[1] = 7
	if x[1] != 7 {
		t.Error("a slice is a copy")
	}
	defer func() {
		if recover() == nil {
			t.Error("a slice of int32 is read as float32")
		}
	}()
	As[float32](s)
}
