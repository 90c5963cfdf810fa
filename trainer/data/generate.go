package data

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"math"
	"slices"

	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/trainer/philox"
)

// copySymbols is the size of the alphabet that sequences to copy are made of, three
// bits each. One more symbol is the blank.
const copySymbols = 8

// task is a data set whose cases are made of random bits.
type task struct {
	traits
	shape   []int // of a case
	outputs int   // labels of a case
	bits    int   // that a case is made of
	setting string
	// write makes a case of its bits.
	write func(inputs, labels, bits []uint8)
}

// importGenerated makes a data set, unless the store has one of these settings.
func importGenerated(ctx context.Context, store *storage.Store, cfg sweeps.Data, src Source) (string, error) {
	cfg = cfg.WithSizes()
	settings := fmt.Sprintf("tenfold-generated/1 %s cases=%d test=%d bits=%d numbers=%d length=%d seed=%d\n",
		cfg.Name, cfg.Cases, cfg.Test, cfg.Bits, cfg.Numbers, cfg.Length, cfg.SplitSeed)
	key := fmt.Sprintf("datasets/names/generated-%x.json", sha256.Sum256([]byte(settings)))
	return aliased(ctx, store, key, cfg.Name, func() (files, error) { return generate(ctx, cfg, src.maxBytes()) })
}

// generate makes the four files of a data set. Training cases depend on cfg.SplitSeed
// and the sizes of a case alone, and so do test cases: with a larger cfg.Cases or
// cfg.Test come more of them, and those that there were stay.
func generate(ctx context.Context, cfg sweeps.Data, limit int64) (files, error) {
	if cfg.Cases < 2 || cfg.Test < 1 {
		return files{}, fmt.Errorf("%w: data.cases is %d and data.test %d, and have to be at least 2 and 1", ErrConfig, cfg.Cases, cfg.Test)
	}
	switch cfg.Name {
	case "parity":
		if cfg.Bits < 1 {
			return files{}, tooSmall("data.bits", cfg.Bits, 1)
		}
		return task{shape: []int{cfg.Bits}, outputs: 1, bits: cfg.Bits, setting: "data.bits", write: parity}.generate(ctx, cfg, limit)
	case "sorting":
		if cfg.Bits < 1 {
			return files{}, tooSmall("data.bits", cfg.Bits, 1)
		}
		if cfg.Numbers < 2 {
			return files{}, tooSmall("data.numbers", cfg.Numbers, 2)
		}
		n := cfg.Numbers * cfg.Bits
		return task{shape: []int{n}, outputs: n, bits: n, setting: "data.numbers", write: sorting(cfg.Bits, cfg.Numbers)}.generate(ctx, cfg, limit)
	case "copy":
		if cfg.Length < 1 {
			return files{}, tooSmall("data.length", cfg.Length, 1)
		}
		n := 2 * cfg.Length
		return task{
			traits: traits{Symbols: copySymbols + 1},
			shape:  []int{n}, outputs: n, bits: 3 * cfg.Length, setting: "data.length", write: copying,
		}.generate(ctx, cfg, limit)
	case "adding":
		if cfg.Length < 2 {
			return files{}, tooSmall("data.length", cfg.Length, 2)
		}
		return adding(ctx, cfg, limit)
	}
	return files{}, fmt.Errorf("%w: data.name: %q is no generated data set", ErrConfig, cfg.Name)
}

func tooSmall(setting string, is, least int) error {
	return fmt.Errorf("%w: %s is %d, and has to be at least %d", ErrConfig, setting, is, least)
}

// checkSize refuses what memory would not hold.
func checkSize(cfg sweeps.Data, each int, limit int64) error {
	if need := float64(max(cfg.Cases, cfg.Test)) * float64(each); need > float64(limit) {
		return fmt.Errorf("%w: data.cases: %d cases of %d bytes would take %.3g bytes, more than the limit of %d", ErrConfig, cfg.Cases, each, need, limit)
	}
	return nil
}

// everySoOften is how many cases are made between two looks at the context.
const everySoOften = 1 << 12

// generate makes training cases of the first patterns, and test cases of the last.
func (t task) generate(ctx context.Context, cfg sweeps.Data, limit int64) (files, error) {
	width := t.shape[0]
	if err := checkSize(cfg, max(width, t.outputs), limit); err != nil {
		return files{}, err
	}
	p := newPatterns(cfg.SplitSeed, t.bits)
	if !p.suffice(cfg.Cases + cfg.Test) {
		return files{}, fmt.Errorf("%w: %s: there are %d different cases of %s, fewer than the %d of data.cases and the %d of data.test",
			ErrConfig, t.setting, p.count+1, cfg.Name, cfg.Cases, cfg.Test)
	}
	f := files{idx: map[string]idx{}, where: map[string]string{}, traits: t.traits}
	bits := make([]uint8, t.bits)
	for _, split := range []struct {
		images, labels string
		n              int
		pattern        func(i int) uint64
	}{
		{trainImages, trainLabels, cfg.Cases, func(i int) uint64 { return uint64(i) }},
		{testImages, testLabels, cfg.Test, func(i int) uint64 { return p.count - uint64(i) }},
	} {
		dims := []int{split.n, t.outputs}
		if t.outputs == 1 {
			dims = dims[:1]
		}
		inputs, labels := newIDX(append([]int{split.n}, t.shape...)...), newIDX(dims...)
		for i := range split.n {
			if i%everySoOften == 0 && ctx.Err() != nil {
				return files{}, fmt.Errorf("making %s: %w", cfg.Name, ctx.Err())
			}
			p.write(bits, split.pattern(i))
			t.write(inputs.data[i*width:][:width], labels.data[i*t.outputs:][:t.outputs], bits)
		}
		f.idx[split.images], f.idx[split.labels] = inputs, labels
		f.where[split.images], f.where[split.labels] = cfg.Name, cfg.Name
	}
	return f, nil
}

// parity asks whether the number of bits that are 1 is odd.
func parity(inputs, labels, bits []uint8) {
	copy(inputs, bits)
	labels[0] = 0
	for _, b := range bits {
		labels[0] ^= b
	}
}

// sorting asks for numbers in ascending order, each with its most significant bit
// first.
func sorting(size, count int) func(inputs, labels, bits []uint8) {
	numbers := make([][]uint8, count)
	return func(inputs, labels, bits []uint8) {
		copy(inputs, bits)
		for i := range numbers {
			numbers[i] = inputs[i*size:][:size]
		}
		slices.SortFunc(numbers, bytes.Compare)
		for i, n := range numbers {
			copy(labels[i*size:], n)
		}
	}
}

// copying asks for blanks while it shows symbols, and for the symbols while it shows
// blanks.
func copying(inputs, labels, bits []uint8) {
	half := len(inputs) / 2
	for i := range half {
		inputs[i] = bits[3*i]<<2 | bits[3*i+1]<<1 | bits[3*i+2]
		inputs[half+i] = copySymbols
		labels[i] = copySymbols
		labels[half+i] = inputs[i]
	}
}

// adding makes the adding problem of Hochreiter and Schmidhuber (1997) with values in
// [0, 1) and marks of 0 and 1, of which one is in the first half of the steps and one
// in the second, so that there is always a long way to go.
//
// Case i of the training split is drawn from the stream of step 2i, of the test split
// from that of step 2i+1.
func adding(ctx context.Context, cfg sweeps.Data, limit int64) (files, error) {
	const size, features = 4, 2 // bytes, features of a step
	steps, half := cfg.Length, cfg.Length/2
	if err := checkSize(cfg, steps*features*size, limit); err != nil {
		return files{}, err
	}
	f := files{idx: map[string]idx{}, where: map[string]string{}}
	for split, names := range [][2]string{{trainImages, trainLabels}, {testImages, testLabels}} {
		n := []int{cfg.Cases, cfg.Test}[split]
		inputs, sums := make([]float32, n*steps*features), make([]float32, n)
		for i := range n {
			if i%everySoOften == 0 && ctx.Err() != nil {
				return files{}, fmt.Errorf("making %s: %w", cfg.Name, ctx.Err())
			}
			s := philox.New(cfg.SplitSeed, philox.Cases, beyond+1, uint64(2*i+split))
			row := inputs[i*steps*features:][:steps*features]
			first := s.Block(math.MaxUint32) // values begin at block 0
			for _, at := range []int{below(first[0], half), half + below(first[1], steps-half)} {
				row[at*features+1] = 1
			}
			for j := 0; j < steps; j += 4 {
				for k, w := range s.Block(uint32(j / 4)) {
					if j+k < steps {
						row[(j+k)*features] = uniform24(w)
					}
				}
			}
			for j := range steps {
				sums[i] += row[j*features] * row[j*features+1]
			}
		}
		f.idx[names[0]], f.idx[names[1]] = makeFloatIDX(inputs, n, steps, features), makeFloatIDX(sums, n, 1)
		f.where[names[0]], f.where[names[1]] = cfg.Name, cfg.Name
	}
	return f, nil
}
