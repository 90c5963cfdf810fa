package activities_test

import (
	"fmt"
	"testing"

	"github.com/tenfold-ml/tenfold/activities/contract"
	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/sweeps/ensemble"
	"github.com/tenfold-ml/tenfold/trainer/data"
)

// custom is a sweep of three trials of a trainer that brings its own data.
type custom struct {
	*stage
	in  contract.AssembleInput
	ids []sweeps.TrialID
}

func newCustom(t *testing.T) *custom {
	t.Helper()
	spec := parse(t, `
version: 1
name: custom
trainer: {command: [no-such-program]}
train: {epochs: 2}
parameters: {seed: {values: [1, 2, 3]}}
ensemble: {size: 3}
`)
	c := &custom{stage: newStage(t, never), in: contract.AssembleInput{Sweep: "custom-12345678", Spec: spec}}
	c.run(contract.PrepareActivity, contract.PrepareInput{Sweep: c.in.Sweep, Spec: spec}, &c.in.Prepare)
	plan, err := sweeps.NewPlan(spec, "", c.in.Prepare.Trainer)
	if err != nil {
		t.Fatal(err)
	}
	for i := range plan.Len() {
		id, _, err := plan.Trial(i)
		if err != nil {
			t.Fatal(err)
		}
		c.ids = append(c.ids, id)
	}
	return c
}

// leave commits the result of trial i with such files; change may be nil.
func (c *custom) leave(i int, validationError float64, files map[string][]byte, change func(*sweeps.Result)) {
	c.t.Helper()
	r := sweeps.Result{Version: 1, Trial: c.ids[i], Epochs: 2, Attempt: 1, Status: sweeps.Completed, ValidationError: validationError}
	for name, into := range map[string]*sweeps.Artifact{
		"validation": &r.ValidationPredictions, "test": &r.TestPredictions,
		"validation_labels": &r.ValidationLabels, "test_labels": &r.TestLabels,
	} {
		if files[name] == nil {
			continue
		}
		var err error
		if *into, err = c.store.PutArtifact(c.t.Context(), storage.PredictionsDir(c.ids[i], 2), name, "npy", files[name]); err != nil {
			c.t.Fatal(err)
		}
	}
	if change != nil {
		change(&r)
	}
	if _, _, err := c.store.CommitResult(c.t.Context(), r); err != nil {
		c.t.Fatal(err)
	}
}

// predicted are the files of a trial that is right about all of three cases but one.
func predicted(wrong int) map[string][]byte {
	rows := []float32{0.8, 0.2, 0.8, 0.2, 0.8, 0.2}
	rows[2*wrong], rows[2*wrong+1] = 0.4, 0.6
	p := data.EncodeNPY([]int{3, 2}, rows)
	labels := data.EncodeNPY([]int{3}, []int32{0, 0, 0})
	return map[string][]byte{"validation": p, "test": p, "validation_labels": labels, "test_labels": labels}
}

func (c *custom) manifest() *ensemble.Manifest {
	c.t.Helper()
	var out contract.AssembleOutput
	c.run(contract.AssembleActivity, c.in, &out)
	b, err := c.store.ReadArtifact(c.t.Context(), out.Manifest)
	if err != nil {
		c.t.Fatal(err)
	}
	m, err := ensemble.ParseManifest(b)
	if err != nil {
		c.t.Fatal(err)
	}
	return m
}

// Trainers that leave their labels are averaged and measured: here each is wrong about
// another case, and the average about none.
func TestAssembleOwnLabels(t *testing.T) {
	t.Parallel()
	c := newCustom(t)
	for i := range c.ids {
		c.leave(i, 1.0/3, predicted(i), nil)
	}
	m := c.manifest()
	if want := (ensemble.Split{Validation: 3, Test: 3, Classes: 2}); m.Split != want || len(m.Members) != 3 {
		t.Errorf("%d members, split %+v, want %+v", len(m.Members), m.Split, want)
	}
	if m.Measured == nil || m.Measured.Test.Error != 0 || m.Measured.MinMemberTestError != 1.0/3 {
		t.Errorf("measured %+v", m.Measured)
	}
	var reported contract.ReportOutput
	c.run(contract.ReportActivity, contract.ReportInput{Sweep: c.in.Sweep, Spec: c.in.Spec, Prepare: c.in.Prepare}, &reported)
}

func TestAssembleOwnValues(t *testing.T) {
	t.Parallel()
	c := newCustom(t)
	values := func(v ...float32) []byte { return data.EncodeNPY([]int{len(v) / 2, 2}, v) }
	for i, d := range []float32{-1, 0, 1} {
		p := values(1+d, 2, 3, 6+d)
		labels := values(1, 2, 3, 6)
		// The variance of the four is 3.5, and the mean squared error half of d².
		c.leave(i, float64(d*d)/7, map[string][]byte{"validation": p, "test": p, "validation_labels": labels, "test_labels": labels},
			func(r *sweeps.Result) { r.Values = true })
	}
	m := c.manifest()
	if want := (ensemble.Split{Validation: 2, Test: 2, Outputs: 2}); m.Split != want {
		t.Errorf("split %+v, want %+v", m.Split, want)
	}
	if m.Measured == nil || m.Measured.Test.NLL != 0 || m.Measured.MeanMemberTestError == 0 {
		t.Errorf("measured %+v", m.Measured)
	}
}

// Without labels there is an ensemble, and nothing to say about it.
func TestAssembleWithoutOwnLabels(t *testing.T) {
	t.Parallel()
	c := newCustom(t)
	for i := range c.ids {
		c.leave(i, 0.5, nil, nil)
	}
	if m := c.manifest(); len(m.Members) != 3 || m.Measured != nil {
		t.Errorf("%d members, measured %+v", len(m.Members), m.Measured)
	}
}

func TestAssembleOwnLabelsFailures(t *testing.T) {
	t.Parallel()
	other := data.EncodeNPY([]int{3}, []int32{0, 0, 1})
	for name, tc := range map[string]struct {
		files  func(map[string][]byte)
		change func(*sweeps.Result)
		says   string
	}{
		"other validation cases": {func(f map[string][]byte) { f["validation_labels"] = other }, nil, "predictions of different validation cases cannot be averaged"},
		"other test cases":       {func(f map[string][]byte) { f["test_labels"] = other }, nil, "predictions of different test cases cannot be averaged"},
		"one without":            {func(f map[string][]byte) { delete(f, "test_labels"); delete(f, "validation_labels") }, nil, "has left no labels, and trial"},
		"one split":              {func(f map[string][]byte) { delete(f, "test_labels") }, nil, "has labels for one split only"},
		"values":                 {nil, func(r *sweeps.Result) { r.Values = true }, "predicts values, and trial"},
		"another error":          {nil, func(r *sweeps.Result) { r.ValidationError = 0.9 }, "they give a validation error of 0.3333, but the committed result says 0.9000"},
		"other classes":          {func(f map[string][]byte) { f["test"] = data.EncodeNPY([]int{3, 1}, []float32{1, 1, 1}) }, nil, "its shape is (3, 1), want (3, 2)"},
		"no predictions":         {func(f map[string][]byte) { delete(f, "test") }, nil, "its result names none"},
		"nowhere":                {nil, func(r *sweeps.Result) { r.ValidationLabels.Key += "x"; r.ValidationPredictions.Key += "x" }, "is missing from the store"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCustom(t)
			for i := range c.ids {
				files, change := predicted(i), tc.change
				if i < 2 {
					change = nil
				} else if tc.files != nil {
					tc.files(files)
				}
				c.leave(i, 1.0/3, files, change)
			}
			wantFailure(t, c.try(contract.AssembleActivity, c.in, nil), true, tc.says, fmt.Sprint(c.ids[2]))
		})
	}
}
