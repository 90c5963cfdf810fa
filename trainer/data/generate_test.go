package data

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/tenfold-ml/tenfold/sweeps"
)

// made generates a data set and loads it again.
func made(t *testing.T, cfg sweeps.Data) *Dataset {
	t.Helper()
	store := newStore()
	digest, err := Import(t.Context(), store, cfg, Source{})
	if err != nil {
		t.Fatal(err)
	}
	ds, err := Load(t.Context(), store, digest)
	if err != nil {
		t.Fatal(err)
	}
	if ds.Train.N != cfg.Cases || ds.Test.N != cfg.Test || ds.Name != cfg.Name {
		t.Fatalf("%s has %d and %d cases, want %d and %d", ds.Name, ds.Train.N, ds.Test.N, cfg.Cases, cfg.Test)
	}
	return ds
}

// eachCase gives every case's inputs and labels.
func eachCase(ds *Dataset, f func(inputs, labels []uint8)) {
	for _, s := range []Split{ds.Train, ds.Test} {
		for i := range s.N {
			f(s.Images[i*ds.Features():][:ds.Features()], s.Labels[i*ds.Outputs:][:ds.Outputs])
		}
	}
}

func TestParity(t *testing.T) {
	t.Parallel()
	for _, bits := range []int{9, 10, 29, 64, 65, 200} {
		ds := made(t, sweeps.Data{Name: "parity", Cases: 400, Test: 112, Bits: bits, SplitSeed: 5})
		if !slices.Equal(ds.Shape, []int{bits}) || ds.Classes != 2 || ds.Outputs != 1 || ds.Symbols != 0 || ds.Ordered {
			t.Fatalf("%d bits: %v, %d classes, %d outputs", bits, ds.Shape, ds.Classes, ds.Outputs)
		}
		seen := map[string]bool{}
		ones := make([]int, bits)
		odd := 0
		eachCase(ds, func(inputs, labels []uint8) {
			sum := 0
			for j, b := range inputs {
				if b > 1 {
					t.Fatalf("%d bits: an input is %d", bits, b)
				}
				sum += int(b)
				ones[j] += int(b)
			}
			if int(labels[0]) != sum%2 {
				t.Fatalf("%d bits: %v has parity %d", bits, inputs, labels[0])
			}
			odd += int(labels[0])
			seen[string(inputs)] = true
		})
		if len(seen) != 512 {
			t.Errorf("%d bits: %d different cases of 512", bits, len(seen))
		}
		// Six standard deviations of a fair coin thrown 512 times.
		for j, n := range append(ones, odd) {
			if n < 256-68 || n > 256+68 {
				t.Errorf("%d bits: bit %d is 1 in %d of 512 cases", bits, j, n)
			}
		}
		// Neither two neighbouring cases nor two neighbouring bits say much about each other.
		same := 0
		for i := 1; i < len(ds.Train.Images); i++ {
			if ds.Train.Images[i] == ds.Train.Images[i-1] {
				same++
			}
		}
		n := float64(len(ds.Train.Images))
		if math.Abs(float64(same)-n/2) > 3*math.Sqrt(n) {
			t.Errorf("%d bits: %d of %v bits are like the one before", bits, same, n)
		}
	}
}

// However few bits there are, every pattern comes once.
func TestPatternsAreAPermutation(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		bits := rapid.IntRange(1, 12).Draw(t, "bits")
		p := newPatterns(rapid.Uint64().Draw(t, "seed"), bits)
		seen := map[string]bool{}
		for i := range uint64(1) << bits {
			dst := make([]uint8, bits)
			p.write(dst, i)
			seen[string(dst)] = true
		}
		if len(seen) != 1<<bits {
			t.Fatalf("%d patterns of %d", len(seen), 1<<bits)
		}
		if !p.suffice(1<<bits) || p.suffice(1<<bits+1) {
			t.Fatal("they suffice for another number of cases")
		}
	})
}

func TestSorting(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		bits, numbers := rapid.IntRange(1, 9).Draw(rt, "bits"), rapid.IntRange(4, 12).Draw(rt, "numbers")
		ds := made(t, sweeps.Data{
			Name: "sorting", Cases: 10, Test: 5, Bits: bits, Numbers: numbers, SplitSeed: rapid.Uint64().Draw(rt, "seed"),
		})
		n := bits * numbers
		if !slices.Equal(ds.Shape, []int{n}) || ds.Classes != 2 || ds.Outputs != n {
			rt.Fatalf("%v, %d classes, %d outputs", ds.Shape, ds.Classes, ds.Outputs)
		}
		read := func(b []uint8) (values []int) {
			for ; len(b) > 0; b = b[bits:] {
				v := 0
				for _, bit := range b[:bits] {
					v = 2*v + int(bit)
				}
				values = append(values, v)
			}
			return values
		}
		eachCase(ds, func(inputs, labels []uint8) {
			want := read(inputs)
			slices.Sort(want)
			if got := read(labels); !slices.Equal(got, want) {
				rt.Fatalf("sorted are %v, want %v", got, want)
			}
		})
	})
}

func TestCopy(t *testing.T) {
	t.Parallel()
	ds := made(t, sweeps.Data{Name: "copy", Cases: 300, Test: 50, Length: 7, SplitSeed: 1})
	if !slices.Equal(ds.Shape, []int{14}) || ds.Classes != 9 || ds.Outputs != 14 || ds.Symbols != 9 || ds.Ordered {
		t.Fatalf("%v, %d classes, %d outputs, %d symbols", ds.Shape, ds.Classes, ds.Outputs, ds.Symbols)
	}
	counts := [9]int{}
	eachCase(ds, func(inputs, labels []uint8) {
		for j := range 7 {
			counts[inputs[j]]++
			if inputs[7+j] != 8 || labels[j] != 8 || labels[7+j] != inputs[j] {
				t.Fatalf("%v asks for %v", inputs, labels)
			}
		}
	})
	for symbol, n := range counts[:8] {
		if n < 200 || n > 412 { // 306 expected, six deviations
			t.Errorf("symbol %d came %d times", symbol, n)
		}
	}
	if counts[8] != 0 {
		t.Error("a blank is to be copied")
	}
	// Where no case happens to have the last symbol, there are as many classes.
	if few := made(t, sweeps.Data{Name: "copy", Cases: 2, Test: 1, Length: 1}); few.Classes != 9 {
		t.Errorf("%d classes", few.Classes)
	}
}

func TestAdding(t *testing.T) {
	t.Parallel()
	for _, length := range []int{2, 3, 5, 100} {
		ds := made(t, sweeps.Data{Name: "adding", Cases: 500, Test: 100, Length: length, SplitSeed: 2})
		if !slices.Equal(ds.Shape, []int{length, 2}) || ds.Classes != 0 || ds.Outputs != 1 || ds.Train.Labels != nil {
			t.Fatalf("%v, %d classes, %d outputs", ds.Shape, ds.Classes, ds.Outputs)
		}
		places := map[int]int{}
		mean, squares := 0.0, 0.0
		for _, s := range []Split{ds.Train, ds.Test} {
			for i := range s.N {
				var marked []int
				sum := float32(0)
				for j := range length {
					v, mark := s.Values[(i*length+j)*2], s.Values[(i*length+j)*2+1]
					if v < 0 || v >= 1 || mark != 0 && mark != 1 {
						t.Fatalf("step %d of case %d is %v, %v", j, i, v, mark)
					}
					if mark == 1 {
						marked, sum = append(marked, j), sum+v
						places[j]++
					}
				}
				if len(marked) != 2 || marked[0] >= length/2 || marked[1] < length/2 {
					t.Fatalf("length %d: the marks are at %v", length, marked)
				}
				if got := s.Targets[i]; got != sum {
					t.Fatalf("case %d: %v, want %v", i, got, sum)
				}
				mean += float64(sum) / 600
				squares += float64(sum) * float64(sum) / 600
			}
		}
		// The sum of two uniform numbers has the mean 1 and the variance 1/6.
		if variance := squares - mean*mean; math.Abs(mean-1) > 0.1 || math.Abs(variance-1.0/6) > 0.05 {
			t.Errorf("length %d: mean %v, variance %v", length, mean, variance)
		}
		if length < 10 && len(places) != length {
			t.Errorf("length %d: marks are only at %v", length, places)
		}
	}
}

// Seeds differ; sizes alone do not change the cases that there were.
func TestGeneratedCasesDependOnTheSeed(t *testing.T) {
	t.Parallel()
	for _, cfg := range []sweeps.Data{
		{Name: "parity", Bits: 40}, {Name: "parity", Bits: 100}, {Name: "sorting", Bits: 6, Numbers: 10},
		{Name: "adding", Length: 10}, {Name: "copy", Length: 30},
	} {
		cfg.Cases, cfg.Test, cfg.SplitSeed = 50, 20, 1
		first := made(t, cfg)
		larger := cfg
		larger.Cases, larger.Test = 70, 30
		more := made(t, larger)
		if !bytes.HasPrefix(bytesOf(more.Train), bytesOf(first.Train)) || !bytes.HasPrefix(bytesOf(more.Test), bytesOf(first.Test)) {
			t.Errorf("%s: with more cases, the first are others", cfg.Name)
		}
		if again := made(t, cfg); again.Digest != first.Digest {
			t.Errorf("%s: made twice, it is another data set", cfg.Name)
		}
		cfg.SplitSeed = 2
		if other := made(t, cfg); bytes.Equal(bytesOf(other.Train), bytesOf(first.Train)) || bytes.Equal(bytesOf(other.Test), bytesOf(first.Test)) {
			t.Errorf("%s: another seed gives the same cases", cfg.Name)
		}
		if d := findDuplicates(first); *d != (Duplicates{}) {
			t.Errorf("%s: %+v", cfg.Name, *d)
		}
	}
}

// bytesOf are the inputs of all cases.
func bytesOf(s Split) []byte {
	if s.Values == nil {
		return s.Images
	}
	var b []byte
	for _, v := range s.Values {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b
}

// Data sets that somebody has trained on must stay what they are.
func TestGeneratedDataArePinned(t *testing.T) {
	t.Parallel()
	for want, cfg := range map[string]sweeps.Data{
		"sha256:936d1b0cc56141c3ffc12247af7ed30cf46cf40af27b2ab6a40f1d81935e81fc": {Name: "parity", Cases: 20, Test: 5, Bits: 70, SplitSeed: 3},
		"sha256:5b757d21bd88373ca68e55b4161bf164ea49311a913d52d51361f43d62fe8df3": {Name: "sorting", Cases: 20, Test: 5, Bits: 3, Numbers: 4, SplitSeed: 3},
		"sha256:6dadc8c89d8ce1bf1e8d745607dc22a8e108d0354a46ea2babb8200ed0db6c96": {Name: "adding", Cases: 20, Test: 5, Length: 7, SplitSeed: 3},
		"sha256:a32dd63859b144edd7dd113b0998d4b23d43830ab62f72352db939d15c9c670a": {Name: "copy", Cases: 20, Test: 5, Length: 7, SplitSeed: 3},
	} {
		digest, err := Import(t.Context(), newStore(), cfg, Source{})
		if err != nil {
			t.Fatal(err)
		}
		if digest != want {
			t.Errorf("%s is %s, want %s", cfg.Name, digest, want)
		}
	}
}

// What was made is not made again, whatever is said by default.
func TestGeneratedOnce(t *testing.T) {
	t.Parallel()
	store := newStore()
	made := 0
	for range 2 {
		digest, err := aliased(t.Context(), store, "datasets/names/test.json", "parity", func() (files, error) {
			made++
			return generate(t.Context(), sweeps.Data{Name: "parity", Cases: 4, Test: 2, Bits: 5}, 1000)
		})
		if err != nil || checkDigest(digest) != nil {
			t.Fatalf("%q, %v", digest, err)
		}
	}
	if made != 1 {
		t.Errorf("made %d times", made)
	}
	short := sweeps.Data{Name: "sorting", Cases: 30, Test: 10}
	long := short
	long.Bits, long.Numbers = 6, 10
	first, err1 := Import(t.Context(), store, short, Source{})
	second, err2 := Import(t.Context(), store, long, Source{})
	if err1 != nil || err2 != nil || first != second {
		t.Errorf("the defaults are others: %s and %s (%v, %v)", first, second, err1, err2)
	}
}

func TestGeneratorErrors(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		cfg  sweeps.Data
		want string
	}{
		"patterns":  {sweeps.Data{Name: "parity", Cases: 1000, Test: 25, Bits: 10}, "data.bits: there are 1024 different cases of parity, fewer than the 1000 of data.cases and the 25 of data.test"},
		"numbers":   {sweeps.Data{Name: "sorting", Cases: 10, Test: 7, Bits: 2, Numbers: 2}, "data.numbers: there are 16 different cases"},
		"sequences": {sweeps.Data{Name: "copy", Cases: 8, Test: 1, Length: 1}, "data.length: there are 8 different cases"},
		"one case":  {sweeps.Data{Name: "parity", Cases: 1, Test: 1, Bits: 10}, "data.cases is 1"},
		"negative":  {sweeps.Data{Name: "parity", Cases: 10, Test: 1, Bits: -1}, "data.bits is -1"},
		"no bits":   {sweeps.Data{Name: "sorting", Cases: 10, Test: 1, Bits: -1}, "data.bits is -1"},
		"a number":  {sweeps.Data{Name: "sorting", Cases: 10, Test: 1, Numbers: 1}, "data.numbers is 1"},
		"no steps":  {sweeps.Data{Name: "adding", Cases: 10, Test: 1, Length: 1}, "data.length is 1"},
		"no symbol": {sweeps.Data{Name: "copy", Cases: 10, Test: 1, Length: -1}, "data.length is -1"},
		"huge":      {sweeps.Data{Name: "adding", Cases: 1e9, Test: 1, Length: 100_000}, "more than the limit of"},
		"huge bits": {sweeps.Data{Name: "sorting", Cases: 1e9, Test: 1, Bits: 10_000, Numbers: 1000}, "more than the limit of"},
	} {
		_, err := Import(t.Context(), newStore(), test.cfg, Source{})
		if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error = %v, want one line with %q", name, err, test.want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, name := range []string{"parity", "adding"} {
		if _, err := generate(ctx, sweeps.Data{Name: name, Cases: 100, Test: 1, Bits: 20, Length: 5}, 1<<20); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: cancelled: %v", name, err)
		}
	}
}

// Bits are standardised to about -1 and 1.
func TestStandardizedBits(t *testing.T) {
	t.Parallel()
	ds := made(t, sweeps.Data{Name: "parity", Cases: 2000, Test: 1, Bits: 20, SplitSeed: 1})
	train, _, err := Partition(ds, sweeps.Data{Validation: 500})
	if err != nil {
		t.Fatal(err)
	}
	x := make([]float32, len(train)*20)
	NewBatches(ds.Train, train, Fit(ds.Train, 20, train, 0), len(train)).Fill(0, x, nil, nil)
	for i, v := range x {
		if math.Abs(math.Abs(float64(v))-1) > 0.15 {
			t.Fatalf("input %d is %v", i, v)
		}
	}
}

func BenchmarkParity(b *testing.B) {
	const cases = 100_000
	for b.Loop() {
		if _, err := generate(b.Context(), sweeps.Data{Name: "parity", Cases: cases, Test: 1, Bits: 31}, 1<<40); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/cases, "ns/case")
}
