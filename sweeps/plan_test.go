package sweeps

import (
	"encoding/json"
	"errors"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/tenfold-ml/tenfold/sweeps/space"
)

const demoSpec = `
version: 1
name: demo
parameters:
  train.learning_rate: {min: 0.001, max: 1, scale: log, count: 4}
  train.epochs: {min: 2, max: 8, count: 3}
  model.hidden: {values: [[32], [64, 16]]}
  seed: {values: [1, 2]}
`

func mustPlan(t testing.TB, spec Spec) *Plan {
	t.Helper()
	plan, err := NewPlan(spec, "sha256:00", "tenfold/1")
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

func TestPlan(t *testing.T) {
	t.Parallel()
	plan := mustPlan(t, mustParse(t, demoSpec))
	if got := plan.Len(); got != 48 {
		t.Fatalf("got %d trials", got)
	}
	// Sorted by path, the last varies fastest.
	for i, want := range map[int][]Setting{
		0:  {{"model.hidden", []int{32}}, {"seed", uint64(1)}, {"train.epochs", 2}, {"train.learning_rate", 0.001}},
		1:  {{"model.hidden", []int{32}}, {"seed", uint64(1)}, {"train.epochs", 2}, {"train.learning_rate", 0.01}},
		4:  {{"model.hidden", []int{32}}, {"seed", uint64(1)}, {"train.epochs", 5}, {"train.learning_rate", 0.001}},
		47: {{"model.hidden", []int{64, 16}}, {"seed", uint64(2)}, {"train.epochs", 8}, {"train.learning_rate", 1.0}},
	} {
		if diff := cmp.Diff(want, plan.Settings(i)); diff != "" {
			t.Errorf("settings of trial %d (-want +got):\n%s", i, diff)
		}
	}
	_, trial, err := plan.Trial(47)
	if err != nil {
		t.Fatal(err)
	}
	want := mustParse(t, "version: 1\nname: other\nseed: 2\ndata: {split_seed: 0}\nmodel: {hidden: [64, 16]}\ntrain: {epochs: 8, learning_rate: 1}\n").Config
	if diff := cmp.Diff(Trial{Config: want, Dataset: "sha256:00", Trainer: "tenfold/1"}, trial); diff != "" {
		t.Errorf("trial 47 (-want +got):\n%s", diff)
	}
}

func TestPlanOfACustomTrainer(t *testing.T) {
	t.Parallel()
	spec := mustParse(t, `
version: 1
name: demo
trainer: {command: [python, train.py]}
config: {net: {layers: 1, kind: a}, free: [1]}
parameters:
  config.net.layers: {min: 1, max: 3, count: 3}
  config.free: {values: [[1, {x: 2}], text, null]}
  train.epochs: {values: [1, 2]}
`)
	plan := mustPlan(t, spec)
	_, trial, err := plan.Trial(plan.Len() - 1)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"net": map[string]any{"layers": 3.0, "kind": "a"}, "free": nil}
	if diff := cmp.Diff(Config{Custom: want, Train: Train{Epochs: 2}}, trial.Config); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	raw, err := CanonicalJSON(trial.Config)
	if got := string(raw); err != nil || got != `{"config":{"free":null,"net":{"kind":"a","layers":3}},"seed":0,"train":{"epochs":2}}` {
		t.Errorf("got %s, %v", got, err)
	}
	// A trial is its caller's: changing it changes neither plan nor spec.
	_, first, err := plan.Trial(0)
	if err != nil {
		t.Fatal(err)
	}
	first.Config.Custom["net"].(map[string]any)["layers"] = "changed"
	first.Config.Custom["free"].([]any)[1].(map[string]any)["x"] = "changed"
	_, again, err := plan.Trial(0)
	if err != nil {
		t.Fatal(err)
	}
	want = map[string]any{"net": map[string]any{"layers": 1.0, "kind": "a"}, "free": []any{1.0, map[string]any{"x": 2.0}}}
	if diff := cmp.Diff(want, again.Config.Custom); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := plan.Spec().Custom["net"].(map[string]any)["layers"]; got != 1.0 {
		t.Errorf("the spec has changed to %v", got)
	}
}

// A schedule without effect does not tell trials apart, and one that a swept
// kind needs is not lost.
func TestPlanSweepsTheSchedule(t *testing.T) {
	t.Parallel()
	base := "version: 1\nname: demo\nparameters: {train.schedule.kind: {values: [constant, plateau]}}\n"
	for name, src := range map[string]string{"plateau": base, "constant": base + "train: {schedule: {kind: constant}}\n", "other": base + "train: {schedule: {patience: 7}}\n"} {
		plan := mustPlan(t, mustParse(t, src))
		_, constant, err := plan.Trial(0)
		if err != nil || constant.Config.Train.Schedule != (Schedule{Kind: "constant"}) {
			t.Errorf("%s: got %+v, %v", name, constant.Config.Train.Schedule, err)
		}
		_, plateau, err := plan.Trial(1)
		if err != nil || plateau.Config.Train.Schedule.DivideBy != 2 || plateau.Config.Train.Schedule.Patience == 0 {
			t.Errorf("%s: got %+v, %v", name, plateau.Config.Train.Schedule, err)
		}
	}
}

func TestPlanRefusesIndices(t *testing.T) {
	t.Parallel()
	plan := mustPlan(t, mustParse(t, demoSpec))
	for _, i := range []int{-1, 48, math.MaxInt} {
		if _, _, err := plan.Trial(i); !errors.Is(err, ErrNoSuchTrial) {
			t.Errorf("trial %d: got %v", i, err)
		}
		if got := plan.Settings(i); got != nil {
			t.Errorf("settings of trial %d: got %v", i, got)
		}
	}
}

// Specs that did not come from Parse give errors, not panics.
func TestPlanRefusesBadSpecs(t *testing.T) {
	t.Parallel()
	for name, parameters := range map[string]map[string]space.Parameter{
		"path":      {"train.speed": {Values: []any{1.0}}},
		"section":   {"train": {Values: []any{1.0}}},
		"parameter": {"train.epochs": {}},
	} {
		if _, err := NewPlan(Spec{Name: "demo", Parameters: parameters}, "", ""); err == nil || !strings.Contains(err.Error(), "plan the sweep demo") {
			t.Errorf("%s: got %v", name, err)
		}
	}
	for name, value := range map[string]any{"type": "text", "range": 0.0, "whole": 1.5, "Go type": struct{}{}} {
		plan, err := NewPlan(Spec{Parameters: map[string]space.Parameter{"train.epochs": {Values: []any{value}}}}, "", "")
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := plan.Trial(0); err == nil || !strings.Contains(err.Error(), "train.epochs") {
			t.Errorf("%s: got %v", name, err)
		}
	}
	nan := Spec{Config: Config{Train: Train{ClipNorm: math.NaN()}}}
	if _, _, err := mustPlan(t, nan).Trial(0); err == nil {
		t.Error("a trial with a NaN has an ID")
	}
}

// The points of a grid are distinct trials, the same from JSON, and independent
// of the sweep that they are in.
func TestPlanTrialsAreDistinct(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		tree := drawSpec(t)
		spec, err := Parse("spec.yaml", []byte(render(t, tree)))
		if err != nil {
			t.Fatal(err)
		}
		plan, err := NewPlan(spec, "sha256:00", "tenfold/1")
		if err != nil {
			t.Fatal(err)
		}
		raw, err := json.Marshal(spec)
		if err != nil {
			t.Fatal(err)
		}
		var decoded Spec
		if err := json.Unmarshal(raw, &decoded); err != nil {
			t.Fatal(err)
		}
		decoded.Name, decoded.Parallelism, decoded.Ensemble.Size = "another", 7, 1
		other, err := NewPlan(decoded, "sha256:00", "tenfold/1")
		if err != nil {
			t.Fatal(err)
		}
		seen := map[TrialID]int{}
		for i := range min(plan.Len(), 300) {
			id, trial, err := plan.Trial(i)
			if err != nil || !id.Valid() {
				t.Fatalf("trial %d: %s, %v", i, id, err)
			}
			if before, repeated := seen[id]; repeated {
				t.Fatalf("trials %d and %d are both %s", before, i, id)
			}
			seen[id] = i
			if same, _, err := other.Trial(i); err != nil || same != id {
				t.Fatalf("trial %d is %s in one sweep and %s, %v in another", i, id, same, err)
			}
			var stored Trial
			if raw, err := CanonicalJSON(trial); err != nil || json.Unmarshal(raw, &stored) != nil {
				t.Fatal(err)
			}
			if again, err := stored.ID(); err != nil || again != id {
				t.Fatalf("trial %d is %s, and %s, %v after being stored", i, id, again, err)
			}
		}
	})
}

// A trial depends on everything that its training does.
func TestTrialIDsDependOnAll(t *testing.T) {
	t.Parallel()
	spec := mustParse(t, "version: 1\nname: demo\n")
	seen := map[TrialID]string{}
	for _, other := range []struct{ dataset, trainer, spec string }{
		{"a", "t", ""}, {"b", "t", ""}, {"a", "u", ""}, {"a", "t", "seed: 1"}, {"a", "t", "data: {standardize: false}"}, {"a", "t", "model: {init: {scale: 2}}"}, {"a", "t", "train: {momentum: 0}"},
	} {
		if other.spec != "" {
			spec = mustParse(t, "version: 1\nname: demo\n"+other.spec)
		}
		plan, err := NewPlan(spec, other.dataset, other.trainer)
		if err != nil {
			t.Fatal(err)
		}
		id, _, err := plan.Trial(0)
		if err != nil || seen[id] != "" {
			t.Errorf("%+v: %s, %v", other, id, err)
		}
		seen[id] = other.spec + "."
	}
}

// A plan's memory does not depend on its size.
func TestPlanIsLazy(t *testing.T) {
	t.Parallel()
	spec := mustParse(t, "version: 1\nname: demo\nsearch: {max_trials: 1000000000}\nparameters:\n  seed: {min: 1, max: 1000, count: 1000}\n  train.clip_norm: {min: 1, max: 1000, count: 1000}\n  model.dropout.input: {min: 0, max: 0.9, count: 1000}\n")
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	plan := mustPlan(t, spec)
	if _, _, err := plan.Trial(plan.Len() - 1); err != nil || plan.Len() != 1e9 {
		t.Fatalf("%d trials, %v", plan.Len(), err)
	}
	runtime.ReadMemStats(&after)
	// Other tests run at the same time; a plan that listed its trials would take gigabytes.
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 100<<20 {
		t.Errorf("the heap has grown by %d bytes", grown)
	}
	runtime.KeepAlive(plan)
}

func BenchmarkPlanTrial(b *testing.B) {
	plan := mustPlan(b, mustParse(b, demoSpec))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, _, err := plan.Trial(i % plan.Len()); err != nil {
			b.Fatal(err)
		}
	}
}
