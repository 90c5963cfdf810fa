package adapter

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/sweeps/ensemble"
	"github.com/tenfold-ml/tenfold/trainer/data"
)

// Files that the command leaves in $TENFOLD_OUT.
const (
	resultFile           = "result.json"
	validationFile       = "validation.npy"
	testFile             = "test.npy"
	validationLabelsFile = "validation_labels.npy"
	testLabelsFile       = "test_labels.npy"
)

// left is what a command has left in $TENFOLD_OUT, checked.
type left struct {
	status          sweeps.ResultStatus
	values          bool
	validationError float64
	validationNLL   float64
	note, engine    string
	weights         int
	// The files as they are stored; nil where there are none.
	validation, test             []byte
	validationLabels, testLabels []byte
}

// written is result.json as a command writes it.
type written struct {
	Status          string   `json:"status"`
	ValidationError *float64 `json:"validation_error"`
	ValidationNLL   *float64 `json:"validation_nll"`
	Values          bool     `json:"values"`
	Note            string   `json:"note"`
	Engine          string   `json:"engine"`
	Weights         int      `json:"weights"`
}

// readLeft reads and checks what is in a folder: a [*data.Error] names the file and says
// what is wrong there.
func readLeft(dir string) (left, error) {
	w, err := readResult(dir)
	if err != nil {
		return left{}, err
	}
	l := left{values: w.Values, note: w.Note, engine: w.Engine, weights: w.Weights}
	if sweeps.ResultStatus(w.Status) == sweeps.Diverged {
		l.status, l.validationError = sweeps.Diverged, 1
		return l, nil
	}
	l.status = sweeps.Completed
	measured, err := l.readPredictions(dir)
	if err != nil {
		return left{}, err
	}
	return l, l.measure(w, measured)
}

// measure takes the measures that are written, or those of the predictions.
func (l *left) measure(w written, m *measured) error {
	switch {
	case w.ValidationError != nil:
		l.validationError = *w.ValidationError
	case m == nil:
		return bad(resultFile, `has no "validation_error", and there are no predictions with labels to compute it from`)
	default:
		l.validationError = m.Error
	}
	switch {
	case l.validationError < 0:
		return bad(resultFile, "has a validation_error of %v, below 0", l.validationError)
	case l.validationError > 1 && !l.values:
		return bad(resultFile, `has a validation_error of %v; it is a share, 0 to 1 (of values it may be more: "values": true)`, l.validationError)
	case m != nil && !ensemble.Agree(m.Error, l.validationError, m.asked):
		return bad(resultFile, "has a validation_error of %.4g, and %s has one of %.4g by its labels", l.validationError, validationFile, m.Error)
	}
	if w.ValidationNLL != nil {
		l.validationNLL = *w.ValidationNLL
	} else if m != nil {
		l.validationNLL = m.NLL
	}
	return nil
}

// maxResultBytes is far above what anybody writes.
const maxResultBytes = 1 << 20

func readResult(dir string) (w written, err error) {
	b, err := readFile(dir, resultFile)
	switch {
	case err != nil:
		return w, err
	case len(b) > maxResultBytes:
		return w, bad(resultFile, "has more than 1 MiB")
	case len(bytes.TrimSpace(b)) == 0:
		return w, bad(resultFile, "is empty")
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&w); err != nil {
		return w, resultError(b, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return w, bad(resultFile, "has more in it than one JSON object")
	}
	switch status := sweeps.ResultStatus(w.Status); {
	case status != "" && status != sweeps.Completed && status != sweeps.Diverged:
		return w, bad(resultFile, "has the status %q, want %q or %q", w.Status, sweeps.Completed, sweeps.Diverged)
	case w.Weights < 0:
		return w, bad(resultFile, "has %d weights", w.Weights)
	}
	return w, nil
}

// resultError says where JSON is none, and which keys there may be.
func resultError(b []byte, err error) error {
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax):
		line := 1 + bytes.Count(b[:min(int(syntax.Offset), len(b))], []byte{'\n'})
		if found := notJSON.Find(b); found != nil {
			return bad(resultFile, `line %d: %s is no number in JSON; where training has diverged, write {"status": "diverged"}`, line, found)
		}
		return bad(resultFile, "line %d: is no JSON: %w", line, err)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return bad(resultFile, "ends within its JSON")
	}
	if _, key, unknown := strings.Cut(err.Error(), "unknown field "); unknown {
		return bad(resultFile, "has the key %s, which is none of status, validation_error, validation_nll, values, note, engine, weights", key)
	}
	return bad(resultFile, "%w", plainJSON(err))
}

// measured is what the validation predictions are worth by their labels.
type measured struct {
	ensemble.Measures
	asked int // labels or values
}

// readPredictions reads the predictions and labels that there are; measured is nil
// without labels.
func (l *left) readPredictions(dir string) (*measured, error) {
	files := map[string]*array{}
	for _, name := range []string{validationFile, testFile, validationLabelsFile, testLabelsFile} {
		a, err := readArray(dir, name)
		if err != nil {
			return nil, err
		}
		if a != nil {
			files[name] = a
		}
	}
	// Nothing, predictions, or predictions with labels; each of both splits.
	for _, need := range [][2]string{
		{validationFile, testFile}, {testFile, validationFile}, {validationLabelsFile, validationFile}, {testLabelsFile, testFile},
		{validationLabelsFile, testLabelsFile}, {testLabelsFile, validationLabelsFile},
	} {
		if files[need[0]] != nil && files[need[1]] == nil {
			return nil, bad(need[1], "is missing, and %s is there", need[0])
		}
	}
	validation, test := files[validationFile], files[testFile]
	if validation == nil {
		return nil, nil
	}
	for _, a := range []*array{validation, test} {
		if err := a.checkPredictions(l.values); err != nil {
			return nil, err
		}
	}
	if v, t := validation.columns(), test.columns(); v != t {
		return nil, bad(testFile, "has %d columns, and %s has %d", t, validationFile, v)
	}
	l.validation, l.test = validation.encoded(), test.encoded()
	validationLabels, testLabels := files[validationLabelsFile], files[testLabelsFile]
	if validationLabels == nil {
		return nil, nil
	}
	m, err := validation.against(validationLabels, l.values)
	if err != nil {
		return nil, err
	}
	if _, err := test.against(testLabels, l.values); err != nil {
		return nil, err
	}
	if v, t := validationLabels.columns(), testLabels.columns(); v != t {
		return nil, bad(testLabelsFile, "has %d labels a case, and %s has %d", t, validationLabelsFile, v)
	}
	l.validationLabels, l.testLabels = validationLabels.encodedLabels(l.values), testLabels.encodedLabels(l.values)
	return m, nil
}

// array is a .npy file of one or two dimensions.
type array struct {
	name    string
	shape   []int
	numbers []float64
}

// readArray reads a file, and returns nil if there is none.
func readArray(dir, name string) (*array, error) {
	b, err := readFile(dir, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	a := array{name: name}
	if a.shape, a.numbers, err = data.ReadNPY(name, b); err != nil {
		return nil, err
	}
	if len(a.shape) < 1 || len(a.shape) > 2 {
		return nil, bad(name, "has %d dimensions, want one or two", len(a.shape))
	}
	if len(a.numbers) == 0 {
		return nil, bad(name, "has no numbers: its shape is %s", a.dimensions())
	}
	return &a, nil
}

func readFile(dir, name string) ([]byte, error) {
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return nil, bad(name, "cannot be read: %w", cause(err))
	}
	return b, nil
}

func (a *array) dimensions() string {
	if len(a.shape) == 1 {
		return fmt.Sprintf("(%d,)", a.shape[0])
	}
	return fmt.Sprintf("(%d, %d)", a.shape[0], a.shape[1])
}

func (a *array) columns() int {
	if len(a.shape) == 1 {
		return 1
	}
	return a.shape[1]
}

// checkPredictions demands rows of probabilities, or finite values.
func (a *array) checkPredictions(values bool) error {
	switch {
	case len(a.shape) == 1 && !values:
		return bad(a.name, "has the shape %s, want cases and classes; of two classes, both have a column", a.dimensions())
	case a.columns() == 1 && !values:
		return bad(a.name, `has one column, want one for each class (of values: "values": true in %s)`, resultFile)
	}
	check := ensemble.Check[float64]
	if values {
		check = ensemble.CheckValues[float64]
	}
	if err := check(a.numbers, a.columns()); err != nil {
		return bad(a.name, "%w", err)
	}
	return nil
}

// against checks labels, and measures predictions by them.
func (a *array) against(labels *array, values bool) (*measured, error) {
	m := &measured{asked: len(labels.numbers)}
	predictions := a.floats()
	if values {
		if labels.shape[0] != a.shape[0] || labels.columns() != a.columns() {
			return nil, bad(a.name, "has the shape %s, and %s %s; want the same", a.dimensions(), labels.name, labels.dimensions())
		}
		if err := labels.checkPredictions(true); err != nil {
			return nil, err
		}
		var err error
		if m.Measures, err = ensemble.MeasureValues(predictions, labels.floats()); err != nil {
			return nil, bad(labels.name, "%w", err)
		}
		return m, nil
	}
	if a.shape[0] != len(labels.numbers) {
		return nil, bad(a.name, "has %d rows, and %s has %d labels", a.shape[0], labels.name, len(labels.numbers))
	}
	for i, x := range labels.numbers {
		if x != math.Trunc(x) || x < 0 || x >= float64(a.columns()) {
			return nil, bad(labels.name, "row %d has the label %v, want a class from 0 to %d", i/labels.columns(), x, a.columns()-1)
		}
	}
	var err error
	if m.Measures, err = ensemble.Measure(predictions, a.columns(), labels.classes()); err != nil {
		return nil, bad(a.name, "%w", err)
	}
	return m, nil
}

func (a *array) floats() []float32 {
	out := make([]float32, len(a.numbers))
	for i, x := range a.numbers {
		out[i] = float32(x)
	}
	return out
}

func (a *array) classes() []int32 {
	out := make([]int32, len(a.numbers))
	for i, x := range a.numbers {
		out[i] = int32(x)
	}
	return out
}

// encoded are predictions as the contract has them, whatever type the command has used.
func (a *array) encoded() []byte {
	return data.EncodeNPY([]int{a.shape[0], a.columns()}, a.floats())
}

func (a *array) encodedLabels(values bool) []byte {
	switch {
	case values:
		return a.encoded()
	case a.columns() == 1:
		return data.EncodeNPY([]int{a.shape[0]}, a.classes())
	}
	return data.EncodeNPY(a.shape, a.classes())
}
