package adapter

import (
	"context"
	"fmt"
	"os"
	"strconv"

	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/trainer/checkpoint"
)

// commit checks what the command has left, stores it, and commits the result. Everything
// before the result may happen several times: it writes the same bytes under the same
// keys.
func (s *session) commit(ctx context.Context) error {
	l, err := readLeft(s.folder.out())
	if err != nil {
		return err
	}
	if l.status == sweeps.Completed {
		if err := s.output.check(l.values); err != nil {
			return err
		}
	}
	r := sweeps.Result{
		Version: 1, Trial: s.o.Trial, Epochs: s.o.Epochs, Attempt: s.o.Attempt,
		Status: l.status, Values: l.values, ValidationError: l.validationError, ValidationNLL: l.validationNLL,
		Curve: s.output.curve, Note: l.note, Weights: l.weights, Engine: l.engine, Seconds: s.seconds(),
	}
	newest, last := s.newest()
	if l.status == sweeps.Completed {
		if r.Checkpoint, err = s.finalFiles(ctx, newest, last); err != nil {
			return err
		}
		dir := storage.PredictionsDir(s.o.Trial, s.o.Epochs)
		for _, x := range []struct {
			into  *sweeps.Artifact
			name  string
			bytes []byte
		}{
			{&r.ValidationPredictions, "validation", l.validation}, {&r.TestPredictions, "test", l.test},
			{&r.ValidationLabels, "validation_labels", l.validationLabels}, {&r.TestLabels, "test_labels", l.testLabels},
		} {
			if x.bytes == nil {
				continue
			}
			if *x.into, err = s.o.Store.PutArtifact(ctx, dir, x.name, "npy", x.bytes); err != nil {
				return fmt.Errorf("storing %s.npy: %w", x.name, err)
			}
		}
	}
	committed, won, err := s.o.Store.CommitResult(ctx, r)
	if err != nil {
		return fmt.Errorf("committing the result: %w", err)
	}
	if !won {
		s.o.Log.Info("another attempt had committed the result", "attempt", committed.Attempt)
	}
	s.printer.emit(endEvent{
		Event: "end", Status: committed.Status, ValidationError: committed.ValidationError,
		Note: committed.Note, Committed: won,
	})
	// The result is what counts; the rest is tidiness.
	s.putMetrics(ctx)
	if won {
		if err := checkpoint.Prune(ctx, s.o.Store, s.o.Trial, newest); err != nil {
			s.warn("removing checkpoints that are not needed any more: " + err.Error())
		}
	}
	return nil
}

// check says what is wrong with the lines of a run that has completed.
func (o *output) check(values bool) error {
	if o.notFinite != nil {
		return o.notFinite
	}
	for _, m := range o.curve {
		if m.ValidationError > 1 && !values {
			return bad("standard output", `epoch %d has a validation_error of %v; it is a share, 0 to 1 (of values it may be more: "values": true in %s)`,
				m.Epoch, m.ValidationError, resultFile)
		}
	}
	return nil
}

// newest is the epoch of the newest checkpoint that this attempt has stored or gone on
// from, and whether it is that of the end of training.
func (s *session) newest() (epoch int, last bool) {
	epoch, step := s.resumed.epoch, s.resumed.step
	for _, c := range s.saver.mine {
		epoch, step = c.Epoch, c.Step
	}
	end := s.o.Epochs
	if n := len(s.output.curve); n > 0 {
		end = s.output.curve[n-1].Epoch
	}
	return epoch, step == 0 && epoch == end
}

// finalFiles are those of the checkpoint of the end of training, if the command has saved
// one: the weights that the result is of.
func (s *session) finalFiles(ctx context.Context, epoch int, last bool) (sweeps.Artifact, error) {
	if !last {
		return sweeps.Artifact{}, nil
	}
	if n := len(s.saver.mine); n > 0 {
		return s.saver.mine[n-1].Weights, nil
	}
	// The command went on at the end, with a checkpoint of another attempt, which may be
	// removing it. The same bytes under the same key do no harm.
	if s.resumed.tar == "" {
		return sweeps.Artifact{}, nil
	}
	f, err := os.Open(s.resumed.tar)
	if err != nil {
		return sweeps.Artifact{}, fmt.Errorf("reading the last checkpoint: %w", err)
	}
	defer func() { _ = f.Close() }() // nothing was written to it
	a, err := s.o.Store.PutArtifactFrom(ctx, storage.CheckpointDir(s.o.Trial), strconv.Itoa(epoch), "tar", f)
	if err != nil {
		return sweeps.Artifact{}, fmt.Errorf("storing the last checkpoint: %w", err)
	}
	return a, nil
}
