package ensemble

import (
	"errors"
	"fmt"
	"math"

	"github.com/tenfold-ml/tenfold/sweeps"
)

// TopKStrategy is the name of the strategy that [TopK] implements.
const TopKStrategy = "top_k"

// tolerance is how far the validation error of a member's predictions may be
// from the committed one: the most probable class of rounded probabilities may
// decide a few ties differently, while predictions of other cases are off by much.
func tolerance(cases int) float64 { return max(0.002, 1.5/float64(max(cases, 1))) }

// Candidate is a finished trial that may become a member.
type Candidate struct {
	sweeps.Scored
	Settings []sweeps.Setting
	// Seed of the trial's config, and the epochs that its result is for.
	Seed   uint64
	Epochs int

	Checkpoint            sweeps.Artifact
	ValidationPredictions sweeps.Artifact
	TestPredictions       sweeps.Artifact
}

// NewCandidate makes a candidate of a trial and its committed result.
func NewCandidate(r sweeps.Result, seed uint64, settings []sweeps.Setting) Candidate {
	return Candidate{
		Scored: sweeps.Scored{
			ID: r.Trial, Status: r.Status,
			ValidationError: r.ValidationError, ValidationNLL: r.ValidationNLL,
		},
		Settings: settings, Seed: seed, Epochs: r.Epochs,
		Checkpoint:            r.Checkpoint,
		ValidationPredictions: r.ValidationPredictions,
		TestPredictions:       r.TestPredictions,
	}
}

// TopK returns the k candidates that [sweeps.Select] selects, best first. The
// order in which they are given does not matter.
func TopK(candidates []Candidate, k int) []Candidate {
	scored := make([]sweeps.Scored, len(candidates))
	byID := make(map[sweeps.TrialID]Candidate, len(candidates))
	for i, c := range candidates {
		scored[i] = c.Scored
		byID[c.ID] = c
	}
	var out []Candidate
	for _, s := range sweeps.Select(scored, k) {
		out = append(out, byID[s.ID])
	}
	return out
}

// Predictions of one trial: probabilities, row-major, [cases, classes].
type Predictions struct {
	Validation, Test []float32
}

// Labels of the cases in the order of the predictions' rows.
type Labels struct {
	Classes          int
	Validation, Test []int32
}

// Input is all that [Build] makes a manifest of.
type Input struct {
	Sweep      string
	SpecSHA256 string
	Dataset    string
	Trainer    string
	Strategy   string
	Size       int
	SplitSeed  uint64
	// Members as chosen, in any order.
	Members []Candidate
	// Labels are nil where they are not known; then nothing is measured, and
	// Predictions is not read.
	Labels *Labels
	// Predictions of every member.
	Predictions map[sweeps.TrialID]Predictions
}

// Averages are the ensemble's predictions, [cases, classes].
type Averages struct {
	Validation, Test []float64
}

// Build ranks the members, averages their predictions with equal weights, and
// measures the members and the average. It checks what it is given: errors are
// [ErrNoMembers], or a [*MemberError] around what is wrong with a member
// ([*ShapeError], [*RowError], [*MismatchError], …). The averages are nil without
// labels.
func Build(in Input) (*Manifest, *Averages, error) {
	if len(in.Members) == 0 {
		return nil, nil, ErrNoMembers
	}
	ranked := TopK(in.Members, len(in.Members))
	if len(ranked) != len(in.Members) {
		return nil, nil, notAMember(in.Members)
	}
	m := &Manifest{
		Version: ManifestVersion, Sweep: in.Sweep, SpecSHA256: in.SpecSHA256,
		Dataset: in.Dataset, Trainer: in.Trainer, Strategy: in.Strategy, Size: in.Size,
		BestSingle: Single{Trial: ranked[0].ID, ValidationError: ranked[0].ValidationError},
	}
	for i, c := range ranked {
		m.Members = append(m.Members, Member{
			Rank: i + 1, Trial: c.ID, Settings: c.Settings, Seed: c.Seed, Epochs: c.Epochs,
			Weight:          1 / float64(len(ranked)),
			ValidationError: c.ValidationError, ValidationNLL: c.ValidationNLL,
			Checkpoint:            c.Checkpoint,
			ValidationPredictions: c.ValidationPredictions, TestPredictions: c.TestPredictions,
		})
	}
	if in.Labels == nil {
		return m, nil, nil
	}
	m.Split = Split{
		Seed: in.SplitSeed, Classes: in.Labels.Classes,
		Validation: len(in.Labels.Validation), Test: len(in.Labels.Test),
	}
	averages, err := m.measure(*in.Labels, in.Predictions)
	if err != nil {
		return nil, nil, err
	}
	return m, averages, nil
}

// notAMember finds the reason why not every one of the chosen can be selected.
func notAMember(members []Candidate) error {
	seen := map[sweeps.TrialID]bool{}
	for _, c := range members {
		if seen[c.ID] {
			return &MemberError{Trial: c.ID, Err: errors.New("it is a member twice")}
		}
		seen[c.ID] = true
		if len(sweeps.Select([]sweeps.Scored{c.Scored}, 1)) == 0 {
			return &MemberError{Trial: c.ID, Err: fmt.Errorf("it is %s with a validation error of %v and cannot be a member", c.Status, c.ValidationError)}
		}
	}
	return ErrNoMembers // not reached: a loss has one of these reasons
}

// measure fills in the measures of the members and the ensemble.
func (m *Manifest) measure(labels Labels, predictions map[sweeps.TrialID]Predictions) (*Averages, error) {
	var validation, test [][]float32
	m.Measured = &Measured{MinMemberTestError: math.Inf(1)}
	for i := range m.Members {
		x := &m.Members[i]
		p, ok := predictions[x.Trial]
		if !ok {
			return nil, &MemberError{Trial: x.Trial, Err: errors.New("its predictions are missing")}
		}
		v, err := checkedMeasure(x.Trial, "validation predictions", p.Validation, labels.Classes, labels.Validation)
		if err != nil {
			return nil, err
		}
		if math.Abs(v.Error-x.ValidationError) > tolerance(len(labels.Validation)) {
			return nil, &MemberError{Trial: x.Trial, Part: "validation predictions", Err: &MismatchError{Committed: x.ValidationError, Computed: v.Error}}
		}
		t, err := checkedMeasure(x.Trial, "test predictions", p.Test, labels.Classes, labels.Test)
		if err != nil {
			return nil, err
		}
		x.Test = &t
		m.Measured.MeanMemberTestError += t.Error
		m.Measured.MinMemberTestError = min(m.Measured.MinMemberTestError, t.Error)
		validation, test = append(validation, p.Validation), append(test, p.Test)
	}
	m.Measured.MeanMemberTestError /= float64(len(m.Members))
	m.Measured.BestSingleTestError = m.Members[0].Test.Error

	var a Averages
	for _, x := range []struct {
		name    string
		members [][]float32
		labels  []int32
		mean    *[]float64
		into    *Measures
	}{
		{"validation", validation, labels.Validation, &a.Validation, &m.Measured.Validation},
		{"test", test, labels.Test, &a.Test, &m.Measured.Test},
	} {
		var err error
		if *x.mean, err = Average(x.members); err != nil {
			return nil, fmt.Errorf("average the %s predictions: %w", x.name, err)
		}
		if *x.into, err = Measure(*x.mean, labels.Classes, x.labels); err != nil {
			return nil, fmt.Errorf("measure the ensemble on %s: %w", x.name, err)
		}
	}
	return &a, nil
}

func checkedMeasure(id sweeps.TrialID, part string, probs []float32, classes int, labels []int32) (Measures, error) {
	if err := Check(probs, classes); err != nil {
		return Measures{}, &MemberError{Trial: id, Part: part, Err: err}
	}
	m, err := Measure(probs, classes, labels)
	if err != nil {
		return Measures{}, &MemberError{Trial: id, Part: part, Err: err}
	}
	return m, nil
}
