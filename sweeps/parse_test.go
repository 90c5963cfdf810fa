package sweeps

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func mustParse(t testing.TB, src string) Spec {
	t.Helper()
	spec, err := Parse("spec.yaml", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

// Each file of testdata/good parses to the spec beside it, defaults filled in.
func TestParseGoodSpecs(t *testing.T) {
	t.Parallel()
	for _, file := range testdata(t, "good/*.yaml") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			spec := mustParse(t, string(src))
			raw, err := json.MarshalIndent(spec, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			golden(t, strings.TrimSuffix(file, ".yaml")+".json", string(raw)+"\n")
			written, err := spec.YAML()
			if err != nil {
				t.Fatal(err)
			}
			golden(t, strings.TrimSuffix(file, ".yaml")+".out", string(written))
		})
	}
}

func TestParseDefaults(t *testing.T) {
	t.Parallel()
	spec := mustParse(t, "version: 1\nname: demo\nseed: 9\nparameters: {train.clip_norm: {min: 1, max: 32, count: 32}}\n")
	want := Config{
		Seed:  9,
		Data:  Data{Name: "mnist", Validation: 10_000, SplitSeed: 9, Standardize: true},
		Model: Model{Kind: "mlp", Hidden: []int{512, 512}, Activation: "relu", Init: Init{Kind: "scaled", Scale: 1}},
		Train: Train{BatchSize: 128, Epochs: 20, LearningRate: 0.1, Momentum: 0.9, ClipNorm: 15,
			Schedule: Schedule{Kind: "plateau", DivideBy: 2, Patience: 2, StopBelow: 1e-5}},
	}
	if diff := cmp.Diff(want, spec.Config); diff != "" {
		t.Errorf("config (-want +got):\n%s", diff)
	}
	if spec.Ensemble != (Ensemble{Size: 10, Strategy: "top_k"}) || spec.MaxFailedTrials != 3 || spec.NoProgress.Std() != 10*time.Minute {
		t.Errorf("got %+v, %d, %v", spec.Ensemble, spec.MaxFailedTrials, spec.NoProgress)
	}
	if spec.Retries != (Retries{Infra: 5, Preempted: 100}) || spec.Parallelism != 4 || spec.Search.MaxTrials != 10_000 {
		t.Errorf("got %+v, %d, %+v", spec.Retries, spec.Parallelism, spec.Search)
	}
}

func TestParseDependentDefaults(t *testing.T) {
	t.Parallel()
	optimizer := func(s Spec) any { // what is about it
		return Train{Optimizer: s.Train.Optimizer, LearningRate: s.Train.LearningRate, Momentum: s.Train.Momentum, Nesterov: s.Train.Nesterov, Adam: s.Train.Adam}
	}
	for _, test := range []struct {
		name, src string
		got       func(Spec) any
		want      any
	}{
		{"fewer trials than members", "parameters: {seed: {values: [1, 2, 3]}}", func(s Spec) any { return s.Ensemble.Size }, 3},
		{"one trial", "", func(s Spec) any { return s.Ensemble.Size }, 1},
		{"no ensemble of a custom trainer", "trainer: {command: [x]}", func(s Spec) any { return s.Ensemble.Size }, 0},
		{"an ensemble when asked", "trainer: {command: [x]}\nensemble: {size: 1}", func(s Spec) any { return s.Ensemble.Size }, 1},
		{"normal init", "model: {init: {kind: normal}}", func(s Spec) any { return s.Model.Init.Scale }, 0.02},
		{"normal init, scaled", "model: {init: {kind: normal, scale: 3}}", func(s Spec) any { return s.Model.Init.Scale }, 3.0},
		{"sign init", "model: {init: {kind: sign}}", func(s Spec) any { return s.Model.Init }, Init{Kind: "sign", Scale: 1, Bias: 2}},
		{"sign init without biases", "model: {init: {kind: sign, bias: 0}}", func(s Spec) any { return s.Model.Init.Bias }, 0.0},
		{"he init", "model: {init: {kind: he}}", func(s Spec) any { return s.Model.Init }, Init{Kind: "he", Scale: 1}},
		{"adam", "train: {optimizer: adam, adam: {beta2: 0.99}}", optimizer, Train{Optimizer: "adam", LearningRate: 0.001, Adam: Adam{0.9, 0.99, 1e-8}}},
		{"adam with a rate", "train: {optimizer: adam, learning_rate: 1}", func(s Spec) any { return s.Train.LearningRate }, 1.0},
		{"sgd", "train: {optimizer: sgd, nesterov: true}", optimizer, Train{LearningRate: 0.1, Momentum: 0.9, Nesterov: true}},
		{"nesterov without momentum", "train: {nesterov: true, momentum: 0}", optimizer, Train{LearningRate: 0.1}},
		{
			"both optimizers", "train: {learning_rate: 0.1}\nparameters: {train.optimizer: {values: [adam, sgd]}}",
			optimizer, Train{LearningRate: 0.1, Momentum: 0.9, Adam: Adam{0.9, 0.999, 1e-8}},
		},
		{"limit", "data: {limit: 600}", func(s Spec) any { return s.Data.Validation }, 100},
		{"small limit", "data: {limit: 3}", func(s Spec) any { return s.Data.Validation }, 1},
		{"split seed", "seed: 1\ndata: {split_seed: 0}", func(s Spec) any { return s.Data.SplitSeed }, uint64(0)},
		{"constant", "train: {schedule: {kind: constant}}", func(s Spec) any { return s.Train.Schedule }, Schedule{Kind: "constant"}},
		{"no failures of a small sweep", "", func(s Spec) any { return s.MaxFailedTrials }, 0},
		{"failures of a large sweep", "parameters: {seed: {min: 1, max: 1000, count: 1000}}", func(s Spec) any { return s.MaxFailedTrials }, 10},
		{"failures when given", "max_failed_trials: 2", func(s Spec) any { return s.MaxFailedTrials }, 2},
		{"empty sections", "data:\nconfig:\ntrainer:\nparameters:\n", func(s Spec) any { return s.Data.Name }, "mnist"},
		{"custom trainer has nothing built in", "trainer: {command: [x]}", func(s Spec) any { return s.Config }, Config{Train: Train{Epochs: 20}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := test.got(mustParse(t, "version: 1\nname: demo\n"+test.src+"\n"))
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseBounds(t *testing.T) {
	t.Parallel()
	for name, src := range map[string]string{
		"too large":     "# " + strings.Repeat("x", maxSource),
		"not UTF-8":     "version: 1\nname: \xff\n",
		"binary":        "\x7fELF\x01",
		"deep lists":    strings.Repeat("[", maxSource/2),
		"deep mappings": strings.Repeat("{a: ", maxSource/8),
		"deep blocks": func() string {
			var b strings.Builder
			for i := range 300 {
				b.WriteString(strings.Repeat(" ", i) + "a:\n")
			}
			return b.String()
		}(),
	} {
		if _, err := Parse("spec.yaml", []byte(src)); !errors.As(err, new(*SpecError)) {
			t.Errorf("%s: got %v, want a SpecError", name, err)
		}
	}
}

// A byte-order mark, as some editors write it, changes nothing.
func TestParseByteOrderMark(t *testing.T) {
	t.Parallel()
	if got := mustParse(t, "\ufeffversion: 1\nname: demo\n"); got.Name != "demo" {
		t.Errorf("got %+v", got)
	}
}

func TestSpecErrorBoundsItsProblems(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("version: 1\nname: demo\n")
	for i := range 200 {
		fmt.Fprintf(&b, "nonsense%d: 1\n", i)
	}
	src := b.String()
	_, err := Parse("spec.yaml", []byte(src))
	var specError *SpecError
	if !errors.As(err, &specError) || len(specError.Problems) != maxProblems {
		t.Fatalf("got %v", err)
	}
	if !strings.HasSuffix(err.Error(), "(and 180 more problems)") {
		t.Errorf("got %q", err)
	}
}

// A spec is the same after being written as YAML or JSON and read back, whatever
// is in it, and its trials and its name do not depend on the order of keys.
func TestSpecRoundTrips(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		tree := drawSpec(t)
		src := render(t, tree)
		spec, err := Parse("spec.yaml", []byte(src))
		if err != nil {
			t.Fatalf("Parse: %v\n%s", err, src)
		}
		written, err := spec.YAML()
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse("spec.yaml", written)
		if err != nil {
			t.Fatalf("Parse(YAML): %v\n%s", err, written)
		}
		if diff := cmp.Diff(spec, again); diff != "" {
			t.Fatalf("YAML changed the spec (-before +after):\n%s\n%s", diff, written)
		}
		raw, err := json.Marshal(spec)
		if err != nil {
			t.Fatal(err)
		}
		var decoded Spec
		if err := json.Unmarshal(raw, &decoded); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(spec, decoded); diff != "" {
			t.Fatalf("JSON changed the spec (-before +after):\n%s", diff)
		}
		shuffled, err := Parse("other.yaml", []byte(render(t, tree)))
		if err != nil {
			t.Fatal(err)
		}
		if SweepID(shuffled) != SweepID(spec) || SweepID(decoded) != SweepID(spec) {
			t.Fatalf("the sweep's ID depends on the order of keys: %s, %s", SweepID(spec), SweepID(shuffled))
		}
	})
}

// Parse never panics, and what it accepts survives being written.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"good/*.yaml", "bad/*.yaml"} {
		files, err := filepath.Glob(filepath.Join("testdata", pattern))
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files {
			src, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(src)
		}
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		spec, err := Parse("spec.yaml", src)
		if err != nil {
			if !errors.As(err, new(*SpecError)) {
				t.Fatalf("got %T: %v", err, err)
			}
			return
		}
		written, err := spec.YAML()
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse("spec.yaml", written)
		if err != nil {
			t.Fatalf("Parse(YAML): %v\n%s", err, written)
		}
		if diff := cmp.Diff(spec, again); diff != "" {
			t.Fatalf("YAML changed the spec (-before +after):\n%s\n%s", diff, written)
		}
	})
}
