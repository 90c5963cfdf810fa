package storage

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"

	"golang.org/x/sync/errgroup"

	"github.com/tenfold-ml/tenfold/storage/backend"
	"github.com/tenfold-ml/tenfold/sweeps"
)

// checkpointVersion is the version of records that this code writes and reads.
const checkpointVersion = 1

// Checkpoint is trials/<trial>/checkpoints/<epoch>-a<attempt>.json, or
// <epoch>.<step>-a<attempt>.json within an epoch, written last: with it the
// checkpoint exists.
type Checkpoint struct {
	Version int            `json:"version"`
	Trial   sweeps.TrialID `json:"trial"`
	Epoch   int            `json:"epoch"`         // epochs finished
	Step    int            `json:"step,omitzero"` // steps done of the epoch after those
	Attempt int            `json:"attempt"`
	// Weights are safetensors, or a tar of all that a custom trainer has left.
	Weights sweeps.Artifact `json:"weights"`
	State   sweeps.Artifact `json:"state"` // optimiser, schedule, step; of a custom trainer its curve
}

// PutCheckpoint writes weights and state, then the record that makes them exist.
// Writing the same again is harmless; another content for the same epoch and
// attempt is ErrInvalid, and the first stays.
func (s *Store) PutCheckpoint(ctx context.Context, id sweeps.TrialID, epoch, attempt int, weights, state []byte) (Checkpoint, error) {
	return s.PutCheckpointAt(ctx, id, epoch, 0, attempt, weights, state)
}

// PutCheckpointAt is PutCheckpoint for a checkpoint taken within an epoch: epoch
// epochs are finished, and step steps of the next one are done.
func (s *Store) PutCheckpointAt(ctx context.Context, id sweeps.TrialID, epoch, step, attempt int, weights, state []byte) (Checkpoint, error) {
	return s.putCheckpoint(ctx, Checkpoint{Trial: id, Epoch: epoch, Step: step, Attempt: attempt}, state,
		func(ctx context.Context, dir, name string) (sweeps.Artifact, error) {
			return s.PutArtifact(ctx, dir, name, weightsExt, weights)
		})
}

// PutCheckpointFiles is PutCheckpointAt for a trainer whose files mean nothing to us: a
// tar of them takes the place of the weights. It is read as by [Store.PutArtifactFrom].
func (s *Store) PutCheckpointFiles(ctx context.Context, id sweeps.TrialID, epoch, step, attempt int, files io.ReadSeeker, state []byte) (Checkpoint, error) {
	return s.putCheckpoint(ctx, Checkpoint{Trial: id, Epoch: epoch, Step: step, Attempt: attempt}, state,
		func(ctx context.Context, dir, name string) (sweeps.Artifact, error) {
			return s.PutArtifactFrom(ctx, dir, name, filesExt, files)
		})
}

// putCheckpoint writes what weights does, the state, and then the record.
func (s *Store) putCheckpoint(ctx context.Context, c Checkpoint, state []byte,
	weights func(ctx context.Context, dir, name string) (sweeps.Artifact, error)) (Checkpoint, error) {
	if err := checkRun(c.Trial, c.Attempt); err != nil {
		return Checkpoint{}, fmt.Errorf("checkpoint: %w", err)
	}
	if c.Epoch < 0 || c.Step < 0 {
		return Checkpoint{}, fmt.Errorf("checkpoint: %w: trial %s: epoch %d, step %d", ErrInvalid, c.Trial, c.Epoch, c.Step)
	}
	c.Version = checkpointVersion
	// Together, since each of them waits for the disk.
	g, gctx := errgroup.WithContext(ctx)
	dir, name := CheckpointDir(c.Trial), strconv.Itoa(c.Epoch)
	g.Go(func() (err error) {
		c.Weights, err = weights(gctx, dir, name)
		return err
	})
	g.Go(func() (err error) {
		c.State, err = s.PutArtifact(gctx, dir, name, stateExt, state)
		return err
	})
	if err := g.Wait(); err != nil {
		return Checkpoint{}, fmt.Errorf("checkpoint: %w", err)
	}
	key := CheckpointStepRecordKey(c.Trial, c.Epoch, c.Step, c.Attempt)
	b, err := json.Marshal(c)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("checkpoint %s: %w", key, err)
	}
	created, err := s.PutAllIfAbsent(ctx, key, append(b, '\n'))
	if err != nil {
		return Checkpoint{}, fmt.Errorf("checkpoint: %w", err)
	}
	if created {
		return c, nil
	}
	there, err := s.readRecord(ctx, c.Trial, key)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("checkpoint: %w", err)
	}
	if there != c {
		return Checkpoint{}, fmt.Errorf("checkpoint %s: %w: it is there with other weights or state", key, ErrInvalid)
	}
	return c, nil
}

// Checkpoints lists a trial's checkpoints, newest (most epochs, then most
// steps, then highest attempt) first. What cannot be used is in bad, each named:
// a record that is damaged or whose weights or state are missing or of another
// size, and files that do not belong there. That weights and state hash to what
// they should is left to ReadArtifact, so that only the checkpoint that is used
// is read.
func (s *Store) Checkpoints(ctx context.Context, id sweeps.TrialID) (good []Checkpoint, bad []error, err error) {
	sizes := map[string]int64{} // of the artifacts
	var records []string
	for o, err := range s.b.List(ctx, CheckpointDir(id)) {
		if err != nil {
			return nil, nil, fmt.Errorf("checkpoints of trial %s: %w", id, err)
		}
		if path.Dir(o.Key) == CheckpointDir(id) {
			if _, _, ok := ParseCheckpointRecord(path.Base(o.Key)); ok {
				records = append(records, o.Key)
				continue
			}
			if _, ok := parseCheckpointArtifact(path.Base(o.Key)); ok {
				sizes[o.Key] = o.Size
				continue
			}
		}
		bad = append(bad, corrupt(o.Key, errors.New("it is neither a checkpoint's record nor its weights nor its state")))
	}
	for _, key := range records {
		c, err := s.readRecord(ctx, id, key)
		if err == nil {
			err = s.checkArtifacts(ctx, key, c, sizes)
		}
		switch {
		case err == nil:
			good = append(good, c)
		case errors.Is(err, backend.ErrNotFound):
			// Deleted since it was listed.
		case errors.Is(err, ErrCorrupt):
			bad = append(bad, err)
		default:
			return nil, nil, fmt.Errorf("checkpoints of trial %s: %w", id, err)
		}
	}
	slices.SortFunc(good, func(a, b Checkpoint) int {
		return cmp.Or(cmp.Compare(b.Epoch, a.Epoch), cmp.Compare(b.Step, a.Step), cmp.Compare(b.Attempt, a.Attempt))
	})
	return good, bad, nil
}

// readRecord reads a checkpoint's record and checks that it is the one its key
// says it is.
func (s *Store) readRecord(ctx context.Context, id sweeps.TrialID, key string) (Checkpoint, error) {
	var c Checkpoint
	if err := s.ReadJSON(ctx, key, &c); err != nil {
		return Checkpoint{}, err
	}
	if c.Version != checkpointVersion {
		return Checkpoint{}, corrupt(key, fmt.Errorf("version %d of records is not known, only %d is", c.Version, checkpointVersion))
	}
	if c.Trial != id || CheckpointStepRecordKey(c.Trial, c.Epoch, c.Step, c.Attempt) != key {
		return Checkpoint{}, corrupt(key, fmt.Errorf("it is the record of trial %s, epoch %d, step %d, attempt %d", c.Trial, c.Epoch, c.Step, c.Attempt))
	}
	for _, a := range []sweeps.Artifact{c.Weights, c.State} {
		if err := checkArtifact(a); err != nil {
			return Checkpoint{}, corrupt(key, err)
		}
	}
	return c, nil
}

// checkArtifacts checks that a record's artifacts are there and of the right size.
func (s *Store) checkArtifacts(ctx context.Context, record string, c Checkpoint, sizes map[string]int64) error {
	for _, a := range []sweeps.Artifact{c.Weights, c.State} {
		size, listed := sizes[a.Key]
		same := size == a.Bytes
		if !listed {
			// A listing that ran beside a writer may have missed it.
			var err error
			same, err = s.hasSize(ctx, a.Key, a.Bytes)
			if errors.Is(err, backend.ErrNotFound) {
				// A checkpoint is deleted from its record on, so look at that again.
				if _, err := s.readRecord(ctx, c.Trial, record); err != nil {
					return err
				}
				return corrupt(record, fmt.Errorf("%s, which it names, is missing", a.Key))
			}
			if err != nil {
				return err
			}
		}
		if !same {
			return corrupt(a.Key, fmt.Errorf("it has not the %d bytes that %s says", a.Bytes, path.Base(record)))
		}
	}
	return nil
}
