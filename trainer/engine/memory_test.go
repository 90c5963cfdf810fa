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
		if rapid.Bool().Draw(t, "in place") {
			i.Op = overwriting{}
		}
		p.Instructions = append(p.Instructions, i)
	}
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
			for i, v := range in.In {
				if p.Values[v].Kind == Temporary && overlap(p, v, in.Out) && (overwritesFirst(in.Op) != 0 || i != 0) {
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
