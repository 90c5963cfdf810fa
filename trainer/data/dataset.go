package data

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// Dataset is a data set in memory. What a case asks for is one or several labels,
// or values.
type Dataset struct {
	// Name is what it was called when it was first imported.
	Name string
	// Digest identifies the content: "sha256:" and 64 hex digits.
	Digest string
	// Shape of one case: [28 28] of an image, [steps features] of a sequence, [steps]
	// of symbols.
	Shape []int
	// Classes is the number of classes; labels are in [0, Classes). 0 means that
	// cases ask for values.
	Classes int
	// Outputs is the number of labels or values of one case, at least 1.
	Outputs int
	// Symbols is the size of the alphabet of a data set whose inputs are symbols,
	// numbers in [0, Symbols), and 0 of others.
	Symbols int
	// Ordered says that cases follow each other in time, as the windows of a text do.
	Ordered bool
	// Alphabet is the text that the symbols stand for, a character each, in the order
	// of their numbers; empty of data that are no text.
	Alphabet string
	// Logs says that the features were replaced by [Dataset.Log1p].
	Logs bool
	// Train is what training and validation cases are taken from. Test is read
	// for the report and decides nothing.
	Train, Test Split
}

// Split is a list of labelled cases.
type Split struct {
	// Images holds N cases of Dataset.Features bytes each, Values the same of a data
	// set of 32-bit floats. One of them is nil.
	Images []uint8
	Values []float32
	// Labels holds N·Outputs labels, Targets the same of a data set that asks for
	// values. One of them is nil.
	Labels  []uint8
	Targets []float32
	// N is the number of cases.
	N int
}

// Features is the number of inputs of one case: the product of Shape.
func (d *Dataset) Features() int {
	n := 1
	for _, s := range d.Shape {
		n *= s
	}
	return n
}

// Labels returns the labels of the cases of split that indices name, in that
// order, Outputs of each; nil indices mean all cases.
func (d *Dataset) Labels(split Split, indices []int32) []int32 {
	return pick[uint8, int32](split.Labels, d.Outputs, indices)
}

// Targets returns the values of cases as Labels does their labels.
func (d *Dataset) Targets(split Split, indices []int32) []float32 {
	return pick[float32, float32](split.Targets, d.Outputs, indices)
}

func pick[F, T uint8 | int32 | float32](all []F, each int, indices []int32) []T {
	if indices == nil {
		out := make([]T, len(all))
		for i, l := range all {
			out[i] = T(l)
		}
		return out
	}
	out := make([]T, 0, len(indices)*each)
	for _, j := range indices {
		for _, l := range all[int(j)*each:][:each] {
			out = append(out, T(l))
		}
	}
	return out
}

// The four files that a data set is made of, under the names that everybody uses.
const (
	trainImages = "train-images-idx3-ubyte"
	trainLabels = "train-labels-idx1-ubyte"
	testImages  = "t10k-images-idx3-ubyte"
	testLabels  = "t10k-labels-idx1-ubyte"
)

var fileNames = []string{trainImages, trainLabels, testImages, testLabels}

// files are the four parsed files of a data set, by the names above. Their
// wheres name them in errors.
type files struct {
	idx   map[string]idx
	where map[string]string
	// places say where the cases of a file came from, such as "line 7", where that is
	// another file; of others they are nil.
	places map[string]func(i int) string
	traits
}

// place says where case i of a file, from 0, is.
func (f files) place(name string, i int) string {
	if at := f.places[name]; at != nil {
		return at(i)
	}
	return fmt.Sprintf("row %d", i+1)
}

// traits are what the four files do not tell: fields of [Dataset], zero for most.
type traits struct {
	Symbols  int    `json:"symbols,omitempty"`
	Ordered  bool   `json:"ordered,omitempty"`
	Alphabet string `json:"alphabet,omitempty"`
}

// lines are what the digest covers besides the files: nothing if all are zero.
func (t traits) lines() string {
	var b strings.Builder
	if t.Symbols > 0 {
		fmt.Fprintf(&b, "symbols %d\n", t.Symbols)
	}
	if t.Ordered {
		b.WriteString("ordered\n")
	}
	if t.Alphabet != "" {
		fmt.Fprintf(&b, "alphabet %x\n", t.Alphabet)
	}
	return b.String()
}

// form is what the cases of a data set look like; see [Dataset].
type form struct {
	shape            []int
	classes, outputs int
}

// check makes sure that the files fit together.
func (f files) check() (form, error) {
	shape, err := f.checkImages()
	if err != nil {
		return form{}, err
	}
	outputs, err := f.checkOutputs()
	if err != nil || f.idx[trainLabels].values != nil {
		return form{shape: shape, outputs: outputs}, err
	}
	classes := f.Symbols // of symbols, labels are symbols too
	if classes == 0 {
		classes = int(slices.Max(f.idx[trainLabels].data)) + 1
	}
	if classes < 2 {
		return form{}, bad(f.where[trainLabels], "has one class only, so there is nothing to learn")
	}
	for _, name := range []string{trainLabels, testLabels} {
		for i, l := range f.idx[name].data {
			if int(l) >= classes {
				return form{}, bad(f.where[name], "has the label %d in %s, which is out of range: the training labels are 0 to %d", l, f.place(name, i/outputs), classes-1)
			}
		}
	}
	return form{shape, classes, outputs}, nil
}

func (f files) checkImages() (shape []int, err error) {
	train, test := f.idx[trainImages], f.idx[testImages]
	for _, name := range []string{trainImages, testImages} {
		if len(f.idx[name].dims) < 2 {
			return nil, bad(f.where[name], "holds no images: it has %d dimension, not 3", len(f.idx[name].dims))
		}
	}
	if (train.values == nil) != (test.values == nil) {
		return nil, bad(f.where[testImages], "holds another type of numbers than the training images")
	}
	shape = train.dims[1:]
	if !slices.Equal(shape, test.dims[1:]) {
		return nil, bad(f.where[testImages], "has images of %v, where the training images are %v", test.dims[1:], shape)
	}
	return shape, nil
}

// checkOutputs checks the labels or values that go with the cases.
func (f files) checkOutputs() (outputs int, err error) {
	for _, pair := range [][2]string{{trainImages, trainLabels}, {testImages, testLabels}} {
		images, labels := f.idx[pair[0]], f.idx[pair[1]]
		if len(labels.dims) > 2 {
			return 0, bad(f.where[pair[1]], "holds no labels: it has %d dimensions, not 1 or 2", len(labels.dims))
		}
		if images.dims[0] != labels.dims[0] {
			return 0, bad(f.where[pair[1]], "has %d labels for %d images", labels.dims[0], images.dims[0])
		}
	}
	train, test := f.idx[trainLabels], f.idx[testLabels]
	if (train.values == nil) != (test.values == nil) {
		return 0, bad(f.where[testLabels], "holds another type of labels than the training labels")
	}
	if outputs = train.each(); test.each() != outputs {
		return 0, bad(f.where[testLabels], "has %d labels a case, where training cases have %d", test.each(), outputs)
	}
	return outputs, nil
}

// sum is the SHA-256 of a file's uncompressed bytes, in hex.
func (x idx) sum() string {
	s := sha256.Sum256(x.raw)
	return hex.EncodeToString(s[:])
}

// digest makes a data set's digest from the SHA-256 of each uncompressed file,
// so that compression, file names and places do not matter, and so that a
// manifest can be checked against its digest without reading the files.
func digest(sums map[string]string, t traits) string {
	h := sha256.New()
	fmt.Fprint(h, "tenfold-dataset/1\n")
	for _, name := range fileNames {
		fmt.Fprintf(h, "%s %s\n", name, sums[name])
	}
	fmt.Fprint(h, t.lines())
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}

// checkDigest refuses what is no digest, and so might name any object.
func checkDigest(digest string) error {
	h, ok := strings.CutPrefix(digest, "sha256:")
	if b, err := hex.DecodeString(h); !ok || err != nil || len(b) != sha256.Size || strings.ToLower(h) != h {
		return fmt.Errorf("%w: %q is not the digest of a data set (sha256:… expected)", ErrConfig, digest)
	}
	return nil
}
