package trainer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/sbinet/npyio/npy"

	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/storage/backend"
	"github.com/tenfold-ml/tenfold/storage/mem"
	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/trainer/checkpoint"
	"github.com/tenfold-ml/tenfold/trainer/data"
	"github.com/tenfold-ml/tenfold/trainer/data/datatest"
	"github.com/tenfold-ml/tenfold/trainer/model"
)

// predictions reads an .npy artifact with somebody else's reader.
func predictions(t *testing.T, store *storage.Store, a sweeps.Artifact) (rows, columns int, values []float32) {
	t.Helper()
	b, err := store.ReadArtifact(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	r, err := npy.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Read(&values); err != nil {
		t.Fatal(err)
	}
	shape := r.Header.Descr.Shape
	if len(shape) != 2 || r.Header.Descr.Type != "<f4" || r.Header.Descr.Fortran {
		t.Fatalf("header %+v", r.Header)
	}
	return shape[0], shape[1], values
}

func TestRunLearnsAndCommits(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	cfg := smallConfig()
	r := newRunner(t, cfg)
	if err := r.run(ctx); err != nil {
		t.Fatal(err)
	}
	res := r.result(t)
	if res.Status != sweeps.Completed || res.Attempt != 1 || len(res.Curve) != 6 || res.Note != "" {
		t.Errorf("result %+v", res)
	}
	if want := 64*24 + 24 + 24*16 + 16 + 16*4 + 4; res.Weights != want {
		t.Errorf("%d weights, want %d", res.Weights, want)
	}
	if res.ValidationError > 0.05 {
		t.Errorf("validation error %v after 6 epochs, want at most 0.05", res.ValidationError)
	}
	last := res.Curve[5]
	if last.ValidationError != res.ValidationError || last.ValidationNLL != res.ValidationNLL {
		t.Error("the result is not that of the last epoch")
	}
	for i, m := range res.Curve {
		if m.Epoch != i+1 || m.Seconds <= 0 || m.GradientNorm <= 0 || m.LearningRate <= 0 || len(m.UpdateRatio) != 6 {
			t.Errorf("metrics of epoch %d: %+v", i+1, m)
		}
	}
	if res.Curve[0].Clipped == 0 || res.Curve[0].Clipped > 1 {
		t.Errorf("clipped share %v: the limit of %v should have been met", res.Curve[0].Clipped, cfg.Train.ClipNorm)
	}

	// The predictions are the ones that the errors were measured on.
	ds, err := data.LoadLabels(ctx, r.store, mustTrial(t, r).Dataset)
	if err != nil {
		t.Fatal(err)
	}
	_, validation, err := data.Partition(ds, cfg.Data)
	if err != nil {
		t.Fatal(err)
	}
	rows, columns, probs := predictions(t, r.store, res.ValidationPredictions)
	if rows != 100 || columns != 4 {
		t.Fatalf("validation predictions are %dx%d", rows, columns)
	}
	e, nll := measure(probs, ds.Labels(ds.Train, validation), 4)
	if e != res.ValidationError || nll != res.ValidationNLL {
		t.Errorf("from the predictions: error %v, NLL %v; in the result %v, %v", e, nll, res.ValidationError, res.ValidationNLL)
	}
	rows, columns, test := predictions(t, r.store, res.TestPredictions)
	if rows != 150 || columns != 4 {
		t.Fatalf("test predictions are %dx%d", rows, columns)
	}
	if e, _ := measure(test, ds.Labels(ds.Test, nil), 4); e > 0.1 {
		t.Errorf("test error %v", e)
	}
	for i := 0; i < len(test); i += 4 {
		if sum := float64(test[i] + test[i+1] + test[i+2] + test[i+3]); math.Abs(sum-1) > 1e-5 {
			t.Fatalf("row %d of the predictions sums to %v", i/4, sum)
		}
	}

	// The checkpoint can predict by itself.
	b, err := r.store.ReadArtifact(ctx, res.Checkpoint)
	if err != nil {
		t.Fatal(err)
	}
	weights, err := checkpoint.DecodeWeights(b)
	if err != nil {
		t.Fatal(err)
	}
	net, err := model.New(cfg.Model, model.Options{Inputs: 64, Classes: 4, BatchSize: 64, Seed: 99, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := net.Close(); err != nil {
			t.Error(err)
		}
	}()
	for i, p := range net.Params() {
		copy(p.Value, weights.Parameters[i].Data)
	}
	full, err := data.Load(ctx, r.store, ds.Digest)
	if err != nil {
		t.Fatal(err)
	}
	x := make([]float32, 150*64)
	data.NewBatches(full.Test, nil, data.NewStandardizer(weights.Mean, weights.Std), 150).Fill(0, x, nil, nil)
	again := make([]float32, 150*4)
	if err := net.Predict(x, again); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(test, again) {
		t.Error("the network from the checkpoint predicts something else")
	}

	names, lines := r.events(t)
	if names[0] != "start" || names[len(names)-1] != "end" || slices.Index(names, "epoch") < 0 {
		t.Errorf("events %v", names)
	}
	if got := lines[len(lines)-1]; got["committed"] != true || got["status"] != "completed" {
		t.Errorf("end event %v", got)
	}
	stored, err := r.store.ReadAll(ctx, storage.MetricsKey(r.id, 1))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(stored, r.out.Bytes()) {
		t.Error("the stored metrics are not those that were printed")
	}
	// Of the checkpoints only the final one is left.
	good, bad, err := r.store.Checkpoints(ctx, r.id)
	if err != nil || len(bad) != 0 || len(good) != 1 || good[0].Epoch != 6 || good[0].Weights != res.Checkpoint {
		t.Errorf("checkpoints %v, %v, %v", good, bad, err)
	}
	if n := countKeys(t, r.store, storage.CheckpointDir(r.id)); n != 3 {
		t.Errorf("%d objects of checkpoints are left, want record, weights and state", n)
	}
}

// The real data: enough of them to see that they are read and learnt right.
func TestRunOnMNIST(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("imports MNIST; not with -short")
	}
	store := storage.New(mem.New())
	digest, err := data.Import(t.Context(), store, sweeps.Data{Name: "mnist"}, data.Source{MNISTDir: datatest.MNIST(t)})
	if err != nil {
		t.Fatal(err)
	}
	cfg := smallConfig()
	cfg.Data = sweeps.Data{Name: "mnist", Validation: 1000, Limit: 4000, SplitSeed: 1}
	cfg.Model.Hidden, cfg.Model.Dropout = []int{64}, sweeps.Dropout{}
	cfg.Train.LearningRate, cfg.Train.ClipNorm, cfg.Train.Epochs = 0.05, 15, 3
	r := &runner{store: store, epochs: 3, id: putTrial(t, store, sweeps.Trial{Config: cfg, Dataset: digest, Trainer: Identity})}
	if err := r.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	res := r.result(t)
	if res.ValidationError > 0.13 {
		t.Errorf("validation error %v after 3 epochs of 3,000 cases, want at most 0.13", res.ValidationError)
	}
	ds, err := data.LoadLabels(t.Context(), store, digest)
	if err != nil {
		t.Fatal(err)
	}
	_, _, probs := predictions(t, store, res.TestPredictions)
	if e, _ := measure(probs, ds.Labels(ds.Test, nil), 10); e > 0.15 {
		t.Errorf("test error %v, want at most 0.15", e)
	}
}

func mustTrial(t *testing.T, r *runner) sweeps.Trial {
	t.Helper()
	trial, err := r.store.Trial(t.Context(), r.id)
	if err != nil {
		t.Fatal(err)
	}
	return trial
}

func countKeys(t *testing.T, store *storage.Store, prefix string) int {
	t.Helper()
	n := 0
	for _, err := range store.Backend().List(t.Context(), prefix) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}

// Whoever comes after the result finds it, and trains nothing.
func TestRunFindsTheCommittedResult(t *testing.T) {
	t.Parallel()
	r := newRunner(t, smallConfig())
	if err := r.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := r.result(t)
	r.wrap = func(network) network { t.Error("a network was built"); return nil }
	if err := r.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, r.result(t)); diff != "" {
		t.Error(diff)
	}
	names, lines := r.events(t)
	if !slices.Equal(names, []string{"end"}) || lines[0]["committed"] != false {
		t.Errorf("events %v: %v", names, lines)
	}
}

func TestConcurrentAttemptsCommitOneResult(t *testing.T) {
	t.Parallel()
	r := newRunner(t, smallConfig())
	var wg sync.WaitGroup
	errs := make([]error, 4)
	outs := make([]bytes.Buffer, 4)
	for i := range errs {
		wg.Go(func() {
			errs[i] = Run(t.Context(), Options{
				Store: r.store, Trial: r.id, Epochs: r.epochs, Attempt: i + 1, CheckpointEvery: 1, Metrics: &outs[i],
			})
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	winners := 0
	for i := range outs {
		if bytes.Contains(outs[i].Bytes(), []byte(`"committed":true`)) {
			winners++
		}
	}
	if winners != 1 {
		t.Errorf("%d attempts committed the result", winners)
	}
	alone := newRunner(t, smallConfig())
	if err := alone.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(essence(alone.result(t)), essence(r.result(t))); diff != "" {
		t.Error(diff)
	}
	if _, err := r.store.ReadArtifact(t.Context(), r.result(t).Checkpoint); err != nil {
		t.Errorf("the weights that the result names: %v", err)
	}
}

func TestDivergenceIsAResult(t *testing.T) {
	t.Parallel()
	cfg := smallConfig()
	cfg.Train.LearningRate, cfg.Train.ClipNorm = 1e30, 0
	r := newRunner(t, cfg)
	if err := r.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	res := r.result(t)
	if res.Status != sweeps.Diverged || res.ValidationError != 1 || res.ValidationNLL != 0 {
		t.Errorf("result %+v", res)
	}
	if !strings.HasPrefix(res.Note, "diverged: in epoch 1, after ") {
		t.Errorf("note %q", res.Note)
	}
	if (res.Checkpoint != sweeps.Artifact{} || res.TestPredictions != sweeps.Artifact{}) {
		t.Error("a diverged run has artifacts")
	}
}

func TestTheScheduleStopsARun(t *testing.T) {
	t.Parallel()
	cfg := smallConfig()
	cfg.Train.Schedule.StopBelow = cfg.Train.LearningRate * 0.9 // at the first division
	cfg.Train.Epochs = 50
	r := newRunner(t, cfg)
	if err := r.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	res := r.result(t)
	if n := len(res.Curve); n >= 50 || n < 2 || res.Epochs != 50 || res.Status != sweeps.Completed {
		t.Errorf("%d epochs of %d, %s", n, res.Epochs, res.Status)
	}
	if !strings.Contains(res.Note, "the learning rate fell to 0.05, below 0.09") {
		t.Errorf("note %q", res.Note)
	}
}

// The test split decides nothing: with other test images, everything but their
// predictions is the same.
func TestTheTestSplitDecidesNothing(t *testing.T) {
	t.Parallel()
	var results [2]sweeps.Result
	for i := range results {
		size := datatest.Small
		size.Poison = i == 1
		store := storage.New(mem.New())
		r := &runner{store: store, id: newTrial(t, store, smallConfig(), size), epochs: 6}
		if err := r.run(t.Context()); err != nil {
			t.Fatal(err)
		}
		results[i] = essence(r.result(t))
	}
	a, b := results[0], results[1]
	if a.Trial == b.Trial || a.TestPredictions.SHA256 == b.TestPredictions.SHA256 {
		t.Fatal("the two data sets are the same: the test would not notice anything")
	}
	if a.Checkpoint.SHA256 != b.Checkpoint.SHA256 {
		t.Error("test images changed the weights")
	}
	if diff := cmp.Diff(a.Curve, b.Curve); diff != "" {
		t.Errorf("test images changed the curve: %s", diff)
	}
}

func TestErrorsAndTheirExitCodes(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	change := func(f func(*sweeps.Config)) func(*testing.T) Options {
		return func(t *testing.T) Options {
			cfg := smallConfig()
			f(&cfg)
			r := newRunner(t, cfg)
			return Options{Store: r.store, Trial: r.id, Epochs: 6, Attempt: 1}
		}
	}
	for name, c := range map[string]struct {
		options func(t *testing.T) Options
		code    int
		want    string
	}{
		"no epochs":  {func(t *testing.T) Options { o := change(func(*sweeps.Config) {})(t); o.Epochs = 0; return o }, ExitConfig, "epochs: 0"},
		"no attempt": {func(t *testing.T) Options { o := change(func(*sweeps.Config) {})(t); o.Attempt = 0; return o }, ExitConfig, "attempt: 0"},
		"no trial": {func(t *testing.T) Options {
			o := change(func(*sweeps.Config) {})(t)
			o.Trial = "0123456789abcdef"
			return o
		}, ExitConfig, "there is no trial 0123456789abcdef in the store mem:"},
		"batch size": {change(func(c *sweeps.Config) { c.Train.BatchSize = 0 }), ExitConfig, "train.batch_size: 0"},
		"rate":       {change(func(c *sweeps.Config) { c.Train.LearningRate = -1 }), ExitConfig, "train.learning_rate: -1"},
		"momentum":   {change(func(c *sweeps.Config) { c.Train.Momentum = 1 }), ExitConfig, "train.momentum: 1"},
		"clip":       {change(func(c *sweeps.Config) { c.Train.ClipNorm = -1 }), ExitConfig, "train.clip_norm: -1"},
		"schedule":   {change(func(c *sweeps.Config) { c.Train.Schedule.Kind = "cosine" }), ExitConfig, "\"cosine\" is not available yet"},
		"divide_by":  {change(func(c *sweeps.Config) { c.Train.Schedule.DivideBy = 0.5 }), ExitConfig, "divide_by: 0.5"},
		"patience":   {change(func(c *sweeps.Config) { c.Train.Schedule.Patience = 0 }), ExitConfig, "patience: 0"},
		"model":      {change(func(c *sweeps.Config) { c.Model.Kind = "transformer" }), ExitConfig, "\"transformer\" is not available yet"},
		"convolution": {change(func(c *sweeps.Config) {
			c.Model.Kind, c.Model.Conv = "convnet", []sweeps.ConvLayer{{Channels: 2, Kernel: 99, Stride: 1}}
		}), ExitConfig, "conv: layer 1: a kernel of 99 does not fit planes of"},
		"validation":  {change(func(c *sweeps.Config) { c.Data.Validation = 600 }), ExitConfig, "data.validation is 600, and must be from 1 to 599"},
		"no data set": {missingDataset, ExitData, "is not in the store mem:"},
		"bad digest":  {badDigest, ExitConfig, "is not the digest of a data set"},
		"corrupt data": {func(t *testing.T) Options {
			o := change(func(*sweeps.Config) {})(t)
			for obj, err := range o.Store.Backend().List(ctx, "datasets") {
				if err != nil {
					t.Fatal(err)
				}
				if strings.Contains(obj.Key, "train-labels") {
					if err := o.Store.PutAll(ctx, obj.Key, []byte("x")); err != nil {
						t.Fatal(err)
					}
				}
			}
			return o
		}, ExitData, "train-labels-idx1-ubyte"},
		"corrupt config": {func(t *testing.T) Options {
			o := change(func(*sweeps.Config) {})(t)
			if err := o.Store.PutAll(ctx, storage.TrialConfigKey(o.Trial), []byte("{}")); err != nil {
				t.Fatal(err)
			}
			return o
		}, ExitConfig, "config.json"},
		"another trainer's": {func(t *testing.T) Options {
			o := change(func(*sweeps.Config) {})(t)
			o.Trial = putTrial(t, o.Store, sweeps.Trial{Config: smallConfig(), Trainer: "tenfold/999"})
			return o
		}, ExitConfig, `is for the trainer "tenfold/999", and this is "` + Identity + `"`},
		"corrupt result": {func(t *testing.T) Options {
			o := change(func(*sweeps.Config) {})(t)
			if err := o.Store.PutAll(ctx, storage.ResultKey(o.Trial, 6), []byte("{")); err != nil {
				t.Fatal(err)
			}
			return o
		}, ExitFailure, "results/6.json"},
		"a panic": {func(t *testing.T) Options {
			o := change(func(*sweeps.Config) {})(t)
			o.build = func(cfg sweeps.Model, mo model.Options) (network, error) {
				n, err := model.New(cfg, mo)
				return &hooked{network: n, onStep: func() { _ = cfg.Hidden[len(cfg.Hidden)] }}, err
			}
			return o
		}, ExitPanic, "internal error at trainer/run_test.go:"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := Run(ctx, c.options(t))
			if err == nil {
				t.Fatal("no error")
			}
			if got := ExitCode(err); got != c.code {
				t.Errorf("exit code %d, want %d, of: %v", got, c.code, err)
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("error = %q, want %q", err, c.want)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q has more than one line", err)
			}
		})
	}
	if ExitCode(nil) != 0 || ExitCode(errors.New("x")) != 1 || ExitCode(ErrPreempted) != 75 ||
		ExitCode(errors.Join(backend.ErrPermission, backend.ErrExpired)) != ExitFailure {
		t.Error("exit codes of the simple cases")
	}
}

func putTrial(t *testing.T, store *storage.Store, trial sweeps.Trial) sweeps.TrialID {
	t.Helper()
	id, err := trial.ID()
	if err != nil {
		t.Fatal(err)
	}
	if err := store.PutTrial(t.Context(), id, trial); err != nil {
		t.Fatal(err)
	}
	return id
}

func missingDataset(t *testing.T) Options {
	store := storage.New(mem.New())
	id := putTrial(t, store, sweeps.Trial{Config: smallConfig(), Dataset: data.MNISTDigest, Trainer: Identity})
	return Options{Store: store, Trial: id, Epochs: 1, Attempt: 1}
}

func badDigest(t *testing.T) Options {
	store := storage.New(mem.New())
	id := putTrial(t, store, sweeps.Trial{Config: smallConfig(), Dataset: "mnist", Trainer: Identity})
	return Options{Store: store, Trial: id, Epochs: 1, Attempt: 1}
}

// refuser is a store that has no room for some keys.
type refuser struct {
	backend.Backend
	refuse func(key string) bool
}

func (f *refuser) PutIfAbsent(ctx context.Context, key string, r io.Reader) error {
	if f.refuse(key) {
		return fmt.Errorf("put %s: %w", key, backend.ErrFull)
	}
	return f.Backend.PutIfAbsent(ctx, key, r)
}

func TestAFullStoreCostsOnlyCheckpoints(t *testing.T) {
	t.Parallel()
	r := newRunner(t, smallConfig())
	refusing := &refuser{Backend: r.store.Backend(), refuse: func(key string) bool {
		return path.Dir(key) == storage.CheckpointDir(r.id) && !strings.HasPrefix(path.Base(key), "6")
	}}
	r.store = storage.New(refusing)
	if err := r.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	names, lines := r.events(t)
	i := slices.Index(names, "warning")
	if i < 0 || !strings.Contains(lines[i]["message"].(string), "no space left") {
		t.Errorf("no warning that names the cause: %v", lines)
	}
	if r.result(t).Status != sweeps.Completed {
		t.Error("the run did not complete")
	}
	// Without room for the final weights there is no result.
	r2 := newRunner(t, smallConfig())
	r2.store = storage.New(&refuser{Backend: r2.store.Backend(), refuse: func(key string) bool {
		return path.Dir(key) == storage.CheckpointDir(r2.id)
	}})
	err := r2.run(t.Context())
	if !errors.Is(err, backend.ErrFull) || ExitCode(err) != ExitStore {
		t.Errorf("error = %v", err)
	}
	if _, err := r2.store.Result(t.Context(), r2.id, 6); !errors.Is(err, backend.ErrNotFound) {
		t.Errorf("a result without weights: %v", err)
	}
}
