package checkpoint_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/storage/backend"
	"github.com/tenfold-ml/tenfold/storage/mem"
	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/trainer/checkpoint"
)

const trial = sweeps.TrialID("0123456789abcdef")

// snapshot is one whose numbers tell where it was taken.
func snapshot(epoch, step int) *checkpoint.Snapshot {
	x := float32(100*epoch + step)
	s := &checkpoint.Snapshot{
		Parameters: []checkpoint.Tensor{{Name: "w", Shape: []int{1, 2}, Data: []float32{x, -x}}},
		Mean:       []float32{0.25}, Std: []float32{0.5},
		Optimizer: []checkpoint.Tensor{{Name: "w.velocity", Shape: []int{2}, Data: []float32{x / 3, x / 7}}},
		State: checkpoint.State{
			Version: 1, Epoch: epoch, Step: step, StepsPerEpoch: 10, LearningRate: 0.1 / 3,
			Schedule: []byte(`{"rate":0.03333333333333333}`),
			Partial:  checkpoint.Partial{Cases: 3, Loss: 1.0 / 3},
			Curve:    make([]sweeps.EpochMetrics, epoch),
		},
	}
	if step > 4 { // else as in checkpoints from before there were memories
		s.Memories = []checkpoint.Tensor{{Name: "lstm0.hidden", Shape: []int{2, 1}, Data: []float32{x / 5, 1}}}
	}
	return s
}

func save(t *testing.T, store *storage.Store, attempt, epoch, step int) storage.Checkpoint {
	t.Helper()
	c, err := checkpoint.Save(t.Context(), store, trial, attempt, snapshot(epoch, step))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func latest(t *testing.T, store *storage.Store, maxEpochs int) *checkpoint.Snapshot {
	t.Helper()
	s, _, skipped, err := checkpoint.Latest(t.Context(), store, trial, maxEpochs, nil)
	if err != nil || len(skipped) > 0 {
		t.Fatalf("skipped %v, error %v", skipped, err)
	}
	return s
}

func TestSaveAndLatestRoundTrip(t *testing.T) {
	t.Parallel()
	store := storage.New(mem.New())
	if s := latest(t, store, 9); s != nil {
		t.Fatalf("a checkpoint from nowhere: %+v", s)
	}
	save(t, store, 1, 1, 0)
	save(t, store, 2, 1, 4)
	save(t, store, 1, 2, 0)
	save(t, store, 3, 2, 7)
	for _, c := range []struct{ budget, epoch, step int }{{9, 2, 7}, {3, 2, 7}, {2, 2, 0}, {1, 1, 0}} {
		if diff := cmp.Diff(snapshot(c.epoch, c.step), latest(t, store, c.budget)); diff != "" {
			t.Errorf("budget %d: %s", c.budget, diff)
		}
	}
	if s := latest(t, store, 0); s != nil {
		t.Errorf("a checkpoint beyond the budget: %+v", s.State)
	}
}

// Weights are the same bytes whoever saves them, and hold nothing but numbers.
func TestWeightsDoNotDependOnTheAttempt(t *testing.T) {
	t.Parallel()
	store := storage.New(mem.New())
	a, b := save(t, store, 1, 1, 0), save(t, store, 2, 1, 0)
	if a.Weights != b.Weights {
		t.Errorf("two attempts saved %v and %v", a.Weights, b.Weights)
	}
}

// unreachable fails to read some keys for reasons that may pass.
type unreachable struct {
	backend.Backend
	suffix string
}

var errAway = errors.New("connection refused")

func (u unreachable) Get(ctx context.Context, key string) (io.ReadCloser, error) {
	if strings.HasSuffix(key, u.suffix) {
		return nil, errAway
	}
	return u.Backend.Get(ctx, key)
}

// A store that is away is no reason to start from scratch.
func TestLatestDoesNotTakeTroubleForDamage(t *testing.T) {
	t.Parallel()
	for _, suffix := range []string{".json", ".safetensors", ".state"} {
		b := mem.New()
		save(t, storage.New(b), 1, 1, 0)
		_, _, _, err := checkpoint.Latest(t.Context(), storage.New(unreachable{b, suffix}), trial, 9, nil)
		if !errors.Is(err, errAway) {
			t.Errorf("%s unreachable: error = %v", suffix, err)
		}
	}
	refused := errors.New("no memory")
	store := storage.New(mem.New())
	save(t, store, 1, 1, 0)
	_, _, _, err := checkpoint.Latest(t.Context(), store, trial, 9, func(*checkpoint.Snapshot) error { return refused })
	if !errors.Is(err, refused) {
		t.Errorf("accept's own error: %v", err)
	}
}

func keys(t *testing.T, store *storage.Store) []string {
	t.Helper()
	var keys []string
	for o, err := range store.Backend().List(t.Context(), storage.CheckpointDir(trial)) {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, o.Key)
	}
	return keys
}

func TestRemoveSparesWhatOthersReferTo(t *testing.T) {
	t.Parallel()
	store := storage.New(mem.New())
	mine, theirs := save(t, store, 1, 1, 0), save(t, store, 2, 1, 0)
	if err := checkpoint.Remove(t.Context(), store, trial, mine); err != nil {
		t.Fatal(err)
	}
	if got := latest(t, store, 9); got == nil {
		t.Fatal("another attempt's checkpoint lost its weights")
	}
	result := sweeps.Result{Version: 1, Trial: trial, Epochs: 1, Attempt: 2, Status: sweeps.Completed, Checkpoint: theirs.Weights}
	if _, _, err := store.CommitResult(t.Context(), result); err != nil {
		t.Fatal(err)
	}
	if err := checkpoint.Remove(t.Context(), store, trial, theirs); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{theirs.Weights.Key}, keys(t, store)); diff != "" {
		t.Errorf("what is left: %s", diff)
	}
}

func TestPruneKeepsTheEndAndWhatResultsReferTo(t *testing.T) {
	t.Parallel()
	store := storage.New(mem.New())
	first := save(t, store, 1, 1, 0)
	save(t, store, 2, 1, 3)
	save(t, store, 2, 2, 0)
	end := save(t, store, 3, 3, 0)
	beyond := save(t, store, 4, 10, 0)
	// Left by a kill between the artifacts and their record.
	if _, err := store.PutArtifact(t.Context(), storage.CheckpointDir(trial), "2", "state", []byte("orphan")); err != nil {
		t.Fatal(err)
	}
	result := sweeps.Result{Version: 1, Trial: trial, Epochs: 1, Attempt: 1, Status: sweeps.Completed, Checkpoint: first.Weights}
	if _, _, err := store.CommitResult(t.Context(), result); err != nil {
		t.Fatal(err)
	}
	if err := checkpoint.Prune(t.Context(), store, trial, 3); err != nil {
		t.Fatal(err)
	}
	want := []string{
		first.Weights.Key,
		end.Weights.Key, end.State.Key, storage.CheckpointRecordKey(trial, 3, 3),
		beyond.Weights.Key, beyond.State.Key, storage.CheckpointRecordKey(trial, 10, 4),
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, keys(t, store)); diff != "" {
		t.Error(diff)
	}
}
