package sweeps

import (
	"iter"
	"math/bits"
)

// bitset holds one bit per trial: trial i is bit i%8 of byte i/8. As bytes it
// goes into JSON as base64.
type bitset []byte

func newBitset(n int) bitset { return make(bitset, (n+7)/8) }

func (b bitset) has(i int) bool { return b[i/8]&(1<<(i%8)) != 0 }
func (b bitset) set(i int)      { b[i/8] |= 1 << (i % 8) }

func (b bitset) count() int {
	n := 0
	for _, x := range b {
		n += bits.OnesCount8(x)
	}
	return n
}

// all yields the indices of the bits that are set, in order.
func (b bitset) all() iter.Seq[int] {
	return func(yield func(int) bool) {
		for at, x := range b {
			for ; x != 0; x &= x - 1 {
				if !yield(8*at + bits.TrailingZeros8(x)) {
					return
				}
			}
		}
	}
}

// trimmed is a copy without the zero bytes at the end.
func (b bitset) trimmed() []byte {
	n := len(b)
	for n > 0 && b[n-1] == 0 {
		n--
	}
	return append([]byte(nil), b[:n]...)
}
