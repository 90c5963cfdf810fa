package trainer

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/storage/mem"
	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/trainer/checkpoint"
	"github.com/tenfold-ml/tenfold/trainer/data"
	"github.com/tenfold-ml/tenfold/trainer/data/datatest"
	"github.com/tenfold-ml/tenfold/trainer/model"
)

// textConfig trains an lstm with carried state on a text whose windows are 8 symbols.
func textConfig(t *testing.T) sweeps.Config {
	t.Helper()
	var text bytes.Buffer
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		fmt.Fprintf(&text, "%06d\n", random.IntN(1e6))
	}
	path := filepath.Join(t.TempDir(), "text.txt")
	if err := os.WriteFile(path, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return sweeps.Config{
		Seed: 3,
		Data: sweeps.Data{Name: path, Validation: 30, Length: 8, SplitSeed: 5},
		Model: sweeps.Model{
			Kind: "lstm", Hidden: []int{12}, Activation: "tanh", ForgetBias: 1,
			Init: sweeps.Init{Kind: "scaled", Scale: 1}, Dropout: sweeps.Dropout{Hidden: 0.1},
		},
		Train: sweeps.Train{
			BatchSize: 32, Epochs: 3, LearningRate: 0.3, Momentum: 0.9, ClipNorm: 0.5, CarryState: true,
			Schedule: sweeps.Schedule{Kind: "constant"},
		},
	}
}

// newRunnerOn is newRunner with the data set that the configuration names.
func newRunnerOn(t *testing.T, cfg sweeps.Config) *runner {
	t.Helper()
	store := storage.New(mem.New())
	digest, err := data.Import(t.Context(), store, cfg.Data, data.Source{})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Data.Name = "named" // where it came from is no part of what is trained
	id := putTrial(t, store, sweeps.Trial{Config: cfg, Dataset: digest, Trainer: Identity})
	return &runner{store: store, id: id, epochs: cfg.Train.Epochs, every: -1}
}

// Wherever a run with carried state is preempted or killed, it ends in the same bits.
func TestResumeIsBitExactWithCarriedState(t *testing.T) {
	t.Parallel()
	cfg := textConfig(t)
	whole := newRunnerOn(t, cfg)
	if err := whole.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := essence(whole.result(t))
	cfg.Train.CarryState = false
	plain := newRunnerOn(t, cfg)
	if err := plain.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if plain.result(t).Curve[0].TrainLoss == want.Curve[0].TrainLoss {
		t.Fatal("carrying the state changed nothing: the test says nothing")
	}
	cfg.Train.CarryState = true
	rapid.Check(t, func(rt *rapid.T) {
		plan := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) interruption {
			return interruption{
				Calls:  rapid.IntRange(1, 24).Draw(rt, "calls"),
				Kind:   rapid.SampledFrom([]string{"preempt", "crash"}).Draw(rt, "kind"),
				Saving: rapid.Bool().Draw(rt, "saving"),
			}
		}), 1, 4).Draw(rt, "plan")
		r := newRunnerOn(t, cfg)
		interrupted(rt, r, plan)
		if diff := cmp.Diff(want, essence(r.result(t))); diff != "" {
			rt.Fatalf("a disturbed run ended otherwise:\n%s", diff)
		}
	})
}

// sequences records what a network is given, and when it forgets.
type sequences struct {
	network
	log []string
	x   [][]float32
}

func (s *sequences) TrainStep(m model.Minibatch, step uint64) (float64, int, error) {
	s.log, s.x = append(s.log, "train"), append(s.x, slices.Clone(m.X))
	return s.network.TrainStep(m, step)
}

func (s *sequences) Predict(x, predictions []float32) error {
	s.log, s.x = append(s.log, "predict"), append(s.x, slices.Clone(x))
	return s.network.Predict(x, predictions)
}

func (s *sequences) Forget() {
	s.log, s.x = append(s.log, "forget"), append(s.x, nil)
	s.network.Forget()
}

// With carried state each row goes on in the text where it was, in every epoch anew;
// the network forgets at the start of an epoch and before predicting, and at no other
// time.
func TestStreamsGoOn(t *testing.T) {
	t.Parallel()
	cfg := textConfig(t)
	r := newRunnerOn(t, cfg)
	s := &sequences{}
	r.wrap = func(n network) network { s.network = n; return s }
	if err := r.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	ds, err := data.Load(t.Context(), r.store, mustTrial(t, r).Dataset)
	if err != nil {
		t.Fatal(err)
	}
	next := map[string][]uint8{} // the window after a window
	for _, split := range []data.Split{ds.Train, ds.Test} {
		for i := 0; i+16 <= len(split.Images); i += 8 {
			window := string(split.Images[i:][:8])
			if next[window] != nil {
				t.Fatal("a window comes twice: it does not say where in the text it is")
			}
			next[window] = split.Images[i+8:][:8]
		}
	}
	var before []float32
	forgotten := 0
	for i, what := range s.log {
		x := s.x[i]
		if what == "forget" {
			forgotten++
			before = nil
			continue
		}
		if i == 0 || s.log[i-1] != what && s.log[i-1] != "forget" {
			t.Fatalf("call %d, %s, follows %s", i, what, s.log[i-1])
		}
		if before != nil && len(x) > len(before) {
			t.Fatalf("call %d has more rows than the one before", i)
		}
		for row := 0; before != nil && row*8 < len(x); row++ {
			was := make([]byte, 8)
			for j, v := range before[row*8:][:8] {
				was[j] = byte(v)
			}
			for j, want := range next[string(was)] {
				if x[row*8+j] != float32(want) {
					t.Fatalf("call %d: row %d does not go on where it was", i, row)
				}
			}
		}
		before = x
	}
	if forgotten != 3*2+1 { // each epoch's training and validation, and the test split
		t.Errorf("it forgot %d times: %v", forgotten, s.log)
	}
}

// Predictions come in the order of the cases, though they are made in that of the
// streams, and are those that the errors were measured on.
func TestPredictionsOfStreamsAreInTheOrderOfTheCases(t *testing.T) {
	t.Parallel()
	cfg := textConfig(t)
	r := newRunnerOn(t, cfg)
	if err := r.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	res := r.result(t)
	ds, err := data.Load(t.Context(), r.store, mustTrial(t, r).Dataset)
	if err != nil {
		t.Fatal(err)
	}
	_, validation, err := data.Partition(ds, cfg.Data)
	if err != nil {
		t.Fatal(err)
	}
	rows, columns, probs := predictions(t, r.store, res.ValidationPredictions)
	if rows != 30*8 || columns != ds.Classes {
		t.Fatalf("validation predictions are %d×%d", rows, columns)
	}
	e, nll := measure(probs, ds.Labels(ds.Train, validation), ds.Classes)
	if e != res.ValidationError || nll != res.ValidationNLL {
		t.Errorf("from the predictions: error %v, NLL %v; in the result %v, %v", e, nll, res.ValidationError, res.ValidationNLL)
	}
	test, err := TestMeasures(t.Context(), r.store, mustTrial(t, r), res)
	if err != nil || test.Task != NextSymbol || test.Cases != ds.Test.N || math.Abs(test.NLL-nll) > 0.5 {
		t.Errorf("on test %+v, NLL on validation %v: %v", test, nll, err)
	}
}

// A checkpoint within an epoch has the memories in its state, and none without them is
// taken for one; at an epoch's end there are none.
func TestMemoriesInCheckpoints(t *testing.T) {
	t.Parallel()
	cfg := textConfig(t)
	whole := newRunnerOn(t, cfg)
	if err := whole.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := newRunnerOn(t, cfg)
	stop := errors.New("stop")
	calls := 0
	r.wrap = func(n network) network {
		return &hooked{network: n, onStep: func() {
			if calls++; calls == 6 {
				panic(stop)
			}
		}}
	}
	if err := r.run(t.Context()); err == nil {
		t.Fatal("it was not stopped")
	}
	r.wrap = nil
	good, _, err := r.store.Checkpoints(t.Context(), r.id)
	if err != nil || good[0].Step != 5 {
		t.Fatalf("checkpoints %+v: %v", good, err)
	}
	c := good[0]
	weights, err := r.store.ReadArtifact(t.Context(), c.Weights)
	if err != nil {
		t.Fatal(err)
	}
	state, err := r.store.ReadArtifact(t.Context(), c.State)
	if err != nil {
		t.Fatal(err)
	}
	snap, err := checkpoint.Decode(weights, state)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, m := range snap.Memories {
		names = append(names, fmt.Sprint(m.Name, m.Shape))
		if slices.Max(m.Data) == 0 && slices.Min(m.Data) == 0 {
			t.Errorf("%s is zero", m.Name)
		}
	}
	if diff := cmp.Diff([]string{"lstm0.hidden[32 12]", "lstm0.cell[32 12]"}, names); diff != "" {
		t.Error(diff)
	}
	snap.Memories = nil
	if weights, state, err = snap.Encode(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.store.PutCheckpointAt(t.Context(), r.id, c.Epoch, c.Step, c.Attempt+100, weights, state); err != nil {
		t.Fatal(err)
	}
	if err := r.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, lines := r.events(t)
	if lines[0]["event"] != "warning" {
		t.Errorf("no warning about a checkpoint without memories: %v", lines[0])
	}
	if diff := cmp.Diff(essence(whole.result(t)), essence(r.result(t))); diff != "" {
		t.Error(diff)
	}
}

// Settings that do not go with the cases are the user's fault.
func TestTasksThatCannotBe(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(c *sweeps.Config){
		"train.carry_state: the cases of":  func(c *sweeps.Config) { c.Data = sweeps.Data{Name: datatest.Write(t, datatest.Small), Validation: 10} },
		"data.standardize: the inputs of ": func(c *sweeps.Config) { c.Data.Standardize = true },
		"data.augment: the inputs of ":     func(c *sweeps.Config) { c.Data.Augment.Noise = 1 },
		"the inputs are symbols":           func(c *sweeps.Config) { c.Model.Kind, c.Train.CarryState = "mlp", false },
	} {
		cfg := textConfig(t)
		change(&cfg)
		err := newRunnerOn(t, cfg).run(t.Context())
		var config *ConfigError
		if !errors.As(err, &config) || !bytes.Contains([]byte(err.Error()), []byte(want)) {
			t.Errorf("error %v, want a ConfigError with %q", err, want)
		}
	}
}

// A value's measures are those of its predictions.
func TestRunOnValues(t *testing.T) {
	t.Parallel()
	cfg := textConfig(t)
	cfg.Data = sweeps.Data{Name: "adding", Length: 6, Cases: 900, Test: 100, Validation: 100, SplitSeed: 2}
	cfg.Train = sweeps.Train{
		BatchSize: 32, Epochs: 12, LearningRate: 0.02, Optimizer: "adam", Adam: sweeps.Adam{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8},
		ClipNorm: 1, Schedule: sweeps.Schedule{Kind: "constant"},
	}
	cfg.Model.Dropout.Hidden = 0
	r := newRunnerOn(t, cfg)
	if err := r.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	res := r.result(t)
	ds, err := data.Load(t.Context(), r.store, mustTrial(t, r).Dataset)
	if err != nil {
		t.Fatal(err)
	}
	train, validation, err := data.Partition(ds, cfg.Data)
	if err != nil {
		t.Fatal(err)
	}
	moments := func(values []float32) (variance float64) {
		mean := 0.0
		for _, v := range values {
			mean += float64(v) / float64(len(values))
		}
		for _, v := range values {
			variance += (float64(v) - mean) * (float64(v) - mean) / float64(len(values))
		}
		return variance
	}
	rows, columns, values := predictions(t, r.store, res.ValidationPredictions)
	if rows != 100 || columns != 1 {
		t.Fatalf("validation predictions are %d×%d", rows, columns)
	}
	targets := ds.Targets(ds.Train, validation)
	mse := 0.0
	for i, v := range values {
		mse += (float64(v) - float64(targets[i])) * (float64(v) - float64(targets[i])) / 100
	}
	if !res.Values || math.Abs(res.ValidationNLL-mse) > 1e-9 || math.Abs(res.ValidationError-mse/moments(targets)) > 1e-9 || res.ValidationError > 0.2 {
		t.Errorf("error %v and NLL %v, by hand %v and %v", res.ValidationError, res.ValidationNLL, mse/moments(targets), mse)
	}
	last := res.Curve[len(res.Curve)-1]
	if want := last.TrainLoss / moments(ds.Targets(ds.Train, train)); math.Abs(last.TrainError-want) > 1e-9 {
		t.Errorf("train error %v, want %v", last.TrainError, want)
	}
	if _, lines := r.events(t); lines[0]["task"] != "values" {
		t.Errorf("start event %v", lines[0])
	}
}

// Several labels a case count each.
func TestRunOnSeveralLabels(t *testing.T) {
	t.Parallel()
	cfg := textConfig(t)
	cfg.Data = sweeps.Data{Name: "sorting", Bits: 2, Numbers: 3, Cases: 50, Test: 10, Validation: 10, SplitSeed: 2}
	cfg.Model.Kind, cfg.Train.CarryState, cfg.Train.LearningRate = "mlp", false, 1e-9
	r := newRunnerOn(t, cfg)
	if err := r.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	res := r.result(t)
	rows, columns, _ := predictions(t, r.store, res.TestPredictions)
	if rows != 10*6 || columns != 2 {
		t.Errorf("test predictions are %d×%d, want 60×2", rows, columns)
	}
	m := res.Curve[0]
	if math.Abs(m.TrainLoss-math.Ln2) > 0.4 || m.TrainError < 0.2 || m.TrainError > 0.8 || math.Abs(m.ValidationNLL-math.Ln2) > 0.4 {
		t.Errorf("an untrained network has %+v, want about ln 2 and a half, per label", m)
	}
}
