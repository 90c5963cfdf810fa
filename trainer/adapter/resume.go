package adapter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/storage/backend"
	"github.com/tenfold-ml/tenfold/sweeps"
)

// state is what is kept beside the command's files: what the result will have of the time
// before the checkpoint.
type state struct {
	Version int                   `json:"version"` // 1
	Epoch   int                   `json:"epoch"`
	Step    int                   `json:"step"`
	Seconds float64               `json:"seconds"`
	Curve   []sweeps.EpochMetrics `json:"curve"`
}

const stateVersion = 1

// resumed is the checkpoint that the command goes on from; without one it is zero.
type resumed struct {
	epoch, step int
	state       state
	// tar is the path of the files as they came, which the command cannot have changed.
	tar string
}

// resume fetches the newest checkpoint of the trial that is whole. What is damaged is
// passed over. A store that cannot be reached ends the run: to begin from scratch then
// would throw work away.
func (s *session) resume(ctx context.Context) error {
	good, damaged, err := s.o.Store.Checkpoints(ctx, s.o.Trial)
	if err != nil {
		return fmt.Errorf("listing the checkpoints of trial %s: %w", s.o.Trial, err)
	}
	for _, d := range damaged {
		s.warn("passing over a damaged checkpoint: " + d.Error())
	}
	for _, c := range good {
		if c.Epoch > s.o.Epochs || (c.Epoch == s.o.Epochs && c.Step > 0) {
			continue // of a run with a larger budget
		}
		err := s.fetch(ctx, c)
		if err == nil {
			s.o.Log.Info("resumed", "epoch", c.Epoch, "step", c.Step, "attempt", c.Attempt)
			return nil
		}
		if !errors.Is(err, storage.ErrCorrupt) && !errors.Is(err, backend.ErrNotFound) {
			return fmt.Errorf("fetching the checkpoint of epoch %d, step %d, attempt %d: %w", c.Epoch, c.Step, c.Attempt, err)
		}
		s.warn(fmt.Sprintf("passing over a damaged checkpoint: epoch %d, step %d, attempt %d: %v", c.Epoch, c.Step, c.Attempt, err))
		if err := os.RemoveAll(s.folder.resume()); err != nil {
			return fmt.Errorf("removing a damaged checkpoint: %w", err)
		}
	}
	return nil
}

func (s *session) fetch(ctx context.Context, c storage.Checkpoint) error {
	b, err := s.o.Store.ReadArtifact(ctx, c.State)
	if err != nil {
		return err
	}
	var st state
	if err := json.Unmarshal(b, &st); err != nil {
		return fmt.Errorf("state: %w: %w", storage.ErrCorrupt, err)
	}
	if st.Version != stateVersion || st.Epoch != c.Epoch || st.Step != c.Step {
		return fmt.Errorf("state: %w: it is of version %d, epoch %d, step %d", storage.ErrCorrupt, st.Version, st.Epoch, st.Step)
	}
	path := filepath.Join(s.folder.own(), "resume.tar")
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	err = errors.Join(s.o.Store.CopyArtifact(ctx, c.Weights, f), f.Close())
	if err != nil {
		return err
	}
	if f, err = os.Open(path); err != nil {
		return err
	}
	err = errors.Join(unpack(f, s.folder.resume()), f.Close())
	if err != nil {
		return fmt.Errorf("unpack %s: %w", c.Weights.Key, err)
	}
	s.resumed = resumed{epoch: c.Epoch, step: c.Step, state: st, tar: path}
	return nil
}

// warn tells people and the store's metrics.
func (s *session) warn(message string) {
	s.o.Log.Warn(message)
	s.printer.emit(warningEvent{Event: "warning", Message: message})
}
