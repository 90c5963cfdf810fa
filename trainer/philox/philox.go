// Package philox is the trainer's only source of randomness: Philox4x32-10
// (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"). A number is
// a function of (seed, purpose, step, index), so a mask or a shuffle is the same
// on every device and after every resume, and nothing has to be saved.
//
// The numbers that a release has drawn are pinned by golden tests: changing any
// of them changes every trained weight, so it needs a new trainer revision.
//
// Start reading at [New], which says how a stream's name becomes a counter.
package philox

import "math/bits"

// Purpose separates the streams of one seed. The values are in no file but fix
// every number, so they never change. There is room for 256 of them.
type Purpose uint32

// The purposes in use.
const (
	Split   Purpose = 1 // which cases are held out
	Shuffle Purpose = 2 // step = epoch
	Init    Purpose = 3 // step = index of the parameter
	Dropout Purpose = 4 // step = training step; sub-stream = layer
	Augment Purpose = 5 // step = 2·epoch for shift and rotation, one more for noise; sub-stream = case
	Cases   Purpose = 6 // what generated cases are made of; see trainer/data/generate.go
)

// Multipliers and key increments of Philox4x32, from the paper.
const (
	m0 = 0xD2511F53
	m1 = 0xCD9E8D57
	w0 = 0x9E3779B9 // golden ratio
	w1 = 0xBB67AE85 // sqrt(3) - 1
)

// Stream is an infinite random-access sequence. It is a small value without
// state: copy it freely, use it from any goroutine.
type Stream struct{ k0, k1, c1, c2, c3 uint32 }

// New returns the stream of (seed, purpose, sub, step); sub tells apart what
// shares a purpose (layers of dropout).
//
// The seed is the key. The 128-bit counter holds, low word first, the block's
// number, sub, and the low 56 bits of step with the purpose in the top eight. So
// streams that differ in any of the four never share a block (steps beyond 2^56
// would, and are out of reach).
func New(seed uint64, purpose Purpose, sub uint32, step uint64) Stream {
	return Stream{
		k0: uint32(seed), k1: uint32(seed >> 32),
		c1: sub,
		c2: uint32(step),
		c3: uint32(purpose)<<24 | uint32(step>>32)&0xffffff,
	}
}

// Block returns the four 32-bit words of block i: words 4i … 4i+3 of the stream.
func (s Stream) Block(i uint32) [4]uint32 {
	c0, c1, c2, c3, k0, k1 := i, s.c1, s.c2, s.c3, s.k0, s.k1
	for range 10 {
		p0, p1 := m0*uint64(c0), m1*uint64(c2)
		c0, c1, c2, c3 = uint32(p1>>32)^c1^k0, uint32(p1), uint32(p0>>32)^c3^k1, uint32(p0)
		k0 += w0
		k1 += w1
	}
	return [4]uint32{c0, c1, c2, c3}
}

// Permutation returns a permutation of 0 … n-1 (Fisher-Yates, unbiased). It
// reads about n words of the stream, from its start. n is below 2^31; for n ≤ 0
// the permutation is empty.
func (s Stream) Permutation(n int) []int32 {
	if n <= 0 {
		return []int32{}
	}
	p := make([]int32, n)
	for i := range p {
		p[i] = int32(i)
	}
	r := reader{stream: s}
	for i := n - 1; i > 0; i-- {
		j := r.below(uint32(i) + 1)
		p[i], p[j] = p[j], p[i]
	}
	return p
}

// reader hands out a stream's words one after the other.
type reader struct {
	stream Stream
	words  [4]uint32
	next   uint32 // index of the next word in the stream
}

func (r *reader) word() uint32 {
	if r.next%4 == 0 {
		r.words = r.stream.Block(r.next / 4)
	}
	w := r.words[r.next%4]
	r.next++
	return w
}

// below returns a number in [0, n), each with the same probability: Lemire 2019,
// "Fast random integer generation in an interval".
func (r *reader) below(n uint32) uint32 {
	hi, lo := bits.Mul32(r.word(), n)
	if lo < n {
		// The first 2^32 mod n values of lo would make some results likelier.
		for reject := -n % n; lo < reject; {
			hi, lo = bits.Mul32(r.word(), n)
		}
	}
	return hi
}
