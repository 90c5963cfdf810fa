package data

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/trainer/data/datatest"
)

func TestDescribeFindsDuplicatesAndMeasuresTheScale(t *testing.T) {
	t.Parallel()
	negativeZero := float32(math.Copysign(0, -1))
	// As bytes and as floats: rows of three features, of which the last is constant.
	for name, ds := range map[string]*Dataset{
		"bytes": {
			Train: Split{N: 4, Images: []uint8{0, 2, 7, 4, 2, 7, 0, 2, 7, 8, 10, 7}},
			Test:  Split{N: 3, Images: []uint8{1, 1, 7, 4, 2, 7, 4, 2, 7}},
		},
		"floats": {
			Train: Split{N: 4, Values: []float32{0, 2, 7, 4, 2, 7, negativeZero, 2, 7, 8, 10, 7}},
			Test:  Split{N: 3, Values: []float32{1, 1, 7, 4, 2, 7, 4, 2, 7}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ds.Name, ds.Shape, ds.Classes, ds.Outputs = name, []int{3}, 2, 1
			ds.Train.Labels, ds.Test.Labels = []uint8{0, 1, 1, 1}, []uint8{0, 1, 0}
			d := Describe(ds)
			wrong := 2.0 / 3
			want := Description{
				Baseline: &Baseline{Error: &wrong},
				Name:     name, Shape: []int{3}, Classes: 2,
				Train: Counts{Cases: 4, PerClass: []int{1, 3}}, Test: Counts{Cases: 3, PerClass: []int{2, 1}},
				Scale: &Scale{
					Features: 3, Constant: 1,
					Min: Spread{0, 2, 7}, Max: Spread{7, 8, 10}, Mean: Spread{3, 4, 7},
					Std: Spread{0, math.Sqrt(11), math.Sqrt(12)},
				},
				Duplicates: &Duplicates{Train: 1, Test: 1, Across: 2, First: &Pair{Train: 1, Test: 1}},
			}
			if diff := cmp.Diff(want, d); diff != "" {
				t.Error(diff)
			}
			var bad *Error
			if err := d.Leakage(); !errors.As(err, &bad) || !strings.Contains(err.Error(), "leaks: 2 of 3 test cases have the inputs of training cases, beginning with test case 1, which is training case 1") {
				t.Errorf("leakage: %v", err)
			}
			if n := Shared(ds, []int32{0, 1}, []int32{2, 3}); n != 1 {
				t.Errorf("%d validation cases are training cases, want 1", n)
			}
		})
	}
}

// Where outputs are not alike, each is guessed by itself; those of a text are alike.
func TestBaselines(t *testing.T) {
	t.Parallel()
	ds := &Dataset{
		Classes: 3, Outputs: 2, Shape: []int{1},
		Train: Split{N: 3, Labels: []uint8{0, 2, 0, 2, 1, 0}},
		Test:  Split{N: 2, Labels: []uint8{0, 2, 2, 1}},
	}
	if b := Describe(ds).Baseline; b == nil || *b.Error != 0.5 || b.BitsPerSymbol != nil || b.SquaredError != nil {
		t.Errorf("got %+v", b)
	}
	ds.Ordered, ds.Symbols, ds.Alphabet = true, 3, "abc"
	d := Describe(ds)
	// Of nine, the counts raised by one are 4, 2 and 3.
	bits := math.Log2(9) - (math.Log2(4)+math.Log2(2)+2*math.Log2(3))/4
	if b := d.Baseline; *b.Error != 0.75 || math.Abs(*b.BitsPerSymbol-bits) > 1e-12 {
		t.Errorf("got %v and %v, want 0.75 and %v", *b.Error, *b.BitsPerSymbol, bits)
	}
	if diff := cmp.Diff(&Text{Characters: 10, Frequent: []Character{{"a", 0.5}, {"c", 1.0 / 3}, {"b", 1.0 / 6}}}, d.Text); diff != "" {
		t.Error(diff)
	}
	values := &Dataset{
		Outputs: 2, Shape: []int{1},
		Train: Split{N: 2, Targets: []float32{0, 10, 2, 30}},
		Test:  Split{N: 2, Targets: []float32{1, 21, 3, 20}},
	}
	d = Describe(values)
	if b := d.Baseline; b.Error != nil || *b.SquaredError != 5.0/4 {
		t.Errorf("got %+v", b)
	}
	if diff := cmp.Diff(&Moments{Min: 0, Max: 30, Mean: 10.5, Std: math.Sqrt((10.5*10.5 + 0.25 + 8.5*8.5 + 19.5*19.5) / 4)}, d.Train.Values); diff != "" {
		t.Error(diff)
	}
}

// A text says the same more than once, which gives nothing away.
func TestTextDoesNotLeak(t *testing.T) {
	t.Parallel()
	ds, err := importText(t, strings.Repeat("to be or not to be. ", 30)+"the rest is silence...", sweeps.Data{Length: 20, Test: 5})
	if err != nil {
		t.Fatal(err)
	}
	d := Describe(ds)
	if d.Duplicates.Across == 0 || d.Leakage() != nil || d.Scale != nil {
		t.Errorf("%+v, %v", d.Duplicates, d.Leakage())
	}
	// The letters h, s, i, l and c are in the last of the 31 windows alone: eight of it.
	if d.Text.Characters != 620 || d.Text.Unseen != 8 {
		t.Errorf("%d characters, %d unseen", d.Text.Characters, d.Text.Unseen)
	}
	var b strings.Builder
	if err := d.Write(&b); err != nil || !strings.Contains(b.String(), `most frequent " " 30.`) || !strings.Contains(b.String(), "bits per symbol") {
		t.Errorf("%v:\n%s", err, b.String())
	}
}

// The index knows what a map of the rows knows.
func TestIndex(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		features := rapid.IntRange(1, 3).Draw(t, "features")
		rows := rapid.SliceOfN(rapid.Uint8Max(2), features, 60*features).Draw(t, "rows")
		n := len(rows) / features
		split := Split{Images: rows, N: n}
		if rapid.Bool().Draw(t, "floats") {
			split.Images, split.Values = nil, make([]float32, len(rows))
			for i, v := range rows {
				split.Values[i] = []float32{0, float32(math.Copysign(0, -1)), 1}[v]
				rows[i] = v / 2
			}
		}
		x, first := newIndex(split, features, n), map[string]int{}
		for i := range n {
			key := string(rows[i*features:][:features])
			want, was := first[key]
			if got, ok := x.find(split, i); ok != was || ok && got != want {
				t.Fatalf("case %d is found at %d, %t; want %d, %t", i, got, ok, want, was)
			}
			if got, twice := x.add(i); twice != was || got != want {
				t.Fatalf("case %d is added to %d, %t; want %d, %t", i, got, twice, want, was)
			}
			if !was {
				first[key] = i
			}
		}
	})
}

// The constant 0.1 has no exact mean, and still no deviation.
func TestScaleOfAConstant(t *testing.T) {
	t.Parallel()
	values := make([]float32, 1000)
	for i := range values {
		values[i] = 0.1
	}
	if s := scaleOf(values, len(values), 1); s.Std.Highest != 0 || s.Mean.Lowest != float64(float32(0.1)) || s.Constant != 1 {
		t.Errorf("got %+v", s)
	}
}

func TestMNISTDoesNotLeak(t *testing.T) {
	t.Parallel()
	f, err := readDirectory(t.Context(), datatest.MNIST(t), 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	ds := &Dataset{
		Shape: []int{28, 28}, Classes: 10,
		Train: Split{N: 60000, Images: f.idx[trainImages].data},
		Test:  Split{N: 10000, Images: f.idx[testImages].data},
	}
	d := Describe(ds)
	if diff := cmp.Diff(&Duplicates{}, d.Duplicates); diff != "" || d.Leakage() != nil {
		t.Errorf("%v\n%s", d.Leakage(), diff)
	}
	if d.Scale.Constant != 67 || d.Scale.Max.Highest != 255 {
		t.Errorf("got %+v", d.Scale)
	}
}
