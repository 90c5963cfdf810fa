package engine

import (
	"cmp"
	"slices"

	"gorgonia.org/gorgonia"
)

// block is a piece of the arena for one temporary, or for several that are written
// over one another, from the instruction that first writes it to the last that
// reads it.
type block struct {
	values      []int
	bytes       int
	first, last int
	offset      int
}

// planMemory gives every temporary its offset: blocks in order of size, the
// largest first, each at the lowest place that is free throughout its life
// (Pisarchyk and Lee 2020, "Efficient memory management for deep neural net
// inference", greedy by size).
func planMemory(p *Plan, overwrites func(gorgonia.Op) int) {
	blocks := liveBlocks(p, overwrites)
	slices.SortStableFunc(blocks, func(a, b *block) int { return cmp.Compare(b.bytes, a.bytes) })
	var placed []*block // by offset
	for _, b := range blocks {
		b.offset = 0
		for _, other := range placed {
			apart := b.last < other.first || other.last < b.first
			if !apart && b.offset+b.bytes > other.offset {
				b.offset = max(b.offset, other.offset+other.bytes)
			}
		}
		at, _ := slices.BinarySearchFunc(placed, b, func(x, y *block) int { return cmp.Compare(x.offset, y.offset) })
		placed = slices.Insert(placed, at, b)
		p.ArenaBytes = max(p.ArenaBytes, b.offset+b.bytes)
		for _, v := range b.values {
			p.Values[v].Offset = b.offset
		}
	}
}

// liveBlocks groups the temporaries and says when each group lives.
func liveBlocks(p *Plan, overwrites func(gorgonia.Op) int) []*block {
	last := make([]int, len(p.Values)) // the last instruction that reads a value or a view of it
	for i, in := range p.Instructions {
		for _, v := range in.In {
			last[p.root(v)] = i
		}
	}
	var blocks []*block
	of := make([]*block, len(p.Values))
	for i, in := range p.Instructions {
		out := p.Values[in.Out]
		if out.Kind != Temporary {
			continue
		}
		if operand := overwrites(in.Op); operand >= 0 {
			v := in.In[operand]
			reads := 0 // a view has no block, so it is not written over
			for _, u := range in.In {
				if p.root(u) == v {
					reads++
				}
			}
			if b := of[v]; b != nil && last[v] == i && reads == 1 && p.Values[v].Bytes() <= out.Bytes() {
				b.values = append(b.values, in.Out)
				b.bytes = aligned(out.Bytes())
				b.last = max(i, last[in.Out])
				of[in.Out] = b
				continue
			}
		}
		of[in.Out] = &block{
			values: []int{in.Out},
			bytes:  aligned(out.Bytes()),
			first:  i, last: max(i, last[in.Out]),
		}
		blocks = append(blocks, of[in.Out])
	}
	return blocks
}

// aligned rounds a size up to a multiple of Alignment.
func aligned(bytes int) int { return (bytes + Alignment - 1) / Alignment * Alignment }
