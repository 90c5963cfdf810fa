package data

import (
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/tenfold-ml/tenfold/sweeps"
)

func TestPartitionIsDisjointAndStable(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 300).Draw(t, "n")
		limit := rapid.IntRange(0, 400).Draw(t, "limit")
		used := n
		if limit > 0 {
			used = min(n, limit)
		}
		if used < 2 {
			t.Skip("nothing to divide")
		}
		cfg := sweeps.Data{
			Validation: rapid.IntRange(1, used-1).Draw(t, "validation"),
			Limit:      limit, SplitSeed: rapid.Uint64().Draw(t, "seed"),
		}
		ds := &Dataset{Train: Split{N: n}}
		train, validation, err := Partition(ds, cfg)
		if err != nil {
			t.Fatal(err)
		}
		if len(validation) != cfg.Validation {
			t.Fatalf("%d validation cases, want %d", len(validation), cfg.Validation)
		}
		all := slices.Concat(train, validation)
		slices.Sort(all)
		for i, c := range all {
			if int(c) != i {
				t.Fatalf("cases are not 0 to %d, each once: %v", used-1, all)
			}
		}
		if len(all) != used {
			t.Fatalf("%d cases, want %d", len(all), used)
		}
		if !slices.IsSorted(train) || !slices.IsSorted(validation) {
			t.Fatal("not in ascending order")
		}
		train2, validation2, err := Partition(ds, cfg)
		if err != nil || !slices.Equal(train, train2) || !slices.Equal(validation, validation2) {
			t.Fatal("the same settings gave another partition")
		}
	})
}

// These numbers are in every trial that was ever trained: they must not change
// without a new trainer.Identity.
func TestPartitionIsPinned(t *testing.T) {
	t.Parallel()
	_, validation, err := Partition(&Dataset{Train: Split{N: 20}}, sweeps.Data{Validation: 5, SplitSeed: 1})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int32{0, 1, 13, 14, 19}, validation); diff != "" {
		t.Error(diff)
	}
	_, other, err := Partition(&Dataset{Train: Split{N: 20}}, sweeps.Data{Validation: 5, SplitSeed: 2})
	if err != nil {
		t.Fatal(err)
	}
	if slices.Equal(validation, other) {
		t.Error("another seed gave the same partition")
	}
}

func TestPartitionErrors(t *testing.T) {
	t.Parallel()
	ds := &Dataset{Train: Split{N: 10}}
	for name, cfg := range map[string]sweeps.Data{
		"none":               {Validation: 0},
		"negative":           {Validation: -1},
		"all":                {Validation: 10},
		"more":               {Validation: 11},
		"all after limiting": {Validation: 5, Limit: 5},
		"negative limit":     {Validation: 5, Limit: -1},
	} {
		if _, _, err := Partition(ds, cfg); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: error = %v, want ErrConfig", name, err)
		}
	}
}

// What is measured on validation or test cases would leak into training: so no
// byte of them may have an influence.
func TestFitUsesTrainingCasesAlone(t *testing.T) {
	t.Parallel()
	const n, features = 40, 3
	images := make([]uint8, n*features)
	for i := range images {
		images[i] = uint8(37 * i)
	}
	ds := &Dataset{Train: Split{Images: images, N: n}}
	train, validation, err := Partition(ds, sweeps.Data{Validation: 11, Limit: 30, SplitSeed: 7})
	if err != nil {
		t.Fatal(err)
	}
	before := Fit(ds.Train, features, train, 0)
	poison := func(c int) {
		for j := range features {
			images[c*features+j] = 255
		}
	}
	for _, c := range validation {
		poison(int(c))
	}
	for c := 30; c < n; c++ { // beyond the limit
		poison(c)
	}
	after := Fit(ds.Train, features, train, 0)
	if !slices.Equal(before.Mean, after.Mean) || !slices.Equal(before.Std, after.Std) {
		t.Error("cases that are not for training changed the statistics")
	}
	poison(int(train[0]))
	if third := Fit(ds.Train, features, train, 0); slices.Equal(before.Mean, third.Mean) {
		t.Error("a training case did not change them: the test would not notice anything")
	}
}

func TestFitGivesZeroMeanAndUnitVariance(t *testing.T) {
	t.Parallel()
	const n, features = 200, 4
	images := make([]uint8, n*features)
	all := make([]int32, n)
	for i := range n {
		all[i] = int32(i)
		images[i*features] = uint8(i)
		images[i*features+1] = uint8(250 + i%2)
		images[i*features+2] = 128 // constant
		if i == 0 {
			images[i*features+3] = 255 // one in n
		}
	}
	split := Split{Images: images, N: n}
	s := Fit(split, features, all, 0)
	x := make([]float32, features)
	var sum, squares [features]float64
	for i := range n {
		s.Apply(x, images[i*features:][:features])
		for j, v := range x {
			sum[j] += float64(v)
			squares[j] += float64(v) * float64(v)
		}
	}
	for j := range features {
		mean, variance := sum[j]/n, squares[j]/n
		want := 1.0
		if j == 2 {
			want = 0
		}
		if math.Abs(mean) > 1e-4 || math.Abs(variance-want) > 1e-3 {
			t.Errorf("feature %d has mean %g and variance %g, want 0 and %g", j, mean, variance, want)
		}
	}
	if s.Std[2] != 1 {
		t.Errorf("a constant feature has std %v, want 1", s.Std[2])
	}
	// With a floor, the rare feature is divided by more than it varies, and the
	// first, which varies most, is not affected.
	const floor = 0.5
	floored := Fit(split, features, all, floor)
	var variances float64
	for j, std := range s.Std {
		if j != 2 {
			variances += float64(std) * float64(std)
		}
	}
	least := floor * math.Sqrt(variances/features)
	if got := float64(floored.Std[1]); math.Abs(got-least) > 1e-6 || float64(s.Std[1]) >= least {
		t.Errorf("std %g with a floor of %g, and %g without", got, least, s.Std[1])
	}
	if floored.Std[0] != s.Std[0] {
		t.Errorf("the floor changes a std of %g to %g", s.Std[0], floored.Std[0])
	}
	// A checkpoint carries only Mean and Std.
	again := make([]float32, features)
	s.Apply(x, images[:features])
	NewStandardizer(s.Mean, s.Std).Apply(again, images[:features])
	if !slices.Equal(x, again) {
		t.Errorf("from its statistics alone it gives %v, not %v", again, x)
	}
}

func TestIdentityScalesToOne(t *testing.T) {
	t.Parallel()
	x := make([]float32, 3)
	Identity(3).Apply(x, []uint8{0, 51, 255})
	for i, want := range []float32{0, 0.2, 1} {
		if math.Abs(float64(x[i]-want)) > 1e-7 {
			t.Errorf("input %d is %v, want %v", i, x[i], want)
		}
	}
}

// counting is a set of n cases of one byte: their own number, as the label too.
func counting(n int) Split {
	s := Split{Images: make([]uint8, n), Labels: make([]uint8, n), N: n}
	for i := range n {
		s.Images[i], s.Labels[i] = uint8(i), uint8(i)
	}
	return s
}

func TestBatchesCoverAnEpochOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 100).Draw(t, "n")
		size := rapid.IntRange(1, 40).Draw(t, "size")
		epoch := rapid.IntRange(0, 5).Draw(t, "epoch")
		b := NewBatches(counting(n), nil, Identity(1), size)
		b.Shuffle(3, epoch)
		x, y := make([]float32, size), make([]int32, size)
		var seen []int32
		for step := range b.Steps() {
			rows := b.Fill(step, x, y, nil)
			if want := min(size, n-step*size); rows != want {
				t.Fatalf("step %d has %d cases, want %d", step, rows, want)
			}
			for i := range rows {
				if got := int32(math.Round(float64(x[i]) * 255)); got != y[i] {
					t.Fatalf("case %d came with label %d", got, y[i])
				}
			}
			seen = append(seen, y[:rows]...)
		}
		// Any step can be had at any time, which is what resuming takes.
		again := NewBatches(counting(n), nil, Identity(1), size)
		again.Shuffle(3, epoch)
		last := b.Steps() - 1
		rows := again.Fill(last, x, y, nil)
		if !slices.Equal(y[:rows], seen[last*size:]) {
			t.Fatalf("the last step alone gives %v, after all others %v", y[:rows], seen[last*size:])
		}
		slices.Sort(seen)
		for i, c := range seen {
			if int(c) != i {
				t.Fatalf("not each case once: %v", seen)
			}
		}
	})
}

func TestShuffleDependsOnSeedAndEpochAlone(t *testing.T) {
	t.Parallel()
	order := func(seed uint64, epochs ...int) []int32 {
		b := NewBatches(counting(50), nil, Identity(1), 50)
		for _, e := range epochs {
			b.Shuffle(seed, e)
		}
		y := make([]int32, 50)
		b.Fill(0, make([]float32, 50), y, nil)
		return y
	}
	if !slices.Equal(order(1, 4), order(1, 0, 1, 2, 3, 4)) {
		t.Error("the order of an epoch depends on the epochs before")
	}
	for name, other := range map[string][]int32{"epoch": order(1, 5), "seed": order(2, 4), "no shuffle": order(1)} {
		if slices.Equal(order(1, 4), other) {
			t.Errorf("another %s gave the same order", name)
		}
	}
	if first := order(1); !slices.IsSorted(first) {
		t.Errorf("without a shuffle the order is %v", first)
	}
}

func TestFillDoesNotAllocate(t *testing.T) {
	b := NewBatches(counting(200), nil, Identity(1), 32)
	x, y := make([]float32, 32), make([]int32, 32)
	if n := testing.AllocsPerRun(100, func() { b.Fill(2, x, y, nil) }); n != 0 {
		t.Errorf("Fill allocates %v times", n)
	}
	b.Streams()
	if n := testing.AllocsPerRun(100, func() { b.Fill(2, x, y, nil) }); n != 0 {
		t.Errorf("Fill of streams allocates %v times", n)
	}
}
