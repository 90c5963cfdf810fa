package ensemble_test

import (
	"errors"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/sweeps/ensemble"
)

func TestMeasureValuesByHand(t *testing.T) {
	t.Parallel()
	targets := []float32{1, 2, 3, 6} // mean 3, variance (4+1+0+9)/4
	for _, c := range []struct {
		predictions []float32
		mse         float64
	}{
		{[]float32{1, 2, 3, 6}, 0},
		{[]float32{3, 3, 3, 3}, 3.5},
		{[]float32{2, 2, 3, 3}, 2.5},
		{[]float32{-1, 2, 3, 12}, 10},
	} {
		m, err := ensemble.MeasureValues(c.predictions, targets)
		if err != nil {
			t.Fatal(err)
		}
		if want := (ensemble.Measures{Error: c.mse / 3.5, NLL: c.mse}); m != want {
			t.Errorf("%v: %+v, want %+v", c.predictions, m, want)
		}
	}
	var shape *ensemble.ShapeError
	if _, err := ensemble.MeasureValues(targets[:3], targets); !errors.As(err, &shape) || shape.Got != 3 || shape.Want != 4 {
		t.Errorf("too few: %v", err)
	}
	if _, err := ensemble.MeasureValues([]float32{}, nil); !errors.As(err, &shape) {
		t.Errorf("none: %v", err)
	}
	if _, err := ensemble.MeasureValues(targets[:2], []float32{5, 5}); !errors.Is(err, ensemble.ErrConstant) {
		t.Errorf("constant: %v", err)
	}
}

// The mean squared error of an average is never above the mean of those of its
// members (Jensen's inequality), and guessing the mean is an error of 1.
func TestValuesProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 30).Draw(t, "n")
		numbers := rapid.SliceOfN(rapid.Float32Range(-100, 100), n, n)
		targets := numbers.Draw(t, "targets")
		targets[0] = targets[1] + 1
		members := rapid.SliceOfN(numbers, 1, 5).Draw(t, "members")
		mean := 0.0
		for _, m := range members {
			measures, err := ensemble.MeasureValues(m, targets)
			if err != nil {
				t.Fatal(err)
			}
			mean += measures.NLL / float64(len(members))
		}
		average, err := ensemble.Average(members)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ensemble.MeasureValues(average, targets)
		if err != nil || got.NLL > mean*(1+1e-12) {
			t.Fatalf("the average has %v, its members %v: %v", got, mean, err)
		}
		guess := 0.0
		for _, v := range targets {
			guess += float64(v) / float64(n)
		}
		guesses := make([]float64, n)
		for i := range guesses {
			guesses[i] = guess
		}
		if got, err := ensemble.MeasureValues(guesses, targets); err != nil || math.Abs(got.Error-1) > 1e-9 {
			t.Fatalf("guessing the mean: %+v, %v", got, err)
		}
	})
}

// valuesExample is a sweep of two members that predict two values a case.
func valuesExample() ensemble.Input {
	in := example()
	in.Size, in.Members = 2, []ensemble.Candidate{candidate("aaaa", 1.25, 1), candidate("bbbb", 1.25, 2)}
	targets := []float32{0, 2, 0, 2} // variance 1
	in.Labels = &ensemble.Labels{Outputs: 2, ValidationValues: targets, TestValues: targets}
	a, b := []float32{2, 3, 0, 2}, []float32{-2, 1, 0, 2} // off by 2 and 1, the other way
	in.Predictions = map[sweeps.TrialID]ensemble.Predictions{"aaaa": {Validation: a, Test: a}, "bbbb": {Validation: b, Test: b}}
	return in
}

func TestManifestOfValues(t *testing.T) {
	t.Parallel()
	m, averages, err := ensemble.Build(valuesExample())
	if err != nil {
		t.Fatal(err)
	}
	if want := (ensemble.Split{Seed: 9, Validation: 2, Test: 2, Outputs: 2}); m.Split != want {
		t.Errorf("split %+v, want %+v", m.Split, want)
	}
	if m.Measured.Test != (ensemble.Measures{}) || m.Measured.MeanMemberTestError != 1.25 || averages.Test[1] != 2 {
		t.Errorf("%+v, averages %v: the members' errors should cancel out", m.Measured, averages)
	}
	for name, c := range map[string]struct {
		change func(in *ensemble.Input)
		as     error
	}{
		"not a number": {func(in *ensemble.Input) { in.Predictions["aaaa"].Test[3] = float32(math.NaN()) }, &ensemble.RowError{Row: 1, Problem: "has NaN for value 1"}},
		"other values": {func(in *ensemble.Input) { in.Labels.ValidationValues = []float32{0, 4, 0, 4} }, &ensemble.MismatchError{Committed: 1.25, Computed: (4 + 1 + 0 + 4) / 16.0}},
	} {
		in := valuesExample()
		in.Predictions["aaaa"] = ensemble.Predictions{Validation: in.Predictions["aaaa"].Validation, Test: append([]float32(nil), in.Predictions["aaaa"].Test...)}
		c.change(&in)
		_, _, err := ensemble.Build(in)
		var member *ensemble.MemberError
		if !errors.As(err, &member) || member.Err.Error() != c.as.Error() {
			t.Errorf("%s: error %v, want %v", name, err, c.as)
		}
	}
}

func TestManifestOfSeveralLabels(t *testing.T) {
	t.Parallel()
	in := example()
	in.Labels.Outputs = 2
	m, _, err := ensemble.Build(in)
	if err != nil {
		t.Fatal(err)
	}
	if want := (ensemble.Split{Seed: 9, Validation: 2, Test: 2, Classes: 2, Outputs: 2}); m.Split != want {
		t.Errorf("split %+v, want %+v", m.Split, want)
	}
	single, _, err := ensemble.Build(example())
	if err != nil || *m.Measured != *single.Measured {
		t.Errorf("%+v, want the measures of as many cases of one label, %+v: %v", m.Measured, single.Measured, err)
	}
}
