package data

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/trainer/philox"
)

// table is labelled cases as a single file has them.
type table struct {
	where    string    // of the cases
	labelsAt string    // where the labels are
	lines    []int     // of a text, those of the cases
	shape    []int     // of one case
	bytes    []uint8   // features, if they are bytes,
	values   []float32 // or not
	labels   []uint8   // outputs of each case, if they are labels,
	targets  []float32 // or values
	outputs  int
	n        int // cases
}

// testShare of a single file's cases, one in so many, is its test split.
const testShare = 6

// importSingle imports a single file.
func importSingle(ctx context.Context, store *storage.Store, cfg sweeps.Data, src Source) (string, error) {
	raw, err := readWhole(cfg.Name, src.maxBytes())
	if err != nil {
		return "", err
	}
	f, err := parseFile(cfg, raw, src.maxBytes())
	if err != nil {
		return "", err
	}
	return save(ctx, store, filepath.Base(cfg.Name), f)
}

// parseFile makes a data set of a single file, uncompressed. Which cases of a table
// are for testing is drawn, and depends on cfg.SplitSeed alone.
func parseFile(cfg sweeps.Data, raw []byte, limit int64) (files, error) {
	var t table
	var err error
	switch cfg.Format() {
	case "txt":
		return parseText(cfg.WithSizes(), raw)
	case "npz":
		return parseNPZ(cfg, raw, limit)
	case "npy":
		t, err = parseNPYPair(cfg, raw, limit)
	default:
		t, err = parseCSV(cfg, raw)
	}
	if err != nil {
		return files{}, err
	}
	return t.split(cfg)
}

// readWhole reads a file, gzipped or not, of at most limit bytes.
func readWhole(name string, limit int64) (b []byte, err error) {
	file, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &Error{Where: name, Problem: "there is no such file", Err: fs.ErrNotExist}
	}
	if err != nil {
		return nil, bad(name, "can't be opened: %w", err)
	}
	defer func() { _ = file.Close() }()
	return inflate(name, file, limit)
}

// split draws the test cases.
func (t table) split(cfg sweeps.Data) (files, error) {
	test := cfg.Test
	if test == 0 {
		test = t.n / testShare
	}
	if test < 1 {
		return files{}, bad(t.where, "has %d cases, which are too few to hold out test cases; %d are the least", t.n, testShare)
	}
	if test >= t.n {
		return files{}, fmt.Errorf("%w: data.test is %d, and %s has %d cases, of which some have to be left for training", ErrConfig, test, t.where, t.n)
	}
	order := philox.New(cfg.SplitSeed, philox.Split, 0, 1).Permutation(t.n)
	slices.Sort(order[:test])
	slices.Sort(order[test:])
	return t.files(order[test:], t, order[:test]), nil
}

// files makes the four files of cases of t, and test cases of other.
func (t table) files(train []int32, other table, test []int32) files {
	f := files{idx: map[string]idx{}, where: map[string]string{
		trainImages: t.where, trainLabels: t.labelsAt, testImages: other.where, testLabels: other.labelsAt,
	}, places: map[string]func(i int) string{trainLabels: t.places(train), testLabels: other.places(test)}}
	f.idx[trainImages], f.idx[trainLabels] = t.take(train)
	f.idx[testImages], f.idx[testLabels] = other.take(test)
	return f
}

// places say where the cases that indices name are; nil names all.
func (t table) places(indices []int32) func(i int) string {
	return func(i int) string {
		if indices != nil {
			i = int(indices[i])
		}
		if t.lines != nil {
			return fmt.Sprintf("line %d", t.lines[i])
		}
		return fmt.Sprintf("row %d", i+1)
	}
}

// take makes idx files of the cases that indices name; nil names all.
func (t table) take(indices []int32) (features, labels idx) {
	if indices == nil {
		indices = make([]int32, t.n)
		for i := range indices {
			indices[i] = int32(i)
		}
	}
	width := 1
	for _, d := range t.shape {
		width *= d
	}
	dims := append([]int{len(indices)}, t.shape...)
	if t.values != nil {
		features = makeFloatIDX(rows(t.values, width, indices), dims...)
	} else {
		features = makeIDX(rows(t.bytes, width, indices), dims...)
	}
	switch {
	case t.targets != nil:
		return features, makeFloatIDX(rows(t.targets, t.outputs, indices), len(indices), t.outputs)
	case t.outputs > 1:
		return features, makeIDX(rows(t.labels, t.outputs, indices), len(indices), t.outputs)
	}
	return features, makeIDX(rows(t.labels, 1, indices), len(indices))
}

// rows are those of a matrix that indices name.
func rows[T any](matrix []T, width int, indices []int32) []T {
	out := make([]T, 0, len(indices)*width)
	for _, i := range indices {
		out = append(out, matrix[int(i)*width:][:width]...)
	}
	return out
}

// labelNames are the headers that a column of labels goes by.
var labelNames = []string{"label", "class", "target", "y"}

// parseCSV reads a table of numbers. Unless cfg.Header says so, a first row in which
// no feature is a number is a header. Unless cfg.Label names or numbers it, the
// column of the labels is the one that the header calls label, class, target or
// y, else the last one. Words as labels are numbered in the order of the alphabet;
// numbers are classes unless cfg.Values says that they are values.
func parseCSV(cfg sweeps.Data, raw []byte) (table, error) {
	where := cfg.Name
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(raw, []byte("\ufeff"))))
	r.FieldsPerRecord, r.TrimLeadingSpace, r.ReuseRecord = -1, true, true
	t := table{where: where, labelsAt: where, values: []float32{}}
	var words []string
	column, label := 0, -1
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return table{}, bad(where, "is not a table of comma-separated values: %w", err)
		}
		line, _ := r.FieldPos(0)
		if label < 0 {
			if column = len(record); column < 2 {
				return table{}, bad(where, "has %d column, and needs features and a label", column)
			}
			isHeader := cfg.Header == "present" || cfg.Header == "" && header(record, cfg.Label)
			if label, err = labelColumn(cfg, record, isHeader); err != nil {
				return table{}, err
			}
			if isHeader {
				continue
			}
		}
		if len(record) != column {
			return table{}, bad(where, "has %d columns in line %d, where the first has %d", len(record), line, column)
		}
		for i, cell := range record {
			cell = strings.TrimSpace(cell)
			if i == label {
				words, t.lines = append(words, strings.Clone(cell)), append(t.lines, line)
				continue
			}
			v, err := strconv.ParseFloat(cell, 32)
			if err != nil || v-v != 0 {
				return table{}, bad(where, "has %.40q in line %d, column %d, which is not a finite number", cell, line, i+1)
			}
			if cfg.Log1p && v <= -1 {
				return table{}, bad(where, "has %.40q in line %d, column %d, and data.log1p needs numbers above -1", cell, line, i+1)
			}
			t.values = append(t.values, float32(v))
		}
	}
	if len(words) == 0 {
		return table{}, bad(where, "has no cases")
	}
	t.shape, t.outputs, t.n = []int{column - 1}, 1, len(words)
	var err error
	if cfg.Values {
		t.targets, err = readValues(where, words, t.lines)
	} else {
		t.labels, err = numberLabels(where, words, t.lines)
	}
	return t, err
}

// readValues reads labels that are values.
func readValues(where string, words []string, lines []int) ([]float32, error) {
	values := make([]float32, len(words))
	for i, w := range words {
		v, err := strconv.ParseFloat(w, 32)
		if err != nil || v-v != 0 {
			return nil, bad(where, "has the value %.40q in line %d, which is not a finite number", w, lines[i])
		}
		values[i] = float32(v)
	}
	return values, nil
}

// labelColumn finds the column of the labels, from 0, by the first row.
func labelColumn(cfg sweeps.Data, first []string, isHeader bool) (int, error) {
	label, found := len(first)-1, 0
	for i, name := range first {
		name = strings.TrimSpace(name)
		if !isHeader || cfg.Label == "" && !slices.Contains(labelNames, strings.ToLower(name)) || cfg.Label != "" && name != cfg.Label {
			continue
		}
		label, found = i, found+1
	}
	if cfg.Label == "" || found == 1 {
		return label, nil
	}
	if found > 1 {
		return 0, bad(cfg.Name, "has %d columns called %.40q, so data.label has to be the number of one", found, cfg.Label)
	}
	switch n, err := strconv.Atoi(cfg.Label); {
	case err == nil && n >= 1 && n <= len(first):
		return n - 1, nil
	case err == nil:
		return 0, bad(cfg.Name, "has %d columns, and data.label is %d", len(first), n)
	case isHeader:
		return 0, bad(cfg.Name, "has no column %.40q, which is data.label, in its header", cfg.Label)
	}
	return 0, bad(cfg.Name, "has no header where data.label, %.40q, could be looked up; give the column's number, or set data.header to present", cfg.Label)
}

// header says whether a row is no numbers, but for the column of the labels, which
// is the last one unless label is the number of another.
func header(record []string, label string) bool {
	skip := len(record)
	if n, err := strconv.Atoi(label); err == nil {
		skip = n
	}
	for i, cell := range record {
		if i+1 == skip {
			continue
		}
		if _, err := strconv.ParseFloat(strings.TrimSpace(cell), 64); err == nil {
			return false
		}
	}
	return true
}

// numberLabels makes labels of words: numbers as they are, anything else by the
// alphabet.
func numberLabels(where string, words []string, lines []int) ([]uint8, error) {
	labels := make([]uint8, len(words))
	numbers := true
	for i, w := range words {
		v, err := strconv.ParseFloat(w, 64)
		if numbers = err == nil; !numbers {
			break
		}
		if labels[i], err = asLabel(v); err != nil {
			return nil, bad(where, "has the label %s in line %d: %w", w, lines[i], err)
		}
	}
	if numbers {
		return labels, nil
	}
	names := slices.Clone(words)
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) > math.MaxUint8+1 {
		return nil, bad(where, "has %d different labels; 256 classes are the most", len(names))
	}
	for i, w := range words {
		if w == "" {
			return nil, bad(where, "has no label in line %d", lines[i])
		}
		k, _ := slices.BinarySearch(names, w)
		labels[i] = uint8(k)
	}
	return labels, nil
}

var errLabel = errors.New("labels are whole numbers from 0 to 255, unless data.values says that they are values")

func asLabel(v float64) (uint8, error) {
	if !(v >= 0 && v <= math.MaxUint8) || v != math.Trunc(v) {
		return 0, errLabel
	}
	return uint8(v), nil
}

// npzNames are what the arrays of cases and labels go by: a set that is divided
// already, or not.
var npzNames = struct{ divided, whole [][2]string }{
	divided: [][2]string{{"x_train", "y_train"}, {"x_test", "y_test"}},
	whole:   [][2]string{{"x", "y"}, {"data", "target"}, {"X", "y"}, {"images", "labels"}},
}

// parseNPZ reads a NumPy archive.
func parseNPZ(cfg sweeps.Data, raw []byte, limit int64) (files, error) {
	zr, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		return files{}, bad(cfg.Name, "is not a .npz file that can be read: %w", err)
	}
	arrays := map[string]array{}
	var names []string
	for _, entry := range zr.File {
		name := strings.TrimSuffix(entry.Name, ".npy")
		names = append(names, name)
		where := cfg.Name + "!" + entry.Name
		rc, err := entry.Open()
		if err != nil {
			return files{}, bad(where, "can't be read: %w", err)
		}
		b, err := readLimited(where, rc, limit)
		if cerr := rc.Close(); err == nil && cerr != nil {
			err = bad(where, "can't be read: %w", cerr)
		}
		if err != nil {
			return files{}, err
		}
		if wanted(name) {
			if arrays[name], err = parseNPY(where, b); err != nil {
				return files{}, err
			}
		}
	}
	pair := func(names [2]string) (table, bool, error) {
		x, ok1 := arrays[names[0]]
		y, ok2 := arrays[names[1]]
		if !ok1 || !ok2 {
			return table{}, false, nil
		}
		t, err := pairTable(cfg.Name+"!"+names[0], x, cfg.Name+"!"+names[1], y, cfg)
		return t, true, err
	}
	train, ok1, err1 := pair(npzNames.divided[0])
	test, ok2, err2 := pair(npzNames.divided[1])
	if err := errors.Join(err1, err2); err != nil {
		return files{}, err
	}
	if ok1 && ok2 {
		if cfg.Test > 0 {
			return files{}, fmt.Errorf("%w: data.test is %d, and %s comes with a test split, x_test; remove it", ErrConfig, cfg.Test, cfg.Name)
		}
		return train.files(nil, test, nil), nil
	}
	for _, names := range npzNames.whole {
		if t, ok, err := pair(names); ok || err != nil {
			if err != nil {
				return files{}, err
			}
			return t.split(cfg)
		}
	}
	return files{}, bad(cfg.Name, "has the arrays %s, and neither x and y (or data and target, images and labels) nor x_train, y_train, x_test and y_test", strings.Join(names, ", "))
}

func wanted(name string) bool {
	for _, p := range append(slices.Clone(npzNames.divided), npzNames.whole...) {
		if slices.Contains(p[:], name) {
			return true
		}
	}
	return false
}

// parseNPYPair reads an array of cases, and the one of its labels from the file beside
// it that cfg.Label names.
func parseNPYPair(cfg sweeps.Data, raw []byte, limit int64) (table, error) {
	dir, name := filepath.Split(cfg.Name)
	labels := filepath.Join(dir, cfg.Label)
	if filepath.IsAbs(cfg.Label) {
		labels = cfg.Label
	}
	if cfg.Label == "" {
		stem := name[:strings.LastIndex(strings.ToLower(name), ".npy")]
		labels = filepath.Join(dir, stem+"-labels.npy")
	}
	x, err := parseNPY(cfg.Name, raw)
	if err != nil {
		return table{}, err
	}
	raw, err = readWhole(labels, limit)
	if errors.Is(err, fs.ErrNotExist) {
		return table{}, bad(labels, "there is no such file, where the labels of %s should be; data.label can name another", name)
	}
	if err != nil {
		return table{}, err
	}
	y, err := parseNPY(labels, raw)
	if err != nil {
		return table{}, err
	}
	return pairTable(cfg.Name, x, labels, y, cfg)
}

// pairTable makes a table of an array of cases and one of labels, or of values.
func pairTable(whereX string, x array, whereY string, y array, cfg sweeps.Data) (table, error) {
	if len(x.dims) < 2 {
		return table{}, bad(whereX, "has %d dimensions, where cases and features are two at least", len(x.dims))
	}
	if len(y.dims) < 1 || len(y.dims) > 2 || y.dims[0] != x.dims[0] {
		return table{}, bad(whereY, "has the shape %v, where %d labels are expected", y.dims, x.dims[0])
	}
	width, outputs := 1, 1
	for _, d := range x.dims[1:] {
		width *= d
	}
	for _, d := range y.dims[1:] {
		outputs *= d
	}
	if x.dims[0] == 0 || width == 0 {
		return table{}, bad(whereX, "is empty: its shape is %v", x.dims)
	}
	if outputs == 0 {
		return table{}, bad(whereY, "is empty: its shape is %v", y.dims)
	}
	t := table{where: whereX, labelsAt: whereY, shape: x.dims[1:], bytes: x.bytes, outputs: outputs, n: x.dims[0]}
	if x.bytes == nil {
		t.values = x.floats()
		if err := checkFinite(whereX, t.values, width); err != nil {
			return table{}, err
		}
	}
	if cfg.Log1p {
		if err := checkLog1p(whereX, t.values, width); err != nil {
			return table{}, err
		}
	}
	if cfg.Values {
		t.targets = y.floats()
		return t, checkFinite(whereY, t.targets, outputs)
	}
	t.labels = make([]uint8, t.n*outputs)
	for i := range t.labels {
		var err error
		if t.labels[i], err = asLabel(y.number(i)); err != nil {
			return table{}, bad(whereY, "has the label %v in row %d: %w", y.number(i), i/outputs+1, err)
		}
	}
	return t, nil
}

// inflate reads at most limit bytes, uncompressed, of what may be gzipped: the
// content decides, not the name, since people rename files.
func inflate(name string, r io.ReadSeeker, limit int64) ([]byte, error) {
	magic := make([]byte, 2)
	n, _ := io.ReadFull(r, magic)
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return nil, bad(name, "can't be read: %w", err)
	}
	var src io.Reader = r
	if n == 2 && magic[0] == 0x1f && magic[1] == 0x8b {
		zr, err := gzip.NewReader(r)
		if err != nil {
			return nil, bad(name, "is not a readable gzip file: %w", err)
		}
		src = zr
	}
	return readLimited(name, src, limit)
}

// readLimited says what is wrong with what can't be read to its end.
func readLimited(name string, src io.Reader, limit int64) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(src, limit+1))
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF) && (sweeps.Data{Name: name}).Format() == "csv":
		return nil, bad(name, "is truncated after line %d: its gzip data end early: %w", bytes.Count(raw, []byte("\n")), err)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, bad(name, "is truncated: its gzip data end early: %w", err)
	case errors.Is(err, gzip.ErrChecksum), errors.Is(err, gzip.ErrHeader):
		return nil, bad(name, "is corrupt: %w", err)
	case err != nil:
		return nil, bad(name, "can't be read: %w", err)
	case int64(len(raw)) > limit:
		return nil, bad(name, "is larger than the limit of %d bytes", limit)
	}
	return raw, nil
}
