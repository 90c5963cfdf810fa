package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/tenfold-ml/tenfold/sweeps"
)

// PutTrial writes a trial's config.json: canonical JSON, so the same bytes
// whoever writes it. One that is there and differs is ErrCorrupt.
func (s *Store) PutTrial(ctx context.Context, id sweeps.TrialID, t sweeps.Trial) error {
	actual, err := t.ID()
	if err != nil {
		return fmt.Errorf("%w: trial %s: %w", ErrInvalid, id, err)
	}
	if actual != id {
		return fmt.Errorf("%w: trial %s: its settings hash to %s", ErrInvalid, id, actual)
	}
	b, err := sweeps.CanonicalJSON(t)
	if err != nil {
		return fmt.Errorf("%w: trial %s: %w", ErrInvalid, id, err)
	}
	key := TrialConfigKey(id)
	created, err := s.PutAllIfAbsent(ctx, key, b)
	if err != nil || created {
		return err
	}
	there, err := s.ReadAll(ctx, key)
	if err != nil {
		return err
	}
	if !bytes.Equal(there, b) {
		return corrupt(key, errors.New("it is there and differs from what the trial's ID stands for; remove it"))
	}
	return nil
}

// Trial reads a trial and checks that it hashes to its ID (ErrCorrupt).
func (s *Store) Trial(ctx context.Context, id sweeps.TrialID) (sweeps.Trial, error) {
	key := TrialConfigKey(id)
	var t sweeps.Trial
	if err := s.ReadJSON(ctx, key, &t); err != nil {
		return sweeps.Trial{}, err
	}
	actual, err := t.ID()
	if err != nil {
		return sweeps.Trial{}, corrupt(key, err)
	}
	if actual != id {
		return sweeps.Trial{}, corrupt(key, fmt.Errorf("it hashes to %s", actual))
	}
	return t, nil
}

// PutMetrics writes trials/<trial>/metrics/a<attempt>.jsonl whole, replacing
// what the same attempt had written before.
func (s *Store) PutMetrics(ctx context.Context, id sweeps.TrialID, attempt int, r io.Reader) error {
	if err := checkRun(id, attempt); err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	return s.b.Put(ctx, MetricsKey(id, attempt), r)
}

// idDigits is the length of a trial's ID.
const idDigits = 16

// checkRun says with ErrInvalid what is wrong with an attempt's name.
func checkRun(id sweeps.TrialID, attempt int) error {
	if len(id) != idDigits || !isHex(string(id)) {
		return fmt.Errorf("%w: %q is no trial ID (%d hex digits)", ErrInvalid, id, idDigits)
	}
	if attempt < 1 {
		return fmt.Errorf("%w: trial %s: attempts count from 1, and this is %d", ErrInvalid, id, attempt)
	}
	return nil
}
