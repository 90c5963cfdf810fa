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
func tolerance(labels int) float64 { return max(0.002, 1.5/float64(max(labels, 1))) }

// Agree says whether a validation error that was computed from predictions, for so many
// labels or values, may be that of the committed result.
func Agree(computed, committed float64, labels int) bool {
	return math.Abs(computed-committed) <= tolerance(labels)*max(computed, 1)
}

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
	// Labels that the trial has left itself, of values if Values is set; zero where they
	// are the data set's.
	Values           bool
	ValidationLabels sweeps.Artifact
	TestLabels       sweeps.Artifact
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
		Values:                r.Values,
		ValidationLabels:      r.ValidationLabels,
		TestLabels:            r.TestLabels,
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

// Predictions of one trial, row-major: probabilities, [cases · labels, classes], or
// values, [cases, outputs].
type Predictions struct {
	Validation, Test []float32
}

// Labels are what the cases ask for, in the order of the predictions.
type Labels struct {
	// Classes is 0 where cases ask for values.
	Classes int
	// Outputs is the number of labels or values of a case; 0 counts as 1.
	Outputs          int
	Validation, Test []int32
	// The values, where there are no labels.
	ValidationValues, TestValues []float32
}

// part is one split of labels.
type part struct {
	classes, outputs int
	labels           []int32
	values           []float32
}

func (l Labels) validation() part {
	return part{l.Classes, max(l.Outputs, 1), l.Validation, l.ValidationValues}
}

func (l Labels) test() part { return part{l.Classes, max(l.Outputs, 1), l.Test, l.TestValues} }

// asked is how many labels or values there are.
func (p part) asked() int {
	if p.classes == 0 {
		return len(p.values)
	}
	return len(p.labels)
}

func (p part) cases() int { return p.asked() / p.outputs }

// Shape is the shape of predictions of all of the labels or values of a split.
type Shape struct {
	Rows, Columns int
	// Axes says what they are: "cases and classes".
	Axes string
}

// ValidationShape is what predictions for the validation cases must have.
func (l Labels) ValidationShape() Shape { return l.validation().shape() }

// TestShape is what predictions for the test cases must have.
func (l Labels) TestShape() Shape { return l.test().shape() }

func (p part) shape() Shape {
	switch {
	case p.classes == 0:
		return Shape{p.cases(), p.outputs, "cases and values"}
	case p.outputs > 1:
		return Shape{p.asked(), p.classes, "labels and classes"}
	default:
		return Shape{p.asked(), p.classes, "cases and classes"}
	}
}

// check looks for what cannot be a prediction.
func (p part) check(predictions []float32) error {
	if p.classes == 0 {
		return CheckValues(predictions, p.outputs)
	}
	return Check(predictions, p.classes)
}

func measurePart[T Real](p part, predictions []T) (Measures, error) {
	if p.classes == 0 {
		return MeasureValues(predictions, p.values)
	}
	return Measure(predictions, p.classes, p.labels)
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

// Averages are the ensemble's predictions, of the members' shape.
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
		Validation: in.Labels.validation().cases(), Test: in.Labels.test().cases(),
	}
	if in.Labels.Outputs > 1 {
		m.Split.Outputs = in.Labels.Outputs
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
		v, err := checkedMeasure(x.Trial, "validation predictions", p.Validation, labels.validation())
		if err != nil {
			return nil, err
		}
		if !Agree(v.Error, x.ValidationError, labels.validation().asked()) {
			return nil, &MemberError{Trial: x.Trial, Part: "validation predictions", Err: &MismatchError{Committed: x.ValidationError, Computed: v.Error}}
		}
		t, err := checkedMeasure(x.Trial, "test predictions", p.Test, labels.test())
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
		asked   part
		mean    *[]float64
		into    *Measures
	}{
		{"validation", validation, labels.validation(), &a.Validation, &m.Measured.Validation},
		{"test", test, labels.test(), &a.Test, &m.Measured.Test},
	} {
		var err error
		if *x.mean, err = Average(x.members); err != nil {
			return nil, fmt.Errorf("average the %s predictions: %w", x.name, err)
		}
		if *x.into, err = measurePart(x.asked, *x.mean); err != nil {
			return nil, fmt.Errorf("measure the ensemble on %s: %w", x.name, err)
		}
	}
	return &a, nil
}

func checkedMeasure(id sweeps.TrialID, name string, predictions []float32, asked part) (Measures, error) {
	if err := asked.check(predictions); err != nil {
		return Measures{}, &MemberError{Trial: id, Part: name, Err: err}
	}
	m, err := measurePart(asked, predictions)
	if err != nil {
		return Measures{}, &MemberError{Trial: id, Part: name, Err: err}
	}
	return m, nil
}
