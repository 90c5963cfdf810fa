package sweeps_test

import (
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tenfold-ml/tenfold/sweeps"
	"pgregory.net/rapid"
)

func TestSelect(t *testing.T) {
	t.Parallel()
	s := func(id sweeps.TrialID, err, nll float64) sweeps.Scored {
		return sweeps.Scored{ID: id, Status: sweeps.Completed, ValidationError: err, ValidationNLL: nll}
	}
	diverged := s("d", 0, 0)
	diverged.Status = sweeps.Diverged
	all := []sweeps.Scored{
		s("c", 0.2, 0.5), s("b", 0.1, 0.5), diverged, s("a", 0.1, 0.5), s("e", 0.1, 0.4), s("a", 0.1, 0.5),
		s("n1", math.NaN(), 0), s("n2", 0, math.NaN()), s("n3", math.Inf(-1), 0), {ID: "none"},
	}
	before := slices.Clone(all)
	for _, tt := range []struct {
		k    int
		want []sweeps.TrialID
	}{
		{-1, nil}, {0, nil}, {1, []sweeps.TrialID{"e"}}, {3, []sweeps.TrialID{"e", "a", "b"}}, {9, []sweeps.TrialID{"e", "a", "b", "c"}},
	} {
		var got []sweeps.TrialID
		for _, x := range sweeps.Select(all, tt.k) {
			got = append(got, x.ID)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("k = %d: %s", tt.k, diff)
		}
	}
	for i := range all {
		if all[i].ID != before[i].ID {
			t.Error("the input was reordered")
		}
	}
}

func TestSelectDoesNotDependOnTheOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 20).Draw(t, "n")
		in := make([]sweeps.Scored, n)
		for i := range in {
			in[i] = sweeps.Scored{
				ID:              sweeps.TrialID(rune('a' + i)),
				Status:          rapid.SampledFrom([]sweeps.ResultStatus{sweeps.Completed, sweeps.Completed, sweeps.Diverged}).Draw(t, "status"),
				ValidationError: float64(rapid.IntRange(0, 3).Draw(t, "err")) / 4,
				ValidationNLL:   float64(rapid.IntRange(0, 3).Draw(t, "nll")) / 4,
			}
		}
		k := rapid.IntRange(0, 22).Draw(t, "k")
		one := sweeps.Select(in, k)
		other := sweeps.Select(rapid.Permutation(in).Draw(t, "order"), k)
		if diff := cmp.Diff(one, other); diff != "" {
			t.Fatal(diff)
		}
		if more := sweeps.Select(in, k+1); !slices.Equal(more[:len(one)], one) {
			t.Fatalf("the best %d are not among the best %d", k, k+1)
		}
	})
}
