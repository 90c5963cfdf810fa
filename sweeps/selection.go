package sweeps

import (
	"cmp"
	"slices"
)

// Scored is what a finished trial is selected on.
type Scored struct {
	ID     TrialID
	Status ResultStatus
	// ValidationError and ValidationNLL are those of a [Result].
	ValidationError float64
	ValidationNLL   float64
}

// Select returns the k best of the results, best first: the smallest validation
// error, then the smaller validation NLL, then the lower trial ID, so that the
// order of the results does not matter. Diverged trials and scores that are not
// finite are never selected, and a trial is selected once however often it is
// given. Fewer than k come back when there are no more. The results are left as
// they are. The test split has no say: [Scored] does not carry it.
func Select(results []Scored, k int) []Scored {
	fit := make([]Scored, 0, len(results))
	for _, r := range results {
		if r.Status == Completed && rankable(r.ValidationError) && rankable(r.ValidationNLL) {
			fit = append(fit, r)
		}
	}
	slices.SortFunc(fit, func(a, b Scored) int {
		return cmp.Or(
			cmp.Compare(a.ValidationError, b.ValidationError),
			cmp.Compare(a.ValidationNLL, b.ValidationNLL),
			cmp.Compare(a.ID, b.ID),
		)
	})
	out := make([]Scored, 0, min(max(k, 0), len(fit)))
	seen := make(map[TrialID]bool, cap(out))
	for _, r := range fit {
		if len(out) == cap(out) {
			break
		}
		if !seen[r.ID] {
			seen[r.ID] = true
			out = append(out, r)
		}
	}
	return out
}
