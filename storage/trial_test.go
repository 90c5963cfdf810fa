package storage_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/storage/backend"
	"github.com/tenfold-ml/tenfold/storage/mem"
	"github.com/tenfold-ml/tenfold/sweeps"
)

// testTrial is a trial with something in every kind of field, and its ID.
func testTrial(t *testing.T) (sweeps.Trial, sweeps.TrialID) {
	t.Helper()
	trial := sweeps.Trial{
		Config: sweeps.Config{
			Seed:   1<<53 - 1,
			Data:   sweeps.Data{Name: "mnist", Validation: 10_000, Standardize: true},
			Model:  sweeps.Model{Kind: "mlp", Hidden: []int{512, 512}, Activation: "relu", Init: sweeps.Init{Kind: "scaled", Scale: 0.1}},
			Train:  sweeps.Train{BatchSize: 128, Epochs: 20, LearningRate: 0.030000000000000002, Momentum: 0.9},
			Custom: map[string]any{"name": "<ä&>", "layers": []any{1.0, 2.5e-7, map[string]any{"b": true, "a": nil}}},
		},
		Dataset: "sha256:00",
		Trainer: "tenfold/1",
	}
	id, err := trial.ID()
	if err != nil {
		t.Fatal(err)
	}
	return trial, id
}

func TestTrialRoundTrip(t *testing.T) {
	t.Parallel()
	s := newStore()
	trial, id := testTrial(t)
	if _, err := s.Trial(t.Context(), id); !errors.Is(err, backend.ErrNotFound) {
		t.Errorf("Trial before PutTrial: %v, want ErrNotFound", err)
	}
	for range 2 {
		if err := s.PutTrial(t.Context(), id, trial); err != nil {
			t.Fatalf("PutTrial: %v", err)
		}
	}
	got, err := s.Trial(t.Context(), id)
	if err != nil {
		t.Fatalf("Trial: %v", err)
	}
	if diff := cmp.Diff(trial, got); diff != "" {
		t.Errorf("the trial has changed on the way (-want +got):\n%s", diff)
	}
	canonical, err := sweeps.CanonicalJSON(trial)
	if err != nil {
		t.Fatal(err)
	}
	if b := read(t, s, storage.TrialConfigKey(id)); !bytes.Equal(b, canonical) {
		t.Errorf("config.json is not the canonical JSON:\n%s\n%s", b, canonical)
	}
}

func TestPutTrialRefuses(t *testing.T) {
	t.Parallel()
	s := newStore()
	trial, id := testTrial(t)
	if err := s.PutTrial(t.Context(), trialA, trial); !errors.Is(err, storage.ErrInvalid) {
		t.Errorf("PutTrial under another ID: %v, want ErrInvalid", err)
	}
	trial.Config.Custom["bad"] = func() {}
	if err := s.PutTrial(t.Context(), id, trial); !errors.Is(err, storage.ErrInvalid) {
		t.Errorf("PutTrial of what has no JSON: %v, want ErrInvalid", err)
	}
	for o, err := range s.Backend().List(t.Context(), "") {
		t.Errorf("PutTrial has left %v, %v", o, err)
	}
}

func TestTrialCorrupt(t *testing.T) {
	t.Parallel()
	s := newStore()
	trial, id := testTrial(t)
	key := storage.TrialConfigKey(id)
	if err := s.PutTrial(t.Context(), id, trial); err != nil {
		t.Fatal(err)
	}
	good := read(t, s, key)
	damages := map[string]func([]byte) []byte{
		"edited": func(b []byte) []byte { return bytes.Replace(b, []byte("0.9"), []byte("0.8"), 1) },
	}
	for name, damage := range corruptions {
		damages[name] = damage
	}
	for name, damage := range damages {
		bad := damage(good)
		put(t, s, key, bad)
		_, err := s.Trial(t.Context(), id)
		wantCorrupt(t, "Trial, "+name, key, err)
		wantCorrupt(t, "PutTrial over "+name, key, s.PutTrial(t.Context(), id, trial))
		if !bytes.Equal(read(t, s, key), bad) {
			t.Errorf("%s: PutTrial has overwritten something", name)
		}
	}
}

// TestPutTrialDeletedMeanwhile has the object vanish between two calls.
func TestPutTrialDeletedMeanwhile(t *testing.T) {
	t.Parallel()
	trial, id := testTrial(t)
	s := newStore(mem.WithFault(failOn(mem.OpPutIfAbsent, "", backend.ErrExists)))
	if err := s.PutTrial(t.Context(), id, trial); !errors.Is(err, backend.ErrNotFound) {
		t.Errorf("PutTrial: %v, want ErrNotFound", err)
	}
}
