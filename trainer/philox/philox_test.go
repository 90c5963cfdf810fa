package philox

import (
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// The vectors are those of Random123's kat_vectors file for philox4x32, 10 rounds.
func TestKnownAnswers(t *testing.T) {
	t.Parallel()
	const ones = 0xffffffff
	for _, c := range []struct {
		counter [4]uint32
		key     [2]uint32
		want    [4]uint32
	}{
		{[4]uint32{}, [2]uint32{}, [4]uint32{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
		{[4]uint32{ones, ones, ones, ones}, [2]uint32{ones, ones}, [4]uint32{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
		{[4]uint32{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, [2]uint32{0xa4093822, 0x299f31d0}, [4]uint32{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
	} {
		s := Stream{k0: c.key[0], k1: c.key[1], c1: c.counter[1], c2: c.counter[2], c3: c.counter[3]}
		if got := s.Block(c.counter[0]); got != c.want {
			t.Errorf("Block(%08x, key %08x) = %08x, want %08x", c.counter, c.key, got, c.want)
		}
	}
}

// Every part of a stream's name must reach the counter or the key unmixed.
func TestStreamsAreDisjoint(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		draw := func(label string) (uint64, Purpose, uint32, uint64) {
			return rapid.Uint64().Draw(t, label+" seed"), Purpose(rapid.Uint8().Draw(t, label+" purpose")),
				rapid.Uint32().Draw(t, label+" sub"), rapid.Uint64Max(1<<56-1).Draw(t, label+" step")
		}
		as, ap, au, at := draw("a")
		bs, bp, bu, bt := draw("b")
		same := as == bs && ap == bp && au == bu && at == bt
		if got := New(as, ap, au, at) == New(bs, bp, bu, bt); got != same {
			t.Fatalf("streams equal: %v, names equal: %v", got, same)
		}
	})
}

// These numbers are pinned for good; see the package comment.
func TestGolden(t *testing.T) {
	t.Parallel()
	s := New(42, Dropout, 3, 7)
	if diff := cmp.Diff(goldenWords, s.Block(5)); diff != "" {
		t.Errorf("words (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(goldenPermutation, New(1, Shuffle, 0, 1).Permutation(12)); diff != "" {
		t.Errorf("permutation (-want +got):\n%s", diff)
	}
	normals := make([]float64, 6)
	New(1, Init, 0, 0).Normals(normals)
	got := make([]uint64, len(normals))
	for i, z := range normals {
		got[i] = math.Float64bits(z)
	}
	if diff := cmp.Diff(goldenNormals, got); diff != "" {
		t.Errorf("bits of the normals (-want +got):\n%s\nvalues %v", diff, normals)
	}
}

func TestWordsAreUniform(t *testing.T) {
	t.Parallel()
	s := New(3, Dropout, 0, 1)
	const blocks, buckets = 1 << 16, 256
	var low, high [buckets]int
	ones := 0
	for i := range uint32(blocks) {
		for _, w := range s.Block(i) {
			low[w&0xff]++
			high[w>>24]++
			for ; w != 0; w &= w - 1 {
				ones++
			}
		}
	}
	// 255 degrees of freedom: mean 255, standard deviation 22.6.
	for name, counts := range map[string][buckets]int{"low": low, "high": high} {
		const expected = 4.0 * blocks / buckets
		chi2 := 0.0
		for _, n := range counts {
			chi2 += (float64(n) - expected) * (float64(n) - expected) / expected
		}
		if chi2 < 255-5*22.6 || chi2 > 255+5*22.6 {
			t.Errorf("chi² of the %s byte is %.1f, want about 255", name, chi2)
		}
	}
	n := 4.0 * blocks * 32
	if z := (float64(ones) - n/2) / math.Sqrt(n/4); math.Abs(z) > 5 {
		t.Errorf("share of set bits is %.1f standard errors from 1/2", z)
	}
}

func TestNormalsHaveTheMomentsOfAGaussian(t *testing.T) {
	t.Parallel()
	const n = 1 << 18
	z := make([]float64, n)
	New(9, Init, 0, 2).Normals(z)
	var m [5]float64
	within, serial := 0, 0.0
	for i, v := range z {
		for k, p := 1, v; k < len(m); k, p = k+1, p*v {
			m[k] += p / n
		}
		if math.Abs(v) < 1 {
			within++
		}
		if i > 0 {
			serial += v * z[i-1] / n
		}
	}
	se := 1 / math.Sqrt(n)
	for _, c := range []struct {
		name      string
		got, want float64
		sd        float64 // of one term
	}{
		{"mean", m[1], 0, 1},
		{"variance", m[2], 1, math.Sqrt(2)},
		{"skewness", m[3], 0, math.Sqrt(15)},
		{"kurtosis", m[4], 3, math.Sqrt(96)},
		{"share within 1", float64(within) / n, math.Erf(1 / math.Sqrt2), 0.47},
		{"serial correlation", serial, 0, 1},
	} {
		if math.Abs(c.got-c.want) > 5*c.sd*se {
			t.Errorf("%s = %v, want %v ± %v", c.name, c.got, c.want, 5*c.sd*se)
		}
	}
}

func TestNormalsOfAnyLengthAgree(t *testing.T) {
	t.Parallel()
	s := New(9, Init, 0, 2)
	long := make([]float64, 64)
	s.Normals(long)
	for n := range long {
		short := make([]float64, n)
		s.Normals(short)
		if !slices.Equal(short, long[:n]) {
			t.Fatalf("the first %d draws depend on how many are asked for", n)
		}
	}
}

func TestElementaryFunctions(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := rapid.Uint32().Draw(t, "word")
		u := (float64(w) + 0.5) / (1 << 32)
		if got, want := log(u), math.Log(u); math.Abs(got-want) > 4e-16*max(1, math.Abs(want)) {
			t.Fatalf("log(%v) = %v, want %v", u, got, want)
		}
		sin, cos := sincosTurn(w)
		// Reduce the angle before math sees it, which knows π to 53 bits only.
		ws, wc := math.Sincos(math.Remainder(float64(w)/(1<<32), 1) * 2 * math.Pi)
		if math.Abs(sin-ws) > 6e-16 || math.Abs(cos-wc) > 6e-16 {
			t.Fatalf("sincosTurn(%#x) = %v, %v, want %v, %v", w, sin, cos, ws, wc)
		}
	})
}

func TestPermutation(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(-1, 2000).Draw(t, "n")
		p := New(rapid.Uint64().Draw(t, "seed"), Shuffle, 0, 0).Permutation(n)
		if len(p) != max(n, 0) {
			t.Fatalf("%d numbers, want %d", len(p), n)
		}
		slices.Sort(p)
		for i, v := range p {
			if v != int32(i) {
				t.Fatalf("sorted, position %d holds %d", i, v)
			}
		}
	})
}

// All 24 orders of four must be equally likely.
func TestPermutationIsUnbiased(t *testing.T) {
	t.Parallel()
	const rounds = 48000
	counts := map[[4]int32]int{}
	for i := range uint64(rounds) {
		counts[[4]int32(New(5, Shuffle, 0, i).Permutation(4))]++
	}
	if len(counts) != 24 {
		t.Fatalf("%d orders of 24 occur", len(counts))
	}
	chi2 := 0.0
	for _, n := range counts {
		chi2 += (float64(n) - rounds/24) * (float64(n) - rounds/24) / (rounds / 24)
	}
	if chi2 > 23+5*math.Sqrt(46) {
		t.Errorf("chi² = %.1f with 23 degrees of freedom", chi2)
	}
}

// A modulo instead of the rejection would favour the lower part of the range
// by half here.
func TestBelowRejects(t *testing.T) {
	t.Parallel()
	const n, draws = 3 << 30, 1 << 16
	r := reader{stream: New(8, Split, 0, 0)}
	var thirds [3]int
	for range draws {
		v := r.below(n)
		if v >= n {
			t.Fatalf("below(%d) = %d", uint32(n), v)
		}
		thirds[v>>30]++
	}
	for i, c := range thirds {
		if z := (float64(c) - draws/3.0) / math.Sqrt(draws*2.0/9); math.Abs(z) > 5 {
			t.Errorf("third %d of the range: %d of %d draws", i, c, draws)
		}
	}
}

func BenchmarkBlock(b *testing.B) {
	s := New(1, Dropout, 0, 0)
	var x uint32
	for i := range b.N {
		x ^= s.Block(uint32(i))[0]
	}
	if x == 1 {
		b.Log(x)
	}
}
