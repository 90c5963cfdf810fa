package ensemble_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/sweeps/ensemble"
	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "write the golden files")

func artifact(key string) sweeps.Artifact {
	return sweeps.Artifact{Key: key, SHA256: strings.Repeat("ab", 32), Bytes: 1234}
}

func candidate(id sweeps.TrialID, verr float64, seed uint64) ensemble.Candidate {
	dir := "trials/" + string(id)
	return ensemble.NewCandidate(sweeps.Result{
		Version: 1, Trial: id, Epochs: 20, Attempt: 7, Status: sweeps.Completed,
		ValidationError: verr, ValidationNLL: verr / 2, Seconds: 12.5,
		Checkpoint:            artifact(dir + "/checkpoints/20-abababababababab.safetensors"),
		ValidationPredictions: artifact(dir + "/predictions/20/validation-abababababababab.npy"),
		TestPredictions:       artifact(dir + "/predictions/20/test-abababababababab.npy"),
	}, seed, []sweeps.Setting{
		{Path: "model.hidden", Value: []any{512.0, 512.0}},
		{Path: "seed", Value: seed},
		{Path: "train.learning_rate", Value: 0.1},
	})
}

// example has three members, each of which errs on another validation case.
func example() ensemble.Input {
	row := func(right bool, sure float32) []float32 {
		if right {
			return []float32{sure, 1 - sure}
		}
		return []float32{1 - sure, sure}
	}
	rows := func(rights ...bool) []float32 {
		var out []float32
		for _, r := range rights {
			out = append(out, row(r, map[bool]float32{true: 0.75, false: 0.625}[r])...)
		}
		return out
	}
	return ensemble.Input{
		Sweep: "demo-0123abcd", SpecSHA256: strings.Repeat("cd", 32), Dataset: "sha256:" + strings.Repeat("ef", 32),
		Trainer: "tenfold-mlp/1", Strategy: ensemble.TopKStrategy, Size: 3, SplitSeed: 9,
		Members: []ensemble.Candidate{candidate("bbbb", 0.25, 1), candidate("aaaa", 0.25, 2), candidate("cccc", 0, 3)},
		Labels:  &ensemble.Labels{Classes: 2, Validation: []int32{0, 0, 0, 0}, Test: []int32{0, 0, 0, 0}},
		Predictions: map[sweeps.TrialID]ensemble.Predictions{
			"aaaa": {Validation: rows(false, true, true, true), Test: rows(false, true, true, false)},
			"bbbb": {Validation: rows(true, false, true, true), Test: rows(true, false, true, true)},
			"cccc": {Validation: rows(true, true, true, true), Test: rows(true, true, false, false)},
		},
	}
}

// TestManifest pins the manifest's bytes: they are compared between sweeps.
func TestManifest(t *testing.T) {
	t.Parallel()
	m, averages, err := ensemble.Build(example())
	if err != nil {
		t.Fatal(err)
	}
	got, err := m.JSON()
	if err != nil {
		t.Fatal(err)
	}
	const golden = "testdata/manifest.json"
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(averages.Validation) != 8 || len(averages.Test) != 8 {
		t.Errorf("averages of %d and %d", len(averages.Validation), len(averages.Test))
	}
	for _, word := range []string{"attempt", "second", "host", "12.5", "time"} {
		if bytes.Contains(got, []byte(word)) {
			t.Errorf("%q is in the manifest", word)
		}
	}

	parsed, err := ensemble.ParseManifest(got)
	if err != nil {
		t.Fatal(err)
	}
	again, err := parsed.JSON()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(again, got) {
		t.Errorf("read and written again:\n%s", again)
	}
}

func TestManifestDoesNotDependOnTheOrder(t *testing.T) {
	t.Parallel()
	build := func(t *rapid.T, in ensemble.Input) string {
		m, a, err := ensemble.Build(in)
		if err != nil {
			t.Fatal(err)
		}
		b, err := m.JSON()
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("%s%x%x", b, a.Validation, a.Test)
	}
	rapid.Check(t, func(t *rapid.T) {
		in := example()
		d := draw(t)
		in.Labels = &ensemble.Labels{Classes: d.classes, Validation: d.labels, Test: drawLabels(t, d.cases, d.classes)}
		in.Members = nil
		clear(in.Predictions)
		for i, m := range d.members {
			id := sweeps.TrialID(rune('a' + i))
			in.Members = append(in.Members, candidate(id, mustMeasure(t, m, d).Error, 1))
			in.Predictions[id] = ensemble.Predictions{Validation: m, Test: drawProbs(t, d.cases, d.classes)}
		}
		one := build(t, in)
		in.Members = rapid.Permutation(in.Members).Draw(t, "order")
		if other := build(t, in); one != other {
			t.Fatalf("%s\n%s", one, other)
		}
	})
}

func TestTopKIgnoresTheOrder(t *testing.T) {
	t.Parallel()
	diverged := candidate("dddd", 0, 4)
	diverged.Status = sweeps.Diverged
	in := append(example().Members, diverged)
	var ids []sweeps.TrialID
	for _, c := range ensemble.TopK(in, 2) {
		ids = append(ids, c.ID)
		if c.Seed == 0 || c.Checkpoint.Key == "" {
			t.Errorf("%+v lost what it had", c)
		}
	}
	if diff := cmp.Diff([]sweeps.TrialID{"cccc", "aaaa"}, ids); diff != "" {
		t.Error(diff)
	}
	if got := ensemble.TopK(nil, 3); len(got) != 0 {
		t.Errorf("%v of nothing", got)
	}
}

func TestWithoutLabelsNothingIsMeasured(t *testing.T) {
	t.Parallel()
	in := example()
	in.Labels, in.Predictions = nil, nil
	m, averages, err := ensemble.Build(in)
	if err != nil {
		t.Fatal(err)
	}
	if m.Measured != nil || averages != nil || m.Members[0].Test != nil || len(m.Members) != 3 {
		t.Errorf("%+v, %v", m, averages)
	}
	b, err := m.JSON()
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(b, []byte("measured")) || bytes.Contains(b, []byte(`"test":`)) {
		t.Errorf("%s", b)
	}
}

func TestBuildRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		spoil func(*ensemble.Input)
		says  string
	}{
		{"no members", func(in *ensemble.Input) { in.Members = nil }, "an ensemble needs at least one member"},
		{"a diverged member", func(in *ensemble.Input) { in.Members[1].Status = sweeps.Diverged },
			"trial aaaa: it is diverged with a validation error of 0.25 and cannot be a member"},
		{"a member twice", func(in *ensemble.Input) { in.Members[2] = in.Members[0] }, "trial bbbb: it is a member twice"},
		{"missing predictions", func(in *ensemble.Input) { delete(in.Predictions, "bbbb") }, "trial bbbb: its predictions are missing"},
		{"other cases", func(in *ensemble.Input) { in.Members[1].ValidationError = 1 },
			"validation predictions of trial aaaa: they give a validation error of 0.2500, but the committed result says 1.0000"},
		{"a row that is none", func(in *ensemble.Input) { in.Predictions["bbbb"].Test[3] = 7 },
			"test predictions of trial bbbb: row 1 has 7 for class 1, which is no probability"},
		{"too few rows", func(in *ensemble.Input) {
			p := in.Predictions["bbbb"]
			p.Validation = p.Validation[:6]
			in.Predictions["bbbb"] = p
		}, "validation predictions of trial bbbb: 3 rows, want 4"},
		{"a bad label", func(in *ensemble.Input) { in.Labels.Test[2] = 5 }, "test predictions of trial cccc: the label of case 2 is 5, want 0 to 1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			in := example()
			tt.spoil(&in)
			m, _, err := ensemble.Build(in)
			if m != nil || err == nil || err.Error() != tt.says {
				t.Errorf("%v, want %q", err, tt.says)
			}
			var member *ensemble.MemberError
			if !errors.As(err, &member) && !errors.Is(err, ensemble.ErrNoMembers) {
				t.Errorf("%T is not typed", err)
			}
		})
	}
}

func TestParseManifestRefuses(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "{", "[]", `{"version":2,"members":[{}]}`, `{"version":1}`} {
		if _, err := ensemble.ParseManifest([]byte(s)); !errors.Is(err, ensemble.ErrManifest) {
			t.Errorf("%q: %v", s, err)
		}
	}
}
