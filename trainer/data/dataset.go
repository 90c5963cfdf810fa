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
}

// check makes sure that the files fit together.
func (f files) check() (shape []int, classes int, err error) {
	train, test := f.idx[trainImages], f.idx[testImages]
	for _, name := range []string{trainImages, testImages} {
		if len(f.idx[name].dims) < 2 {
			return nil, 0, bad(f.where[name], "holds no images: it has %d dimension, not 3", len(f.idx[name].dims))
		}
	}
	if (train.values == nil) != (test.values == nil) {
		return nil, 0, bad(f.where[testImages], "holds another type of numbers than the training images")
	}
	for _, pair := range [][2]string{{trainImages, trainLabels}, {testImages, testLabels}} {
		images, labels := f.idx[pair[0]], f.idx[pair[1]]
		if labels.values != nil {
			return nil, 0, bad(f.where[pair[1]], "holds 32-bit floats, where labels are unsigned bytes")
		}
		if len(labels.dims) != 1 {
			return nil, 0, bad(f.where[pair[1]], "holds no labels: it has %d dimensions, not 1", len(labels.dims))
		}
		if images.dims[0] != labels.dims[0] {
			return nil, 0, bad(f.where[pair[1]], "has %d labels for %d images", labels.dims[0], images.dims[0])
		}
	}
	shape = train.dims[1:]
	if !slices.Equal(shape, test.dims[1:]) {
		return nil, 0, bad(f.where[testImages], "has images of %v, where the training images are %v", test.dims[1:], shape)
	}
	classes = int(slices.Max(f.idx[trainLabels].data)) + 1
	if classes < 2 {
		return nil, 0, bad(f.where[trainLabels], "has one class only, so there is nothing to learn")
	}
	for i, l := range f.idx[testLabels].data {
		if int(l) >= classes {
			return nil, 0, bad(f.where[testLabels], "label %d at position %d is out of range: the training labels are 0 to %d", l, i, classes-1)
		}
	}
	return shape, classes, nil
}

// sum is the SHA-256 of a file's uncompressed bytes, in hex.
func (x idx) sum() string {
	s := sha256.Sum256(x.raw)
	return hex.EncodeToString(s[:])
}

// digest makes a data set's digest from the SHA-256 of each uncompressed file,
// so that compression, file names and places do not matter, and so that a
// manifest can be checked against its digest without reading the files.
func digest(sums map[string]string) string {
	h := sha256.New()
	fmt.Fprint(h, "tenfold-dataset/1\n")
	for _, name := range fileNames {
		fmt.Fprintf(h, "%s %s\n", name, sums[name])
	}
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
