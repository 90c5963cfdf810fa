package sweeps

import "fmt"

// TrialID names a trial for good: the first 16 hex digits of the SHA-256 of
// the canonical JSON (RFC 8785) of its [Trial]. It depends on neither the sweep
// nor the order nor the place, so the same point in two sweeps is one trial.
type TrialID string

const trialIDDigits = 16

// Valid reports whether id has the form of a trial's ID: 16 lower-case hex digits.
func (id TrialID) Valid() bool {
	if len(id) != trialIDDigits {
		return false
	}
	for _, c := range []byte(id) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// Trial is one point of a sweep, resolved: all that its training depends on.
// It is stored as trials/<trial>/config.json, which is what a trainer reads.
type Trial struct {
	Config Config `json:"config"`
	// Dataset is the digest of the data set ("sha256:…"), empty where a custom
	// trainer brings its own data.
	Dataset string `json:"dataset,omitzero"`
	// Trainer identifies the code that trains: for the built-in one a name and
	// the revision of its numerics, for a custom one its command and a hash of the
	// files that it names.
	Trainer string `json:"trainer"`
}

// ID hashes the trial. It fails only for one that has no canonical JSON: with a
// number that is not finite, or a whole number above [MaxSafeInteger].
func (t Trial) ID() (TrialID, error) {
	digits, err := hashHex(t, trialIDDigits)
	if err != nil {
		return "", fmt.Errorf("name the trial: %w", err)
	}
	return TrialID(digits), nil
}

// Setting is one swept parameter with the value that a trial has for it.
type Setting struct {
	// Path is dotted, as in the spec: "train.learning_rate".
	Path string `json:"path"`
	// Value has the setting's own type (int, uint64, float64, string, bool,
	// []int) in a [Plan], and JSON's when read from JSON.
	Value any `json:"value"`
}
