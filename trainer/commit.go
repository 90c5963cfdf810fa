package trainer

import (
	"context"
	"fmt"
	"strconv"

	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/trainer/checkpoint"
	"github.com/tenfold-ml/tenfold/trainer/data"
)

// commit writes the artifacts of a completed run, then its result. Everything
// before the result may happen several times: it writes the same bytes under the
// same keys.
func (r *session) commit(ctx context.Context, result sweeps.Result) error {
	if result.Status == sweeps.Completed {
		if err := r.artifacts(ctx, &result); err != nil {
			return err
		}
	}
	committed, won, err := r.o.Store.CommitResult(ctx, result)
	if err != nil {
		return fmt.Errorf("committing the result: %w", err)
	}
	if !won {
		r.o.Log.Info("another attempt had committed the result", "attempt", committed.Attempt)
	}
	r.metrics.emit(endEvent{
		Event: "end", Status: committed.Status, ValidationError: committed.ValidationError,
		Note: committed.Note, Committed: won,
	})
	// The result is what counts; the rest is tidiness, and must not make a
	// success look like a failure.
	r.putMetrics(ctx)
	if won {
		if err := checkpoint.Prune(ctx, r.o.Store, r.o.Trial, r.state.Epoch); err != nil {
			r.warn("removing checkpoints that are not needed any more: " + err.Error())
		}
	}
	return nil
}

// artifacts saves the final checkpoint and the predictions, and names them in
// the result.
func (r *session) artifacts(ctx context.Context, result *sweeps.Result) error {
	var err error
	if r.predictions == nil { // resumed after the last epoch
		if r.predictions, err = r.predict(ctx, r.validation); err != nil {
			return err
		}
	}
	if result.Checkpoint, err = r.finalWeights(ctx); err != nil {
		return err
	}
	dir := storage.PredictionsDir(r.o.Trial, r.o.Epochs)
	if result.ValidationPredictions, err = r.putPredictions(ctx, dir, "validation", r.predictions); err != nil {
		return err
	}
	// The test cases are read now and not before: nothing may depend on them.
	ds, err := data.Load(ctx, r.o.Store, r.trial.Dataset, data.TestImages)
	if err != nil {
		return err
	}
	if r.trial.Config.Data.Log1p {
		if err := ds.Log1p(); err != nil {
			return err
		}
	}
	test, err := r.predict(ctx, data.NewBatches(ds.Test, nil, r.std, r.trial.Config.Train.BatchSize))
	if err != nil {
		return err
	}
	result.TestPredictions, err = r.putPredictions(ctx, dir, "test", test)
	return err
}

// finalWeights saves the checkpoint of the end and returns its weights.
func (r *session) finalWeights(ctx context.Context) (sweeps.Artifact, error) {
	if err := r.save(ctx); err != nil {
		return sweeps.Artifact{}, err
	}
	if n := len(r.saver.mine); n > 0 {
		if c := r.saver.mine[n-1]; c.Epoch == r.state.Epoch && c.Step == 0 {
			return c.Weights, nil
		}
	}
	// This attempt began at the end, with a checkpoint of another one, which may
	// be removing it. The same bytes under the same key do no harm.
	weights, _, err := r.snapshot().Encode()
	if err != nil {
		return sweeps.Artifact{}, err
	}
	a, err := r.o.Store.PutArtifact(ctx, storage.CheckpointDir(r.o.Trial), strconv.Itoa(r.state.Epoch), "safetensors", weights)
	if err != nil {
		return sweeps.Artifact{}, fmt.Errorf("storing the weights: %w", err)
	}
	return a, nil
}

func (r *session) putPredictions(ctx context.Context, dir, name string, predictions []float32) (sweeps.Artifact, error) {
	columns := r.classes // of a row for each label
	if columns == 0 {
		columns = r.outputs
	}
	a, err := r.o.Store.PutArtifact(ctx, dir, name, "npy", encodeNPY(len(predictions)/columns, columns, predictions))
	if err != nil {
		return a, fmt.Errorf("storing the %s predictions: %w", name, err)
	}
	return a, nil
}
