package ensemble_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tenfold-ml/tenfold/sweeps/ensemble"
	"pgregory.net/rapid"
)

// drawProbs draws rows of probabilities, none of them tiny.
func drawProbs(t *rapid.T, cases, classes int) []float32 {
	out := make([]float32, 0, cases*classes)
	for range cases {
		row := rapid.SliceOfN(rapid.Float64Range(0.001, 1), classes, classes).Draw(t, "row")
		sum := 0.0
		for _, x := range row {
			sum += x
		}
		for _, x := range row {
			out = append(out, float32(x/sum))
		}
	}
	return out
}

func drawLabels(t *rapid.T, cases, classes int) []int32 {
	return rapid.SliceOfN(rapid.Int32Range(0, int32(classes-1)), cases, cases).Draw(t, "labels")
}

type drawn struct {
	cases, classes int
	members        [][]float32
	labels         []int32
}

func draw(t *rapid.T) drawn {
	d := drawn{cases: rapid.IntRange(1, 5).Draw(t, "cases"), classes: rapid.IntRange(1, 4).Draw(t, "classes")}
	for range rapid.IntRange(1, 6).Draw(t, "members") {
		d.members = append(d.members, drawProbs(t, d.cases, d.classes))
	}
	d.labels = drawLabels(t, d.cases, d.classes)
	return d
}

func mustMeasure[T ensemble.Real](t *rapid.T, probs []T, d drawn) ensemble.Measures {
	m, err := ensemble.Measure(probs, d.classes, d.labels)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestAverageAndMeasuresOfAnExample(t *testing.T) {
	t.Parallel()
	mean, err := ensemble.Average([][]float32{{0.5, 0.5, 1, 0}, {0.25, 0.75, 0.5, 0.5}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]float64{0.375, 0.625, 0.75, 0.25}, mean); diff != "" {
		t.Error(diff)
	}
	got, err := ensemble.Measure(mean, 2, []int32{1, 1})
	if err != nil {
		t.Fatal(err)
	}
	want := ensemble.Measures{
		Error: 0.5,
		NLL:   -(math.Log(0.625) + math.Log(0.25)) / 2,
		Brier: (2*0.375*0.375 + 2*0.75*0.75) / 2,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestTiesGoToTheLowerClass(t *testing.T) {
	t.Parallel()
	for label, want := range []float64{1, 0, 1} {
		got, err := ensemble.Error([]float32{0.2, 0.4, 0.4}, 3, []int32{int32(label)})
		if err != nil || got != want {
			t.Errorf("label %d: error %v (%v), want %v", label, got, err, want)
		}
	}
}

func TestNLLIsClamped(t *testing.T) {
	t.Parallel()
	for _, p := range []float32{0, -1e-4, 1e-30} {
		got, err := ensemble.NLL([]float32{1 - p, p}, 2, []int32{1})
		if want := -math.Log(ensemble.MinProbability); err != nil || got != want {
			t.Errorf("%v: %v (%v), want %v", p, got, err, want)
		}
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, tt := range []struct {
		name    string
		probs   []float32
		classes int
		row     int // -1: a ShapeError, -2: none
		says    string
	}{
		{"good", []float32{0.25, 0.75, 1, 0}, 2, -2, ""},
		{"rounded", []float32{0.3333, 0.3333, 0.3333}, 3, -2, ""},
		{"empty", nil, 3, -2, ""},
		{"NaN", []float32{0.5, 0.5, nan, 1}, 2, 1, "row 1 has NaN for class 0"},
		{"infinite", []float32{inf, 0}, 2, 0, "row 0 has +Inf for class 0"},
		{"negative", []float32{1.5, -0.5}, 2, 0, "row 0 has 1.5 for class 0"},
		{"below", []float32{-0.5, 1}, 2, 0, "row 0 has -0.5 for class 0"},
		{"logits", []float32{0.5, 0.25, 0, 0}, 2, 0, "row 0 sums to 0.75, want 1"},
		{"sum", []float32{0.5, 0.5, 0.5, 0.6}, 2, 1, "row 1 sums to 1.1"},
		{"ragged", []float32{1, 0, 1}, 2, -1, "3 probabilities, want 2"},
		{"no classes", []float32{1}, 0, -1, "0 classes, want 1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := ensemble.Check(tt.probs, tt.classes)
			var row *ensemble.RowError
			var shape *ensemble.ShapeError
			switch {
			case tt.row == -2:
				if err != nil {
					t.Error(err)
				}
				return
			case tt.row == -1:
				if !errors.As(err, &shape) {
					t.Fatalf("error %v", err)
				}
			case !errors.As(err, &row) || row.Row != tt.row:
				t.Fatalf("error %v", err)
			}
			if !strings.Contains(err.Error(), tt.says) {
				t.Errorf("error %q, want %q in it", err, tt.says)
			}
		})
	}
}

func TestMeasuresRefuseWhatDoesNotFit(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		probs   []float32
		classes int
		labels  []int32
		says    string
	}{
		{"no cases", nil, 2, nil, "0 labels, want 1"},
		{"fewer labels", []float32{1, 0, 1, 0}, 2, []int32{0}, "2 rows, want 1"},
		{"more labels", []float32{1, 0}, 2, []int32{0, 0}, "1 rows, want 2"},
		{"ragged", []float32{1, 0, 1}, 2, []int32{0}, "3 probabilities, want 2"},
		{"label above", []float32{1, 0, 1, 0}, 2, []int32{0, 2}, "the label of case 1 is 2, want 0 to 1"},
		{"label below", []float32{1, 0}, 2, []int32{-1}, "the label of case 0 is -1, want 0 to 1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for name, f := range map[string]func([]float32, int, []int32) (float64, error){
				"error": ensemble.Error[float32], "NLL": ensemble.NLL[float32], "Brier": ensemble.Brier[float32],
			} {
				if _, err := f(tt.probs, tt.classes, tt.labels); err == nil || err.Error() != tt.says {
					t.Errorf("%s: %v, want %q", name, err, tt.says)
				}
			}
			if _, err := ensemble.Measure(tt.probs, tt.classes, tt.labels); err == nil {
				t.Error("measured")
			}
		})
	}
	if _, err := ensemble.Average[float32](nil); !errors.Is(err, ensemble.ErrNoMembers) {
		t.Errorf("average of nothing: %v", err)
	}
	if _, err := ensemble.Average([][]float32{{1, 0}, {1}}); err == nil || err.Error() != "1 probabilities, want 2" {
		t.Errorf("average of different shapes: %v", err)
	}
}

func TestAverageProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := draw(t)
		mean, err := ensemble.Average(d.members)
		if err != nil {
			t.Fatal(err)
		}
		if err := ensemble.Check(mean, d.classes); err != nil {
			t.Fatalf("the average is no distribution: %v", err)
		}

		// The order of the members does not matter beyond rounding.
		again, err := ensemble.Average(rapid.Permutation(d.members).Draw(t, "order"))
		if err != nil {
			t.Fatal(err)
		}
		for i := range mean {
			if math.Abs(mean[i]-again[i]) > 1e-15 {
				t.Fatalf("%v in one order, %v in another", mean[i], again[i])
			}
		}

		// Copies of one member are that member.
		one := d.members[0]
		same, err := ensemble.Average(slices.Repeat([][]float32{one}, rapid.IntRange(1, 100).Draw(t, "copies")))
		if err != nil {
			t.Fatal(err)
		}
		for i := range one {
			if same[i] != float64(one[i]) {
				t.Fatalf("copies of %v average to %v", one[i], same[i])
			}
		}
		if a, b := mustMeasure(t, same, d), mustMeasure(t, one, d); a != b {
			t.Fatalf("copies measure %+v, one %+v", a, b)
		}

		// -log and the square are convex (Jensen), so the average is no worse than
		// the members are on average.
		var nll, brier float64
		for _, m := range d.members {
			x := mustMeasure(t, m, d)
			nll += x.NLL / float64(len(d.members))
			brier += x.Brier / float64(len(d.members))
		}
		got := mustMeasure(t, mean, d)
		if got.NLL > nll+1e-12 || got.Brier > brier+1e-12 {
			t.Fatalf("the ensemble has NLL %v and Brier %v, its members %v and %v on average", got.NLL, got.Brier, nll, brier)
		}
		if got.Error < 0 || got.Error > 1 || got.NLL < -1e-6 || got.Brier < 0 || got.Brier > 2 {
			t.Fatalf("%+v", got)
		}
	})
}
