package data

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
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
	train := make(map[inputs]int, ds.Train.N)
	for i := range ds.Train.N {
		key := ds.Train.inputs(i, ds.Features())
		if _, ok := train[key]; ok {
			d.Train++
		} else {
			train[key] = i
		}
	}
	test := make(map[inputs]struct{}, ds.Test.N)
	for i := range ds.Test.N {
		key := ds.Test.inputs(i, ds.Features())
		if j, ok := train[key]; ok {
			if d.Across++; d.First == nil {
				d.First = &Pair{Train: j, Test: i}
			}
		}
		if _, ok := test[key]; ok {
			d.Test++
		}
		test[key] = struct{}{}
	}
	return d
}

// Shared counts the cases of ds.Train that held names and whose inputs a case that
// train names has too, such as validation cases that are training cases.
func Shared(ds *Dataset, train, held []int32) int {
	seen := make(map[inputs]struct{}, len(train))
	for _, i := range train {
		seen[ds.Train.inputs(int(i), ds.Features())] = struct{}{}
	}
	n := 0
	for _, i := range held {
		if _, ok := seen[ds.Train.inputs(int(i), ds.Features())]; ok {
			n++
		}
	}
	return n
}

// inputs stands for the inputs of a case, at a fraction of their memory.
type inputs [sha256.Size]byte

func (s Split) inputs(i, features int) inputs {
	if s.Values == nil {
		return sha256.Sum256(s.Images[i*features:][:features])
	}
	b := make([]byte, 0, 4*features)
	for _, v := range s.Values[i*features:][:features] {
		// Adding 0 makes one of the two zeros.
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v+0))
	}
	return sha256.Sum256(b)
}
