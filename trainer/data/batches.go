package data

import "github.com/tenfold-ml/tenfold/trainer/philox"

// Batches gives random access to the minibatches of a set of cases, so that a
// resumed run can go on at any step without replaying those before.
type Batches struct {
	split    Split
	features int
	outputs  int // of a case
	std      *Standardizer
	size     int
	cases    []int32    // as given
	order    []int32    // cases, in the order of the epoch
	augment  *augmenter // nil for none
	seed     uint64     // of the last Shuffle
	epoch    int
	streams  bool // the order is that of Streams
}

// NewBatches cuts the cases of split that indices name into minibatches of size;
// the last one is smaller when they do not divide evenly. nil indices mean all
// cases. It does not copy any case.
func NewBatches(split Split, indices []int32, std *Standardizer, size int) *Batches {
	if indices == nil {
		indices = make([]int32, split.N)
		for i := range indices {
			indices[i] = int32(i)
		}
	}
	outputs := 1
	if split.N > 0 {
		outputs = max(len(split.Labels), len(split.Targets)) / split.N
	}
	return &Batches{split: split, features: len(std.Mean), outputs: outputs, std: std, size: size, cases: indices, order: indices}
}

// Cases is the number of cases in an epoch.
func (b *Batches) Cases() int { return len(b.cases) }

// Steps is the number of minibatches in an epoch.
func (b *Batches) Steps() int { return (len(b.cases) + b.size - 1) / b.size }

// Shuffle puts the cases in the order of an epoch, a function of (seed, epoch)
// alone. Without it they come in the order given.
func (b *Batches) Shuffle(seed uint64, epoch int) {
	p := philox.New(seed, philox.Shuffle, 0, uint64(epoch)).Permutation(len(b.cases))
	for i, j := range p {
		p[i] = b.cases[j]
	}
	b.order, b.seed, b.epoch, b.streams = p, seed, epoch, false
}

// Fill writes minibatch step (from 0) to x, one row of features per case, and
// to labels or targets, whichever the cases ask for, and returns the number of its
// cases. x has room for size rows, labels and targets for what size cases ask for;
// both may be nil.
func (b *Batches) Fill(step int, x []float32, labels []int32, targets []float32) int {
	lo := step * b.size
	hi := min(lo+b.size, len(b.order))
	for i, c := range b.order[lo:hi] {
		if row, at := x[i*b.features:][:b.features], int(c)*b.features; b.augment != nil {
			b.augment.fill(row, b.split, c, b.std, b.seed, b.epoch)
		} else if b.split.Values != nil {
			b.std.ApplyFloats(row, b.split.Values[at:][:b.features])
		} else {
			b.std.Apply(row, b.split.Images[at:][:b.features])
		}
		at := int(c) * b.outputs
		if labels != nil && b.split.Labels != nil {
			for k, l := range b.split.Labels[at:][:b.outputs] {
				labels[i*b.outputs+k] = int32(l)
			}
		}
		if targets != nil && b.split.Targets != nil {
			copy(targets[i*b.outputs:][:b.outputs], b.split.Targets[at:])
		}
	}
	return hi - lo
}
