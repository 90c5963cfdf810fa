package ensemble

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/tenfold-ml/tenfold/sweeps"
)

// ManifestVersion is the version of [Manifest] that this code writes.
const ManifestVersion = 1

// ErrManifest says that bytes are no manifest that this code can read.
var ErrManifest = errors.New("not a manifest")

// Manifest says what an ensemble consists of and how good it is. Everything in
// it follows from the spec and the committed results, so it holds no times,
// attempts or hosts. Errors are shares in [0, 1], NLL is in nats per label; of values
// they are what [MeasureValues] says.
type Manifest struct {
	Version int    `json:"version"`
	Sweep   string `json:"sweep"`
	// SpecSHA256 is the hash of the spec's canonical JSON, in hex.
	SpecSHA256 string `json:"spec_sha256"`
	// Dataset is the data set's digest, Trainer the trainer's identity: with a
	// member's config they make its trial ID.
	Dataset  string `json:"dataset,omitzero"`
	Trainer  string `json:"trainer"`
	Strategy string `json:"strategy"`
	// Size is how many members were asked for; there are fewer where fewer
	// trials completed.
	Size  int   `json:"size"`
	Split Split `json:"split,omitzero"`
	// BestSingle is the member with the smallest validation error: what one
	// would use without an ensemble.
	BestSingle Single `json:"best_single"`
	// Measured is nil where the labels are not known (a custom trainer that
	// brings its own data).
	Measured *Measured `json:"measured,omitzero"`
	// Members, best on validation first.
	Members []Member `json:"members"`
}

// Split describes the cases that the measures are of.
type Split struct {
	// Seed decided which training cases are held out for validation.
	Seed       uint64 `json:"seed"`
	Validation int    `json:"validation"` // cases
	Test       int    `json:"test"`       // cases
	// Classes is 0 where cases ask for values.
	Classes int `json:"classes"`
	// Outputs is the number of labels or values of a case, left out where it is 1.
	Outputs int `json:"outputs,omitzero"`
}

// Single is one trial beside the ensemble.
type Single struct {
	Trial           sweeps.TrialID `json:"trial"`
	ValidationError float64        `json:"validation_error"`
}

// Measured is how good the ensemble is, and what to compare it with.
type Measured struct {
	// Validation and Test are of the averaged predictions. The validation cases
	// have also chosen the members, so only the test is a fair measure.
	Validation Measures `json:"validation"`
	Test       Measures `json:"test"`
	// BestSingleTestError is the test error of Manifest.BestSingle.
	BestSingleTestError float64 `json:"best_single_test_error"`
	// MeanMemberTestError and MinMemberTestError are over the members. The
	// smallest is chosen on test and therefore flattered.
	MeanMemberTestError float64 `json:"mean_member_test_error"`
	MinMemberTestError  float64 `json:"min_member_test_error"`
}

// Member is one network of an ensemble.
type Member struct {
	// Rank on validation, from 1.
	Rank     int              `json:"rank"`
	Trial    sweeps.TrialID   `json:"trial"`
	Settings []sweeps.Setting `json:"settings,omitempty"`
	Seed     uint64           `json:"seed"`
	// Epochs is the budget that the result was committed for.
	Epochs int `json:"epochs"`
	// Weight of its predictions in the average; the weights sum to 1.
	Weight          float64 `json:"weight"`
	ValidationError float64 `json:"validation_error"`
	ValidationNLL   float64 `json:"validation_nll"`
	// Test is nil where the labels are not known.
	Test                  *Measures       `json:"test,omitzero"`
	Checkpoint            sweeps.Artifact `json:"checkpoint"`
	ValidationPredictions sweeps.Artifact `json:"validation_predictions,omitzero"`
	TestPredictions       sweeps.Artifact `json:"test_predictions,omitzero"`
}

// JSON is the manifest's one form as bytes: fields in the order of the type, two
// spaces of indentation, numbers in Go's shortest form, a newline at the end.
func (m *Manifest) JSON() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(m); err != nil {
		return nil, fmt.Errorf("encode the manifest of %s: %w", m.Sweep, err)
	}
	return b.Bytes(), nil
}

// ParseManifest reads what [Manifest.JSON] wrote, by this version of the code or
// an earlier one. Errors are [ErrManifest].
func ParseManifest(b []byte) (*Manifest, error) {
	var m Manifest
	if err := json.Unmarshal(b, &m); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrManifest, err)
	}
	if m.Version != ManifestVersion {
		return nil, fmt.Errorf("%w: version %d, want %d", ErrManifest, m.Version, ManifestVersion)
	}
	if len(m.Members) == 0 {
		return nil, fmt.Errorf("%w: it has no members", ErrManifest)
	}
	return &m, nil
}
