package sweeps

import (
	"cmp"
	"container/heap"
	"slices"
)

// ranking remembers the best completed trials: a heap with the worst on top, so
// that a new one costs O(log keep).
type ranking struct {
	keep int
	heap rankedHeap
}

func (r *ranking) add(x Ranked) {
	switch {
	case r.keep == 0:
	case len(r.heap) < r.keep:
		heap.Push(&r.heap, x)
	case compareRanked(x, r.heap[0]) < 0:
		r.heap[0] = x
		heap.Fix(&r.heap, 0)
	}
}

func (r *ranking) sorted() []Ranked {
	out := slices.Clone([]Ranked(r.heap))
	slices.SortFunc(out, compareRanked)
	return out
}

// compareRanked orders the better trial first.
func compareRanked(a, b Ranked) int {
	return cmp.Or(cmp.Compare(a.ValidationError, b.ValidationError), cmp.Compare(a.Index, b.Index))
}

type rankedHeap []Ranked

func (h rankedHeap) Len() int           { return len(h) }
func (h rankedHeap) Less(i, j int) bool { return compareRanked(h[i], h[j]) > 0 }
func (h rankedHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push is part of heap.Interface.
func (h *rankedHeap) Push(x any) { *h = append(*h, x.(Ranked)) }

// Pop is part of heap.Interface; nothing here takes the worst out without
// putting another in.
func (h *rankedHeap) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}
