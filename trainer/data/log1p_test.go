package data

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tenfold-ml/tenfold/sweeps"
)

func TestLog1pIsOfTheNumbersInTheData(t *testing.T) {
	t.Parallel()
	log := func(v float64) float32 { return float32(math.Log(1 + v)) }
	near := func(a, b float32) bool { return math.Abs(float64(a-b)) < 1e-6 }
	ds := Dataset{Shape: []int{2}, Train: Split{N: 2, Images: []uint8{0, 1, 100, 255}}, Test: Split{N: 1, Values: []float32{-0.5, 1e6}}}
	if err := ds.Log1p(); err != nil {
		t.Fatal(err)
	}
	if want := []float32{0, log(1), log(100), log(255)}; ds.Train.Images != nil || !slices.EqualFunc(ds.Train.Values, want, near) {
		t.Errorf("bytes became %v and %v, want %v", ds.Train.Images, ds.Train.Values, want)
	}
	if want := []float32{log(-0.5), log(1e6)}; !slices.EqualFunc(ds.Test.Values, want, near) {
		t.Errorf("floats became %v, want %v", ds.Test.Values, want)
	}
	bad := Dataset{Name: "x", Shape: []int{2}, Test: Split{N: 2, Values: []float32{0, 1, 2, -1}}}
	var e *Error
	if err := bad.Log1p(); !errors.As(err, &e) || err.Error() != "x, test split: has -1 in row 2, column 2, and data.log1p needs numbers above -1" {
		t.Errorf("error = %v", err)
	}
}

// What has no logarithm is told when the data are imported, with its place in the file.
func TestLog1pRefusesNegativeNumbers(t *testing.T) {
	t.Parallel()
	rows := "a,b,label\n" + strings.Repeat("1,-0.5,0\n3,4,1\n", 6)
	labels := npy("|u1", "2,", []byte{0, 1})
	cases := func(last float64) []byte { return npy("<f8", "2, 2", floats(1, 2, 3, last)) }
	idxOf := func(last float32) map[string][]byte {
		set := small()
		x := make([]float32, 12)
		x[11] = last
		set[testImages] = makeFloatIDX(x, 3, 2, 2).raw
		set[trainImages] = makeFloatIDX(make([]float32, 24), 6, 2, 2).raw
		return set
	}
	file := func(name string, content []byte) string {
		path := filepath.Join(t.TempDir(), name)
		write(t, path, content)
		return path
	}
	for name, c := range map[string]struct{ good, bad, want string }{
		"csv": {file("x.csv", []byte(rows)), file("x.csv", []byte(rows+"1,-1,0\n")), `x.csv: has "-1" in line 14, column 2, and data.log1p needs numbers above -1`},
		"npz": {
			file("x.npz", npz(t, map[string][]byte{"x_train": cases(1), "y_train": labels, "x_test": cases(1), "y_test": labels})),
			file("x.npz", npz(t, map[string][]byte{"x_train": cases(1), "y_train": labels, "x_test": cases(-3), "y_test": labels})),
			"x.npz!x_test: has -3 in row 2, column 2, and data.log1p needs numbers above -1",
		},
		"idx": {writeSet(t, idxOf(-0.99)), writeSet(t, idxOf(-2)), "t10k-images-idx3-ubyte: has -2 in row 3, column 4, and data.log1p needs numbers above -1"},
	} {
		for _, log1p := range []bool{false, true} {
			if _, err := Import(t.Context(), newStore(), sweeps.Data{Name: c.good, Log1p: log1p}, Source{}); err != nil {
				t.Errorf("%s, log1p %v: %v", name, log1p, err)
			}
		}
		if _, err := Import(t.Context(), newStore(), sweeps.Data{Name: c.bad}, Source{}); err != nil {
			t.Errorf("%s, without log1p: %v", name, err)
		}
		var e *Error
		_, err := Import(t.Context(), newStore(), sweeps.Data{Name: c.bad, Log1p: true}, Source{})
		if !errors.As(err, &e) || !strings.HasSuffix(err.Error(), c.want) {
			t.Errorf("%s: error = %v, want %q", name, err, c.want)
		}
	}
}

// The scale in a description is that of what the network gets.
func TestLog1pIsDescribed(t *testing.T) {
	t.Parallel()
	describe := func(log1p bool) (text, asJSON string, d Description) {
		ds := Dataset{
			Name: "x", Shape: []int{1}, Classes: 2, Outputs: 1,
			Train: Split{N: 2, Values: []float32{0, 1e6}, Labels: []uint8{0, 1}}, Test: Split{N: 1, Values: []float32{7}, Labels: []uint8{0}},
		}
		if log1p {
			if err := ds.Log1p(); err != nil {
				t.Fatal(err)
			}
		}
		d = Describe(&ds)
		var out bytes.Buffer
		if err := d.Write(&out); err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		return out.String(), string(b), d
	}
	text, asJSON, d := describe(true)
	if !strings.Contains(text, "scale    of log1p of the 1 features") || !strings.Contains(asJSON, `"log1p":true`) || math.Abs(d.Scale.Max.Highest-math.Log(1+1e6)) > 1e-5 {
		t.Errorf("%s%s", text, asJSON)
	}
	if text, asJSON, _ := describe(false); strings.Contains(text+asJSON, "log1p") {
		t.Errorf("%s%s", text, asJSON)
	}
}
