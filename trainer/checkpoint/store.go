package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/storage/backend"
	"github.com/tenfold-ml/tenfold/sweeps"
)

// Save writes a snapshot as a checkpoint of an attempt. When it has returned, a
// kill of anything loses nothing of it. Saving the same step twice in one
// attempt is an error of the caller's.
func Save(ctx context.Context, store *storage.Store, id sweeps.TrialID, attempt int, s *Snapshot) (storage.Checkpoint, error) {
	weights, state, err := s.Encode()
	if err != nil {
		return storage.Checkpoint{}, err
	}
	c, err := store.PutCheckpointAt(ctx, id, s.State.Epoch, s.State.Step, attempt, weights, state)
	if err != nil {
		return storage.Checkpoint{}, fmt.Errorf("saving the checkpoint of epoch %d, step %d: %w", s.State.Epoch, s.State.Step, err)
	}
	return c, nil
}

// Latest finds the newest checkpoint of a trial that is whole, is of at most
// maxEpochs epochs, and that accept takes (nil accepts all); accept typically
// restores it, and refuses by an error that wraps storage.ErrCorrupt. What is
// damaged is passed over and described in skipped. Without any checkpoint the
// snapshot is nil. Other errors, such as a store that can't be reached, end the
// search: to start from scratch then would throw work away.
func Latest(ctx context.Context, store *storage.Store, id sweeps.TrialID, maxEpochs int, accept func(*Snapshot) error) (s *Snapshot, c storage.Checkpoint, skipped []error, err error) {
	good, skipped, err := store.Checkpoints(ctx, id)
	if err != nil {
		return nil, c, nil, fmt.Errorf("listing the checkpoints of trial %s: %w", id, err)
	}
	for _, c := range good {
		if c.Epoch > maxEpochs || (c.Epoch == maxEpochs && c.Step > 0) {
			continue // of a run with a larger budget
		}
		s, err := load(ctx, store, c)
		if err == nil && accept != nil {
			err = accept(s)
		}
		if err == nil {
			return s, c, skipped, nil
		}
		err = fmt.Errorf("checkpoint of epoch %d, step %d, attempt %d: %w", c.Epoch, c.Step, c.Attempt, err)
		if !errors.Is(err, storage.ErrCorrupt) && !errors.Is(err, backend.ErrNotFound) {
			return nil, storage.Checkpoint{}, skipped, err
		}
		skipped = append(skipped, err)
	}
	return nil, storage.Checkpoint{}, skipped, nil
}

func load(ctx context.Context, store *storage.Store, c storage.Checkpoint) (*Snapshot, error) {
	weights, err := store.ReadArtifact(ctx, c.Weights)
	if err != nil {
		return nil, err
	}
	state, err := store.ReadArtifact(ctx, c.State)
	if err != nil {
		return nil, err
	}
	s, err := Decode(weights, state)
	if err != nil {
		return nil, err
	}
	if s.State.Epoch != c.Epoch || s.State.Step != c.Step {
		return nil, fmt.Errorf("%w: it is of epoch %d, step %d", storage.ErrCorrupt, s.State.Epoch, s.State.Step)
	}
	return s, nil
}

// Remove deletes a checkpoint that its own attempt has superseded, unless a
// result or another checkpoint refers to its artifacts. The record goes first,
// so that no checkpoint is ever seen without its artifacts.
func Remove(ctx context.Context, store *storage.Store, id sweeps.TrialID, c storage.Checkpoint) error {
	if err := store.Backend().Delete(ctx, storage.CheckpointStepRecordKey(id, c.Epoch, c.Step, c.Attempt)); err != nil {
		return fmt.Errorf("removing a checkpoint: %w", err)
	}
	return prune(ctx, store, id, func(key string) bool { return key == c.Weights.Key || key == c.State.Key })
}

// Prune deletes the checkpoints of a trial whose result was committed after epoch
// epochs: those of fewer epochs, whoever wrote them, but for weights that a
// result refers to. An attempt that is still going on with one of them loses no
// more than its time, since there is a result.
func Prune(ctx context.Context, store *storage.Store, id sweeps.TrialID, epoch int) error {
	good, _, err := store.Checkpoints(ctx, id)
	if err != nil {
		return fmt.Errorf("listing checkpoints: %w", err)
	}
	for _, c := range good {
		if c.Epoch >= epoch {
			continue
		}
		if err := store.Backend().Delete(ctx, storage.CheckpointStepRecordKey(id, c.Epoch, c.Step, c.Attempt)); err != nil {
			return fmt.Errorf("removing a checkpoint: %w", err)
		}
	}
	return prune(ctx, store, id, func(key string) bool {
		e, _, _ := strings.Cut(path.Base(key), "-")
		n, err := strconv.Atoi(e)
		return err == nil && n < epoch
	})
}

// prune deletes the weights and states of a trial that candidate says and that
// neither a record nor a result refers to.
func prune(ctx context.Context, store *storage.Store, id sweeps.TrialID, candidate func(key string) bool) error {
	used := map[string]bool{}
	good, _, err := store.Checkpoints(ctx, id)
	if err != nil {
		return fmt.Errorf("listing checkpoints: %w", err)
	}
	for _, c := range good {
		used[c.Weights.Key], used[c.State.Key] = true, true
	}
	b := store.Backend()
	for o, err := range b.List(ctx, path.Join(storage.TrialDir(id), "results")) {
		if err != nil {
			return fmt.Errorf("listing results: %w", err)
		}
		var r sweeps.Result
		if err := store.ReadJSON(ctx, o.Key, &r); err != nil {
			return fmt.Errorf("reading what results refer to: %w", err)
		}
		used[r.Checkpoint.Key] = true
	}
	var doomed []string
	for o, err := range b.List(ctx, storage.CheckpointDir(id)) {
		if err != nil {
			return fmt.Errorf("listing checkpoints: %w", err)
		}
		if ext := path.Ext(o.Key); (ext == ".safetensors" || ext == ".tar" || ext == ".state") && candidate(o.Key) && !used[o.Key] {
			doomed = append(doomed, o.Key)
		}
	}
	for _, key := range doomed {
		if err := b.Delete(ctx, key); err != nil {
			return fmt.Errorf("removing %s: %w", key, err)
		}
	}
	return nil
}
