package activities

import (
	"context"
	"errors"
	"fmt"

	"github.com/tenfold-ml/tenfold/storage/backend"
	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/sweeps/ensemble"
	"github.com/tenfold-ml/tenfold/trainer/data"
)

// ownLabels are those that custom trainers have left with their predictions, which
// have to be the same for all members; nil where none has left any. Nothing is
// measured then.
func (a *Activities) ownLabels(ctx context.Context, members []ensemble.Candidate) (*ensemble.Labels, error) {
	var first *ensemble.Candidate
	for i, m := range members {
		if (m.ValidationLabels == sweeps.Artifact{}) != (m.TestLabels == sweeps.Artifact{}) {
			return nil, faultf("trial %s has labels for one split only; a trainer leaves both or none", m.ID)
		}
		if first == nil && m.ValidationLabels != (sweeps.Artifact{}) {
			first = &members[i]
		}
	}
	if first == nil {
		return nil, nil
	}
	for _, m := range members {
		switch {
		case m.ValidationLabels == sweeps.Artifact{}:
			return nil, faultf("trial %s has left no labels, and trial %s has; all or none of a sweep's trials leave some", m.ID, first.ID)
		case m.ValidationLabels.SHA256 != first.ValidationLabels.SHA256:
			return nil, faultf("%s and %s differ: predictions of different validation cases cannot be averaged", m.ValidationLabels.Key, first.ValidationLabels.Key)
		case m.TestLabels.SHA256 != first.TestLabels.SHA256:
			return nil, faultf("%s and %s differ: predictions of different test cases cannot be averaged", m.TestLabels.Key, first.TestLabels.Key)
		case m.Values != first.Values:
			return nil, faultf("trial %s predicts values, and trial %s classes, or the other way around", m.ID, first.ID)
		}
	}
	labels := &ensemble.Labels{Outputs: 1}
	var err error
	if labels.Validation, labels.ValidationValues, err = a.labelsFrom(ctx, first, first.ValidationLabels, labels); err != nil {
		return nil, fmt.Errorf("read the validation labels of trial %s: %w", first.ID, err)
	}
	if labels.Test, labels.TestValues, err = a.labelsFrom(ctx, first, first.TestLabels, labels); err != nil {
		return nil, fmt.Errorf("read the test labels of trial %s: %w", first.ID, err)
	}
	if first.Values {
		return labels, nil
	}
	// How many classes there are, only the predictions tell.
	b, err := a.Store.ReadArtifact(ctx, first.ValidationPredictions)
	if err != nil {
		return nil, fmt.Errorf("read the validation predictions of trial %s: %w", first.ID, err)
	}
	if _, _, labels.Classes, err = parseNPY(b); err != nil {
		return nil, faultf("%s: %w", first.ValidationPredictions.Key, err)
	}
	return labels, nil
}

// labelsFrom reads the classes or values that one split asks for, and how many a case
// has of them.
func (a *Activities) labelsFrom(ctx context.Context, of *ensemble.Candidate, from sweeps.Artifact, into *ensemble.Labels) (classes []int32, values []float32, err error) {
	b, err := a.Store.ReadArtifact(ctx, from)
	if errors.Is(err, backend.ErrNotFound) {
		return nil, nil, faultf("%s is missing from the store: %w", from.Key, err)
	}
	if err != nil {
		return nil, nil, err
	}
	shape, numbers, err := data.ReadNPY(from.Key, b)
	if err != nil {
		return nil, nil, fault{err}
	}
	if len(shape) < 1 || len(shape) > 2 {
		return nil, nil, faultf("%s: it has %d dimensions, want one or two", from.Key, len(shape))
	}
	if len(shape) == 2 {
		into.Outputs = shape[1]
	}
	for _, x := range numbers {
		if of.Values {
			values = append(values, float32(x))
		} else {
			classes = append(classes, int32(x))
		}
	}
	return classes, values, nil
}
