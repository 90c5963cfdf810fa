package data

import (
	"math"
	"math/bits"

	"github.com/tenfold-ml/tenfold/trainer/philox"
)

// patterns is a random permutation of all patterns of so many bits: case i is made
// of pattern i. So no two cases are alike, as they would be if each were drawn by
// itself, and yet nothing has to be remembered.
//
// The permutation is a Feistel network (Luby and Rackoff 1988) of Philox blocks on
// the first 64 bits; those beyond are drawn for each case.
type patterns struct {
	seed   uint64
	bits   int
	count  uint64 // of patterns, less 1
	rounds [feistelRounds]philox.Stream
}

const (
	permuted      = 64 // bits at most
	feistelRounds = 10
	// beyond is the sub-stream of the bits that are not permuted; the rounds have
	// those below.
	beyond = 1 << 8
)

func newPatterns(seed uint64, n int) *patterns {
	p := &patterns{seed: seed, bits: n, count: math.MaxUint64}
	if n < permuted {
		p.count = 1<<n - 1
	}
	for r := range p.rounds {
		p.rounds[r] = philox.New(seed, philox.Cases, uint32(r), 0)
	}
	return p
}

// suffice says whether there are n patterns.
func (p *patterns) suffice(n int) bool { return uint64(n-1) <= p.count }

// write writes pattern i to dst, a byte of 0 or 1 for each bit.
func (p *patterns) write(dst []uint8, i uint64) {
	w := p.permute(i)
	for j := range dst[:min(p.bits, permuted)] {
		dst[j] = uint8(w >> j & 1)
	}
	if p.bits <= permuted {
		return
	}
	s := philox.New(p.seed, philox.Cases, beyond, i)
	for j := permuted; j < p.bits; {
		for _, w := range s.Block(uint32(j / 128)) {
			for k := 0; k < 32 && j < p.bits; k++ {
				dst[j] = uint8(w >> k & 1)
				j++
			}
		}
	}
}

// permute is a bijection of the numbers up to p.count.
func (p *patterns) permute(i uint64) uint64 {
	n := min(p.bits, permuted)
	low := n - n/2 // bits; the high part has as many or one less
	l, h := uint32(i&(1<<low-1)), uint32(i>>low)
	lowMask, highMask := uint32(1<<low-1), uint32(1<<(n/2)-1)
	for r := range p.rounds {
		if r%2 == 0 {
			l ^= p.rounds[r].Block(h)[0] & lowMask
		} else {
			h ^= p.rounds[r].Block(l)[0] & highMask
		}
	}
	return uint64(h)<<low | uint64(l)
}

// uniform24 makes a number in [0, 1) of a random word: exact in 32-bit floats.
func uniform24(word uint32) float32 { return float32(word>>8) / (1 << 24) }

// below makes a number in [0, n) of a random word. Some are likelier by one part in
// 2^32/n, which does not matter.
func below(word uint32, n int) int {
	hi, _ := bits.Mul32(word, uint32(n))
	return int(hi)
}
