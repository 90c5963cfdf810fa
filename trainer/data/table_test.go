package data

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tenfold-ml/tenfold/storage"
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
	// The only case of class 7 is drawn for testing, which keeps its line.
	rare := func() string {
		lines := strings.SplitAfter(rows+rows, "\n")
		lines = lines[:len(lines)-1]
		f, err := parseFile(sweeps.Data{Name: "x.csv"}, []byte(rows+rows), 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		line := 0
		if _, err := fmt.Sscanf(f.place(testLabels, 2), "line %d", &line); err != nil {
			t.Fatal(err)
		}
		lines[line-1] = "1,2,7\n"
		return strings.Join(lines, "")
	}()
	at := 1 + strings.Count(rare[:strings.Index(rare, "1,2,7")], "\n")
	for name, test := range map[string]struct {
		file, content, want string
	}{
		"NaN":            {"x.csv", rows + "1,NaN,0\n", `has "NaN" in line 13, column 2`},
		"infinite":       {"x.csv", rows + "1e60,1,0\n", `has "1e60" in line 13, column 1`},
		"a word":         {"x.csv", "a,b,label\n" + rows + "1,x,0\n", `has "x" in line 14, column 2`},
		"ragged":         {"x.csv", rows + "1,0\n", "has 2 columns in line 13, where the first has 3"},
		"label":          {"x.csv", rows + "1,2,256\n", "has the label 256 in line 13"},
		"negative label": {"x.csv", rows + "1,2,-1\n", "has the label -1 in line 13"},
		"rare label":     {"x.csv", rare, fmt.Sprintf("has the label 7 in line %d, which is out of range: the training labels are 0 to 1", at)},
		"half a label":   {"x.csv", rows + "1,2,0.5\n", "has the label 0.5 in line 13"},
		"no label":       {"x.csv", strings.ReplaceAll(rows, ",0\n", ",a\n") + "1,2,\n", "has no label in line 13"},
		"header only":    {"x.csv", "a,b,label\n", "has no cases"},
		"empty":          {"x.csv", "", "has no cases"},
		"one column":     {"x.csv", "1\n2\n", "has 1 column"},
		"few":            {"x.csv", "1,0\n2,1\n", "too few to hold out test cases"},
		"one class":      {"x.csv", strings.Repeat("1,0\n", 20), "one class only"},
		"quotes":         {"x.csv", "1,\"2\n", "is not a table"},
		"truncated gzip": {"x.csv.gz", string(gz[:len(gz)/2]), "is truncated after line 251: its gzip data end early"},
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
		"range":   {map[string][]byte{"x_train": npy("|u1", "2, 1", []byte{1, 2}), "y_train": labels, "x_test": npy("|u1", "2, 1", []byte{1, 2}), "y_test": npy("|u1", "2,", []byte{0, 2})}, "bad.npz!y_test: has the label 2 in row 2"},
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

// importWith imports a file by the settings of cfg and loads it again.
func importWith(t *testing.T, store *storage.Store, cfg sweeps.Data, src Source) (*Dataset, error) {
	t.Helper()
	digest, err := Import(t.Context(), store, cfg, src)
	if err != nil {
		return nil, err
	}
	ds, err := Load(t.Context(), store, digest)
	if err != nil {
		t.Fatal(err)
	}
	return ds, nil
}

// Labels are values where the settings say so, whatever numbers they are.
func TestValuesOfACSV(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "houses.csv")
	var b strings.Builder
	b.WriteString("rooms,price,y\n")
	for i := range 40 {
		fmt.Fprintf(&b, "%d,%d,-%d.25\n", i, 1000*i, i)
	}
	write(t, path, []byte(b.String()))
	for label, want := range map[string]func(x float32) float32{
		"":      func(x float32) float32 { return -x - 0.25 },
		"price": func(x float32) float32 { return 1000 * x },
	} {
		ds, err := importWith(t, newStore(), sweeps.Data{Name: path, Label: label, Values: true, Test: 7}, Source{})
		if err != nil {
			t.Fatal(err)
		}
		if ds.Train.N != 33 || ds.Test.N != 7 || ds.Classes != 0 || ds.Outputs != 1 || ds.Train.Labels != nil {
			t.Fatalf("%d and %d cases, %d classes, %d outputs", ds.Train.N, ds.Test.N, ds.Classes, ds.Outputs)
		}
		for _, s := range []Split{ds.Train, ds.Test} {
			for i, y := range ds.Targets(s, nil) {
				if x := s.Values[2*i]; y != want(x) {
					t.Errorf("%q: case %v has the value %v, want %v", label, x, y, want(x))
				}
			}
		}
	}
	for cell, want := range map[string]string{
		"cheap": `has the value "cheap" in line 42, which is not a finite number`,
		"NaN":   `has the value "NaN" in line 42`,
		"1e50":  `has the value "1e50" in line 42`,
		"":      `has the value "" in line 42`,
	} {
		write(t, path, []byte(b.String()+"1,2,"+cell+"\n"))
		_, err := Import(t.Context(), newStore(), sweeps.Data{Name: path, Values: true}, Source{})
		var bad *Error
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), want) {
			t.Errorf("error = %v, want %q", err, want)
		}
	}
	write(t, path, []byte(b.String()))
	if _, err := Import(t.Context(), newStore(), sweeps.Data{Name: path}, Source{}); err == nil || !strings.Contains(err.Error(), "unless data.values says that they are values") {
		t.Errorf("values without the setting: error = %v", err)
	}
	for _, test := range []int{40, 50} {
		if _, err := Import(t.Context(), newStore(), sweeps.Data{Name: path, Values: true, Test: test}, Source{}); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "houses.csv has 40 cases") {
			t.Errorf("%d test cases: error = %v", test, err)
		}
	}
}

func TestNPYPair(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const n = 12
	var cases []float64
	var classes, several []byte
	var prices []float64
	for i := range n {
		cases = append(cases, float64(i), 0.5)
		classes = append(classes, byte(i%3))
		several = append(several, byte(i%2), byte(i%5))
		prices = append(prices, float64(i)/4, -float64(i))
	}
	for name, b := range map[string][]byte{
		"x.npy":        npy("<f8", "12, 2", floats(cases...)),
		"x-labels.npy": npy("|u1", "12,", classes),
		"several.npy":  npy("|u1", "12, 2", several),
		"prices.npy":   npy("<f8", "12, 2", floats(prices...)),
		"few.npy":      npy("|u1", "3,", []byte{0, 1, 2}),
		"deep.npy":     npy("|u1", "12, 1, 1", classes),
		"nan.npy":      npy("<f8", "12, 1", floats(0, 1, 2, math.NaN(), 4, 5, 6, 7, 8, 9, 10, 11)),
		"alone.npy":    npy("<f8", "12, 2", floats(cases...)),
	} {
		write(t, filepath.Join(dir, name), b)
	}
	path := filepath.Join(dir, "x.npy")
	ds, err := importWith(t, newStore(), sweeps.Data{Name: path}, Source{})
	if err != nil || ds.Train.N != 10 || ds.Test.N != 2 || ds.Classes != 3 || ds.Outputs != 1 {
		t.Fatalf("%+v, %v", ds, err)
	}
	for i, l := range ds.Train.Labels {
		if int(l) != int(ds.Train.Values[2*i])%3 {
			t.Errorf("case %v has the label %d", ds.Train.Values[2*i], l)
		}
	}
	ds, err = importWith(t, newStore(), sweeps.Data{Name: path, Label: "several.npy", Test: 3}, Source{})
	if err != nil || ds.Test.N != 3 || ds.Classes != 5 || ds.Outputs != 2 {
		t.Fatalf("%+v, %v", ds, err)
	}
	for i := range ds.Test.N {
		if x := uint8(ds.Test.Values[2*i]); ds.Test.Labels[2*i] != x%2 || ds.Test.Labels[2*i+1] != x%5 {
			t.Errorf("case %v has the labels %v", x, ds.Test.Labels[2*i:][:2])
		}
	}
	ds, err = importWith(t, newStore(), sweeps.Data{Name: path, Label: filepath.Join(dir, "prices.npy"), Values: true}, Source{})
	if err != nil || ds.Classes != 0 || ds.Outputs != 2 {
		t.Fatalf("%+v, %v", ds, err)
	}
	for i := range ds.Train.N {
		if x := ds.Train.Values[2*i]; ds.Train.Targets[2*i] != x/4 || ds.Train.Targets[2*i+1] != -x {
			t.Errorf("case %v has the values %v", x, ds.Train.Targets[2*i:][:2])
		}
	}
	for want, cfg := range map[string]sweeps.Data{
		"alone-labels.npy: there is no such file, where the labels of alone.npy should be": {Name: filepath.Join(dir, "alone.npy")},
		"nothing.npy: there is no such file, where the labels":                             {Name: path, Label: "nothing.npy"},
		"none.npy: there is no such file":                                                  {Name: filepath.Join(dir, "none.npy")},
		"few.npy: has the shape [3], where 12 labels are expected":                         {Name: path, Label: "few.npy"},
		"deep.npy: has the shape [12 1 1]":                                                 {Name: path, Label: "deep.npy"},
		"nan.npy: has NaN in row 4, column 1":                                              {Name: path, Label: "nan.npy", Values: true},
		"nan.npy: has the label NaN in row 4":                                              {Name: path, Label: "nan.npy"},
		"prices.npy: has the label 0.25 in row 2":                                          {Name: path, Label: "prices.npy"},
	} {
		_, err := Import(t.Context(), newStore(), cfg, Source{})
		var bad *Error
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("error = %v, want one line with %q", err, want)
		}
	}
}

// The same file is another data set when it is divided or read otherwise, and is
// fetched once for each.
func TestSingleFilesFromURLs(t *testing.T) {
	t.Parallel()
	bodies := map[string][]byte{
		"/animals.csv":    []byte(manyRows(60)),
		"/animals.csv.gz": zipped(t, []byte(manyRows(60))),
		"/book.txt":       []byte(strings.Repeat("to be or not to be\n", 50)),
		"/set.npz":        npz(t, map[string][]byte{"x": npy("<f8", "6, 1", floats(0, 1, 2, 3, 4, 5)), "y": npy("|u1", "6,", []byte{0, 1, 0, 1, 0, 1})}),
	}
	var served atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		served.Add(1)
		_, _ = w.Write(bodies[r.URL.Path])
	}))
	defer server.Close()
	store := newStore()
	src := Source{Client: server.Client()}
	digests := map[string]string{}
	fetch := func(name, path string, cfg sweeps.Data, downloads int32) {
		t.Helper()
		cfg.Name, cfg.SHA256 = server.URL+path+"?raw=1", fmt.Sprintf("%x", sha256.Sum256(bodies[path]))
		before := served.Load()
		for range 2 {
			ds, err := importWith(t, store, cfg, src)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			digests[name] = ds.Digest
		}
		if got := served.Load() - before; got != downloads {
			t.Errorf("%s: %d downloads, want %d", name, got, downloads)
		}
	}
	fetch("table", "/animals.csv", sweeps.Data{}, 1)
	fetch("gzipped", "/animals.csv.gz", sweeps.Data{}, 1)
	fetch("another seed", "/animals.csv", sweeps.Data{SplitSeed: 1}, 1)
	fetch("another test split", "/animals.csv", sweeps.Data{Test: 5}, 1)
	fetch("text", "/book.txt", sweeps.Data{Length: 100}, 1)
	fetch("text by default", "/book.txt", sweeps.Data{}, 0)
	fetch("shorter windows", "/book.txt", sweeps.Data{Length: 50}, 1)
	fetch("archive", "/set.npz", sweeps.Data{}, 1)
	different := map[string]bool{}
	for _, d := range digests {
		different[d] = true
	}
	if digests["gzipped"] != digests["table"] || digests["text by default"] != digests["text"] || len(different) != 6 {
		t.Errorf("digests are %v", digests)
	}
	sum := fmt.Sprintf("%x", sha256.Sum256([]byte("")))
	for want, cfg := range map[string]sweeps.Data{
		"make a .npz of both":       {Name: server.URL + "/x.npy", SHA256: sum},
		"data.sha256 must give":     {Name: server.URL + "/x.csv"},
		"/nothing.csv: has no case": {Name: server.URL + "/nothing.csv", SHA256: sum},
		"/nothing.txt: is empty":    {Name: server.URL + "/nothing.txt", SHA256: sum},
		"but data.sha256 says":      {Name: server.URL + "/book.txt", SHA256: sum},
	} {
		if _, err := Import(t.Context(), store, cfg, src); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("error = %v, want one line with %q", err, want)
		}
	}
}

// A divided archive has its test cases.
func TestTestSplitOfADividedNPZ(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "set.npz")
	x, y := npy("<f8", "2, 1", floats(0, 1)), npy("<f8", "2, 2", floats(0.5, 1, -1, 2))
	write(t, path, npz(t, map[string][]byte{"x_train": x, "y_train": y, "x_test": x, "y_test": y}))
	ds, err := importWith(t, newStore(), sweeps.Data{Name: path, Values: true}, Source{})
	if err != nil || ds.Outputs != 2 || !slices.Equal(ds.Test.Targets, []float32{0.5, 1, -1, 2}) {
		t.Errorf("%+v, %v", ds, err)
	}
	if _, err := Import(t.Context(), newStore(), sweeps.Data{Name: path, Values: true, Test: 1}, Source{}); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "comes with a test split") {
		t.Errorf("error = %v", err)
	}
}

// Wherever a file is cut off, it is an error of one line, and no other data set.
func TestTruncatedFiles(t *testing.T) {
	t.Parallel()
	labels := npy("|u1", "12,", []byte{0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1})
	cases := npy("<f4", "12, 1", make([]byte, 48))
	dir := t.TempDir()
	write(t, filepath.Join(dir, "x-labels.npy"), labels)
	for name, whole := range map[string][]byte{
		"x.npy": cases, "x.npz": npz(t, map[string][]byte{"x": cases, "y": labels}),
		"x.csv.gz": zipped(t, []byte(manyRows(30))), "x.txt.gz": zipped(t, []byte(strings.Repeat("to be or not", 60))),
	} {
		cfg := sweeps.Data{Name: filepath.Join(dir, name), Length: 20}
		parse := func(b []byte) error {
			raw, err := inflate(cfg.Name, bytes.NewReader(b), 1<<20)
			if err != nil {
				return err
			}
			f, err := parseFile(cfg, raw, 1<<20)
			if err == nil {
				_, err = f.check()
			}
			return err
		}
		if err := parse(whole); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for n := range whole {
			var bad *Error
			if err := parse(whole[:n]); !errors.As(err, &bad) || strings.Contains(err.Error(), "\n") {
				t.Fatalf("%s, cut to %d of %d bytes: error = %v, want an *Error of one line", name, n, len(whole), err)
			}
		}
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
