package trainer

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/storage/mem"
	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/trainer/data"
	"github.com/tenfold-ml/tenfold/trainer/data/datatest"
	"github.com/tenfold-ml/tenfold/trainer/model"
)

// smallConfig trains on datatest.Small: 500 training cases, 8 steps an epoch, the
// last of them smaller. It has everything in it that a resume must get right.
func smallConfig() sweeps.Config {
	return sweeps.Config{
		Seed: 3,
		Data: sweeps.Data{Name: "small", Validation: 100, SplitSeed: 5, Standardize: true},
		Model: sweeps.Model{
			Kind: "mlp", Hidden: []int{24, 16}, Activation: "relu",
			Init: sweeps.Init{Kind: "scaled", Scale: 1}, Dropout: sweeps.Dropout{Input: 0.1, Hidden: 0.3},
		},
		Train: sweeps.Train{
			BatchSize: 64, Epochs: 6, LearningRate: 0.1, Momentum: 0.9, ClipNorm: 0.5,
			Schedule: sweeps.Schedule{Kind: "plateau", DivideBy: 2, Patience: 1, StopBelow: 1e-9},
		},
	}
}

// newTrial puts a data set and a trial into a store.
func newTrial(t *testing.T, store *storage.Store, cfg sweeps.Config, size datatest.Size) sweeps.TrialID {
	t.Helper()
	ctx := t.Context()
	digest, err := data.Import(ctx, store, sweeps.Data{Name: datatest.Write(t, size)}, data.Source{})
	if err != nil {
		t.Fatal(err)
	}
	trial := sweeps.Trial{Config: cfg, Dataset: digest, Trainer: Identity}
	id, err := trial.ID()
	if err != nil {
		t.Fatal(err)
	}
	if err := store.PutTrial(ctx, id, trial); err != nil {
		t.Fatal(err)
	}
	return id
}

// runner runs attempts of one trial.
type runner struct {
	store   *storage.Store
	id      sweeps.TrialID
	epochs  int
	attempt int
	every   time.Duration
	threads int // 0: one
	blas    string
	// wrap is put around the network.
	wrap func(network) network
	out  bytes.Buffer
}

func newRunner(t *testing.T, cfg sweeps.Config) *runner {
	t.Helper()
	store := storage.New(mem.New())
	return &runner{store: store, id: newTrial(t, store, cfg, datatest.Small), epochs: cfg.Train.Epochs, every: -1}
}

// run makes one more attempt.
func (r *runner) run(ctx context.Context) error {
	r.attempt++
	r.out.Reset()
	o := Options{
		Store: r.store, Trial: r.id, Epochs: r.epochs, Attempt: r.attempt,
		Threads: r.threads, BLAS: r.blas, CheckpointEvery: r.every, Metrics: &r.out,
	}
	if r.wrap != nil {
		o.build = func(cfg sweeps.Model, o model.Options) (network, error) {
			n, err := model.New(cfg, o)
			if err != nil {
				return nil, err
			}
			return r.wrap(n), nil
		}
	}
	return Run(ctx, o)
}

func (r *runner) result(t *testing.T) sweeps.Result {
	t.Helper()
	res, err := r.store.Result(t.Context(), r.id, r.epochs)
	if err != nil {
		t.Fatalf("no result: %v", err)
	}
	return res
}

// events are the names of what the last attempt reported, with its lines.
func (r *runner) events(t *testing.T) (names []string, lines []map[string]any) {
	t.Helper()
	for line := range bytes.Lines(r.out.Bytes()) {
		var m map[string]any
		if err := json.Unmarshal(line, &m); err != nil {
			t.Fatalf("not a JSON line: %q", line)
		}
		lines = append(lines, m)
		names = append(names, fmt.Sprint(m["event"]))
	}
	return names, lines
}

// essence is what must not depend on how a run got to its end.
func essence(r sweeps.Result) sweeps.Result {
	r.Attempt, r.Seconds = 0, 0
	curve := make([]sweeps.EpochMetrics, len(r.Curve))
	for i, m := range r.Curve {
		m.Seconds = 0
		curve[i] = m
	}
	r.Curve = curve
	return r
}

// hooked calls back before a network's work.
type hooked struct {
	network
	onStep    func()
	onPredict func()
}

func (h *hooked) TrainStep(m model.Minibatch, step uint64) (float64, int, error) {
	if h.onStep != nil {
		h.onStep()
	}
	return h.network.TrainStep(m, step)
}

func (h *hooked) Predict(x, probs []float32) error {
	if h.onPredict != nil {
		h.onPredict()
	}
	return h.network.Predict(x, probs)
}
