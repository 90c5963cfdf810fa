package data

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tenfold-ml/tenfold/sweeps"
)

// importFile imports a file of one name and content and loads it again.
func importFile(t *testing.T, name string, content []byte, seed uint64) (*Dataset, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	write(t, path, content)
	store := newStore()
	digest, err := Import(t.Context(), store, sweeps.Data{Name: path, SplitSeed: seed}, Source{})
	if err != nil {
		return nil, err
	}
	ds, err := Load(t.Context(), store, digest)
	if err != nil {
		t.Fatal(err)
	}
	return ds, nil
}

func zipped(t *testing.T, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// manyRows are rows "i.5,-i,label" with a header.
func manyRows(n int) string {
	var b strings.Builder
	b.WriteString("a, Label ,b\n")
	for i := range n {
		fmt.Fprintf(&b, "%d.5,%s,-%d\n", i, []string{"dog", "cat", "eel"}[i%3], i)
	}
	return b.String()
}

func TestImportCSV(t *testing.T) {
	t.Parallel()
	text := manyRows(60)
	ds, err := importFile(t, "animals.csv", []byte(text), 3)
	if err != nil {
		t.Fatal(err)
	}
	if ds.Train.N != 50 || ds.Test.N != 10 || ds.Classes != 3 || !slices.Equal(ds.Shape, []int{2}) || ds.Train.Images != nil {
		t.Fatalf("%d training and %d test cases of %v, %d classes", ds.Train.N, ds.Test.N, ds.Shape, ds.Classes)
	}
	seen := map[float32]bool{}
	for _, s := range []Split{ds.Train, ds.Test} {
		for i := range s.N {
			x, y := s.Values[2*i], s.Values[2*i+1]
			seen[x] = true
			// cat, dog, eel are 0, 1, 2.
			if want := []uint8{1, 0, 2}[int(x)%3]; y != -(x-0.5) || s.Labels[i] != want {
				t.Errorf("case %v, %v has label %d, want %d", x, y, s.Labels[i], want)
			}
		}
	}
	if len(seen) != 60 {
		t.Errorf("%d different cases, want all 60 once", len(seen))
	}
	same, err := importFile(t, "renamed.csv.gz", zipped(t, []byte(text)), 3)
	if err != nil || same.Digest != ds.Digest {
		t.Errorf("gzipped it is another data set: %v", err)
	}
	other, err := importFile(t, "animals.csv", []byte(text), 4)
	if err != nil || other.Digest == ds.Digest {
		t.Errorf("another seed divides in the same way: %v", err)
	}
	plain, err := importFile(t, "plain.csv", []byte(strings.Repeat("1,2,0\n3,4,1\n", 6)), 0)
	if err != nil || plain.Train.N != 10 || plain.Classes != 2 {
		t.Errorf("without a header: %+v, %v", plain, err)
	}
}

func TestBadTables(t *testing.T) {
	t.Parallel()
	rows := strings.Repeat("1,2,0\n3,4,1\n", 6)
	gz := zipped(t, []byte(manyRows(500)))
	corrupt := slices.Clone(gz)
	corrupt[len(corrupt)-6] ^= 1
	for name, test := range map[string]struct {
		file, content, want string
	}{
		"NaN":            {"x.csv", rows + "1,NaN,0\n", `has "NaN" in line 13, column 2`},
		"infinite":       {"x.csv", rows + "1e60,1,0\n", `has "1e60" in line 13, column 1`},
		"a word":         {"x.csv", "a,b,label\n" + rows + "1,x,0\n", `has "x" in line 14, column 2`},
		"ragged":         {"x.csv", rows + "1,0\n", "has 2 columns in line 13, where the first has 3"},
		"label":          {"x.csv", rows + "1,2,256\n", "has the label 256 in line 13"},
		"negative label": {"x.csv", rows + "1,2,-1\n", "has the label -1 in line 13"},
		"half a label":   {"x.csv", rows + "1,2,0.5\n", "has the label 0.5 in line 13"},
		"no label":       {"x.csv", strings.ReplaceAll(rows, ",0\n", ",a\n") + "1,2,\n", "has no label in line 13"},
		"header only":    {"x.csv", "a,b,label\n", "has no cases"},
		"empty":          {"x.csv", "", "has no cases"},
		"one column":     {"x.csv", "1\n2\n", "has 1 column"},
		"few":            {"x.csv", "1,0\n2,1\n", "too few to hold out test cases"},
		"one class":      {"x.csv", strings.Repeat("1,0\n", 20), "one class only"},
		"quotes":         {"x.csv", "1,\"2\n", "is not a table"},
		"truncated gzip": {"x.csv.gz", string(gz[:len(gz)/2]), "is truncated: its gzip data end early"},
		"corrupt gzip":   {"x.csv.gz", string(corrupt), "is corrupt"},
		"no zip":         {"x.npz", "PK", "is not a .npz file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := importFile(t, test.file, []byte(test.content), 0)
			var bad *Error
			if !errors.As(err, &bad) || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), test.file) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error = %v, want one line with the file and %q", err, test.want)
			}
		})
	}
}

// npy is a .npy file.
func npy(descr, shape string, body []byte) []byte {
	header := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }\n", descr, shape)
	b := binary.LittleEndian.AppendUint16([]byte("\x93NUMPY\x01\x00"), uint16(len(header)))
	return append(append(b, header...), body...)
}

func npz(t *testing.T, arrays map[string][]byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for name, b := range arrays {
		f, err := w.Create(name + ".npy")
		if err == nil {
			_, err = f.Write(b)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func floats(values ...float64) (b []byte) {
	for _, v := range values {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
	}
	return b
}

func TestImportNPZ(t *testing.T) {
	t.Parallel()
	labels := npy("|u1", "2,", []byte{0, 1})
	ds, err := importFile(t, "set.npz", npz(t, map[string][]byte{
		"x_train": npy("<f8", "2, 1, 3", floats(1, 2, 3, 4, 5, 6.5)), "y_train": npy("<i8", "2,", floats(0, math.Float64frombits(1))),
		"x_test": npy("<f8", "2, 1, 3", floats(7, 8, 9, 10, 11, 12)), "y_test": labels,
	}), 0)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]float32{1, 2, 3, 4, 5, 6.5}, ds.Train.Values); diff != "" || !slices.Equal(ds.Shape, []int{1, 3}) || !slices.Equal(ds.Train.Labels, []uint8{0, 1}) {
		t.Errorf("%v %v %s", ds.Shape, ds.Train.Labels, diff)
	}
	// Bytes stay bytes.
	ds, err = importFile(t, "bytes.npz", npz(t, map[string][]byte{
		"x_train": npy("|u1", "2, 3", []byte{1, 2, 255, 4, 5, 6}), "y_train": labels,
		"x_test": npy("|u1", "2, 3", []byte{7, 8, 9, 10, 11, 12}), "y_test": labels,
	}), 0)
	if err != nil || ds.Train.Values != nil || !slices.Equal(ds.Train.Images, []uint8{1, 2, 255, 4, 5, 6}) {
		t.Errorf("%+v, %v", ds, err)
	}
	for name, test := range map[string]struct {
		arrays map[string][]byte
		want   string
	}{
		"NaN":     {map[string][]byte{"x": npy("<f8", "2, 2", floats(1, 2, math.NaN(), 4)), "y": labels}, "has NaN in row 2, column 1"},
		"labels":  {map[string][]byte{"x": npy("<f8", "2, 2", floats(1, 2, 3, 4)), "y": npy("<f8", "2,", floats(0, 300))}, "has the label 300 in row 2"},
		"counts":  {map[string][]byte{"x": npy("<f8", "2, 2", floats(1, 2, 3, 4)), "y": npy("|u1", "3,", []byte{0, 1, 2})}, "where 2 labels are expected"},
		"size":    {map[string][]byte{"x": npy("<f8", "2, 2", floats(1, 2, 3)), "y": labels}, "is truncated"},
		"missing": {map[string][]byte{"z": labels}, "has the arrays z, and neither"},
		"type":    {map[string][]byte{"x": npy("<c8", "2, 2", nil), "y": labels}, `elements of type "<c8"`},
		"flat":    {map[string][]byte{"x": labels, "y": labels}, "has 1 dimensions"},
	} {
		if _, err := importFile(t, "bad.npz", npz(t, test.arrays), 0); err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "bad.npz") {
			t.Errorf("%s: error = %v, want %q", name, err, test.want)
		}
	}
}

// Floats are standardised with the statistics of the cases that are named, and of
// no others.
func TestFitFloats(t *testing.T) {
	t.Parallel()
	split := Split{N: 4, Values: []float32{1, 5, 1e9, -1e9, 3, 5, 5, 5}, Labels: make([]uint8, 4)}
	cases := []int32{0, 2, 3}
	std := Fit(split, 2, cases, 0)
	if std.Mean[0] != 3 || math.Abs(float64(std.Std[0])-math.Sqrt(8.0/3)) > 1e-6 || std.Mean[1] != 5 || std.Std[1] != 1 {
		t.Errorf("mean %v, deviation %v", std.Mean, std.Std)
	}
	x := make([]float32, 6)
	NewBatches(split, cases, std, 3).Fill(0, x, nil, nil)
	if x[2] != 0 || math.Abs(float64(x[0]+x[4])) > 1e-6 || x[1] != 0 || x[5] != 0 {
		t.Errorf("rows %v", x)
	}
}

// The settings say what is in a table where its first line does not.
func TestHeaderAndLabelOfACSV(t *testing.T) {
	t.Parallel()
	cells := strings.Repeat("1,0,5.5\n0,1,5.5\n", 6)
	for name, test := range map[string]struct {
		header, label, first string
		cases, feature       int // the first feature of the first case
		want                 string
	}{
		"number":                  {label: "1", cases: 12},
		"number with header":      {label: "2", first: "a,b,label\n", cases: 12, feature: 1},
		"name":                    {label: "b", first: "a,b,label\n", cases: 12, feature: 1},
		"names before numbers":    {header: "present", label: "3", first: "a,3,label\n", cases: 12, feature: 1},
		"header of numbers":       {header: "present", label: "2", first: "1,2,3\n", cases: 12, feature: 1},
		"none, and words":         {header: "absent", label: "1", first: "a,b,c\n", want: `has "b" in line 1, column 2, which is not a finite number`},
		"number out of range":     {label: "4", want: "has 3 columns, and data.label is 4"},
		"zero":                    {label: "0", want: "has 3 columns, and data.label is 0"},
		"unknown name":            {label: "kind", first: "a,b,label\n", want: `has no column "kind"`},
		"name without a header":   {label: "b", want: "has no header"},
		"name twice":              {label: "b", first: "b,b,label\n", want: `has 2 columns called "b"`},
		"the default is unsuited": {want: "has the label 5.5 in line 1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := sweeps.Data{Name: "t.csv", Header: test.header, Label: test.label}
			table, err := parseCSV(cfg, []byte(test.first+cells))
			if test.want != "" {
				var bad *Error
				if !errors.As(err, &bad) || !strings.Contains(err.Error(), test.want) {
					t.Errorf("error = %v, want %q", err, test.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			// Of the first two columns one is the label, and is 1 where the other is 0.
			if len(table.labels) != test.cases || table.values[0] != float32(test.feature) || int(table.labels[0]) != 1-test.feature || table.values[1] != 5.5 {
				t.Errorf("labels %v, features %v", table.labels, table.values)
			}
		})
	}
}

// A word in the first line is no header where it is the label.
func TestLabelsInTheFirstColumn(t *testing.T) {
	t.Parallel()
	table, err := parseCSV(sweeps.Data{Name: "t.csv", Label: "1"}, []byte("cat,1\ndog,2\ncat,3\n"))
	if err != nil || !slices.Equal(table.labels, []uint8{0, 1, 0}) {
		t.Errorf("labels %v, %v", table.labels, err)
	}
}
