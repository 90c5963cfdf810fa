package data

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"math"
	"math/bits"
	"slices"
)

// Duplicates counts cases with the same inputs, whatever their labels.
type Duplicates struct {
	// Train and Test count the cases of a split whose inputs an earlier case of the
	// same split has.
	Train int `json:"train"`
	Test  int `json:"test"`
	// Across counts the test cases whose inputs a training case has too: what is
	// measured on them is not what the network does on new cases.
	Across int `json:"across"`
	// First is the first of Across, nil if there is none.
	First *Pair `json:"first,omitempty"`
}

// Pair is two cases with the same inputs, by their positions from 0.
type Pair struct {
	Train int `json:"train"`
	Test  int `json:"test"`
}

// findDuplicates compares the inputs of all cases.
func findDuplicates(ds *Dataset) *Duplicates {
	d := new(Duplicates)
	train := newIndex(ds.Train, ds.Features(), ds.Train.N)
	for i := range ds.Train.N {
		if _, twice := train.add(i); twice {
			d.Train++
		}
	}
	test := newIndex(ds.Test, ds.Features(), ds.Test.N)
	for i := range ds.Test.N {
		if j, ok := train.find(ds.Test, i); ok {
			if d.Across++; d.First == nil {
				d.First = &Pair{Train: j, Test: i}
			}
		}
		if _, twice := test.add(i); twice {
			d.Test++
		}
	}
	return d
}

// Shared counts the cases of ds.Train that held names and whose inputs a case that
// train names has too, such as validation cases that are training cases.
func Shared(ds *Dataset, train, held []int32) int {
	x := newIndex(ds.Train, ds.Features(), len(train))
	for _, i := range train {
		x.add(int(i))
	}
	n := 0
	for _, i := range held {
		if _, ok := x.find(ds.Train, int(i)); ok {
			n++
		}
	}
	return n
}

// index finds cases by their inputs. It is a hash table of positions alone, since
// there may be tens of millions of cases.
type index struct {
	split    Split
	features int
	seed     maphash.Seed
	slots    []int32 // 0, or one more than the position of a case
	row      []byte
}

// newIndex makes one for n cases of split.
func newIndex(split Split, features, n int) *index {
	return &index{split: split, features: features, seed: maphash.MakeSeed(), slots: make([]int32, 2<<bits.Len(uint(n)))}
}

// add notes case i, unless an earlier one has its inputs, which it then returns.
func (x *index) add(i int) (earlier int, twice bool) {
	slot := x.slot(x.split, i)
	if at := x.slots[slot]; at > 0 {
		return int(at - 1), true
	}
	x.slots[slot] = int32(i + 1)
	return 0, false
}

// find returns the case that has the inputs of case i of a split.
func (x *index) find(of Split, i int) (int, bool) {
	at := x.slots[x.slot(of, i)]
	return int(at - 1), at > 0
}

// slot is that of the inputs, or the free one where they belong.
func (x *index) slot(of Split, i int) int {
	mask := len(x.slots) - 1
	for slot := int(x.hash(of, i)) & mask; ; slot = (slot + 1) & mask {
		if at := x.slots[slot]; at == 0 || x.same(int(at-1), of, i) {
			return slot
		}
	}
}

func (x *index) same(j int, of Split, i int) bool {
	n := x.features
	if of.Values == nil {
		return bytes.Equal(x.split.Images[j*n:][:n], of.Images[i*n:][:n])
	}
	return slices.Equal(x.split.Values[j*n:][:n], of.Values[i*n:][:n])
}

func (x *index) hash(of Split, i int) uint64 {
	if of.Values == nil {
		return maphash.Bytes(x.seed, of.Images[i*x.features:][:x.features])
	}
	x.row = x.row[:0]
	for _, v := range of.Values[i*x.features:][:x.features] {
		// Adding 0 makes one of the two zeros.
		x.row = binary.LittleEndian.AppendUint32(x.row, math.Float32bits(v+0))
	}
	return maphash.Bytes(x.seed, x.row)
}
