package sweeps

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// builtInData are the names of data sets that need no path.
var builtInData = []string{"mnist", "fashion-mnist", "parity", "sorting", "adding", "copy"}

// trainingCases are the sizes of the training splits that are known before the
// data are read.
var trainingCases = map[string]int{"mnist": 60_000, "fashion-mnist": 60_000}

// knownPlanes are the shapes of cases that are known before the data are read.
var knownPlanes = map[string]Planes{"mnist": {1, 28, 28}, "fashion-mnist": {1, 28, 28}}

// sized are the defaults of the settings of a kind of data set whose size the spec
// decides; 0 means that it does not have the setting.
type sized struct{ cases, test, bits, numbers, length int }

// The generated data sets by name, and text under "text".
var sizedData = map[string]sized{
	"parity":  {cases: 110_000, test: 10_000, bits: 20},
	"sorting": {cases: 110_000, test: 10_000, bits: 6, numbers: 10},
	"adding":  {cases: 110_000, test: 10_000, length: 100},
	"copy":    {cases: 110_000, test: 10_000, length: 20},
	text:      {length: 100},
}

// text is the kind of a data set of running text.
const text = "text"

// Format is that of the single file which the name or URL is of: "csv", "npz", "npy",
// "txt", also where .gz follows; and empty for anything else.
func (d Data) Format() string {
	name := d.Name
	if strings.Contains(name, "://") {
		name, _, _ = strings.Cut(name, "#")
		name, _, _ = strings.Cut(name, "?")
	}
	name = strings.TrimSuffix(strings.ToLower(name), ".gz")
	for _, format := range []string{"csv", "npz", "npy", "txt"} {
		if strings.HasSuffix(name, "."+format) {
			return format
		}
	}
	return ""
}

// IsText says whether the data set is running text, for character models: a file
// whose name ends in .txt or .txt.gz.
func (d Data) IsText() bool { return d.Format() == "txt" }

// isSymbols says whether the inputs are symbols, which have no scale and which only
// recurrent models can take.
func (d Data) isSymbols() bool { return d.IsText() || d.Name == "copy" }

// isTable says whether the data set is a file of cases with their labels or values.
func (d Data) isTable() bool { return d.Format() != "" && !d.IsText() }

// IsGenerated says whether the data set is made by a formula from SplitSeed, Cases,
// Test and what else its kind takes.
func (d Data) IsGenerated() bool { return d.kind() != text && sizedData[d.kind()] != sized{} }

// kind is the key of sizedData, if it has one.
func (d Data) kind() string {
	if d.IsText() {
		return text
	}
	return d.Name
}

// sequential says that the features of a case are steps in time, whose scale is
// part of the task.
func (d Data) sequential() bool { return sizedData[d.kind()].length > 0 }

// sizes pairs the settings with their fields and this kind's defaults.
func (d *Data) sizes() []sizeSetting {
	s := sizedData[d.kind()]
	return []sizeSetting{
		{"data.cases", &d.Cases, s.cases}, {"data.bits", &d.Bits, s.bits},
		{"data.numbers", &d.Numbers, s.numbers}, {"data.length", &d.Length, s.length},
	}
}

type sizeSetting struct {
	path    string
	field   *int
	initial int
}

// fillSized sets the defaults of a data set whose size the spec decides.
func (d *Data) fillSized(given func(path string) bool) {
	for _, s := range d.sizes() {
		if !given(s.path) {
			*s.field = s.initial
		}
	}
	if !given("data.test") {
		d.Test = sizedData[d.kind()].test
	}
	switch {
	case given("data.validation"):
	case d.IsText():
		d.Validation = 0
	case d.Cases > 0:
		d.Validation = max(1, min(d.Validation, d.Cases/limitShare))
	}
	if d.sequential() && !given("data.standardize") {
		d.Standardize = false
	}
}

// WithSizes sets the sizes that are 0 to the defaults of the kind of data set, as
// [Parse] does.
func (d Data) WithSizes() Data {
	for _, s := range d.sizes() {
		if *s.field == 0 {
			*s.field = s.initial
		}
	}
	if d.Test == 0 {
		d.Test = sizedData[d.kind()].test
	}
	return d
}

// patternBits is how many random bits tell the cases of a generated data set apart;
// more than there can be cases, where that does not matter.
func (d Data) patternBits() int {
	switch d.Name {
	case "parity":
		return d.Bits
	case "sorting":
		return d.Numbers * d.Bits
	case "copy":
		return 3 * d.Length
	}
	return math.MaxInt
}

// checkSized reports settings of another kind of data set.
func (d *decoder) checkSized() {
	data := &d.spec.Data
	for _, s := range data.sizes() {
		if s.initial == 0 && d.given(s.path) {
			var users []string
			for _, name := range append(slices.Clone(builtInData), text) {
				other := Data{Name: name}
				if name == text {
					other.Name = "x.txt"
				}
				for _, o := range other.sizes() {
					if o.path == s.path && o.initial > 0 {
						users = append(users, name)
					}
				}
			}
			d.problem(d.where(s.path), s.path, "has no effect on this data set; it is for %s", strings.Join(users, ", "))
		}
	}
	if !data.IsGenerated() && data.Format() == "" && d.given("data.test") {
		d.problem(d.where("data.test"), "data.test", "has no effect on a data set that comes with a test split; it is for single files and generated data")
	}
	if data.isSymbols() {
		const none = "has no meaning for %s, whose inputs are symbols; remove it"
		for _, path := range []string{"data.log1p", "data.standardize"} {
			if path == "data.log1p" && data.Log1p || path == "data.standardize" && data.Standardize {
				d.problem(d.where(path), path, none, data.kind())
			}
			if swept := join("parameters", path); d.given(swept) {
				d.problem(d.keys[swept], swept, none, data.kind())
			}
		}
	}
	if data.Values && !data.isTable() {
		d.problem(d.where("data.values"), "data.values", "is about the labels of a .csv, .npz or .npy file, and data.name is none; remove it")
	}
	if need := data.Cases + data.Test; data.patternBits() < 62 && need > 1<<data.patternBits() {
		d.problem(d.where("data.bits", "data.numbers", "data.length", "data.cases", "data.test"), "data.cases",
			"asks, with data.test, for %d different cases, and there are %d of %s at this size; lower one of them", need, 1<<data.patternBits(), data.Name)
	}
}

// available is the number of cases to train and validate with, as far as the spec
// tells, and whose number it is.
func (d Data) available() (cases int, whose string) {
	cases, whose = d.Limit, "data.limit"
	known := trainingCases[d.Name]
	switch {
	case d.Cases > 0 && (cases == 0 || cases > d.Cases):
		return d.Cases, "data.cases"
	case known > 0 && (cases == 0 || cases > known):
		return known, fmt.Sprintf("the size of the training split of %s", d.Name)
	}
	return cases, whose
}
