package adapter_test

import (
	"math"
	"strings"
	"testing"

	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/trainer"
	"github.com/tenfold-ml/tenfold/trainer/data"
)

// leave is a command that leaves files and a result.
func leave(t *testing.T, result string, files map[string][]byte) string {
	t.Helper()
	script := "echo '" + result + `' > "$TENFOLD_OUT/result.json"` + "\n"
	if len(files) > 0 {
		script += arrays(t, files)
	}
	return script
}

// threeCases are predictions of three cases, two of them right.
func threeCases() map[string][]byte {
	p := matrix(3, 2, 0.9, 0.1, 0.2, 0.8, 0.3, 0.7)
	return map[string][]byte{
		"validation.npy": p, "validation_labels.npy": vector(0, 1, 0),
		"test.npy": matrix(2, 2, 0.5, 0.5, 1, 0), "test_labels.npy": vector(1, 0),
	}
}

func TestPredictionsAreMeasured(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	if got := f.run(t.Context(), t, 1, leave(t, `{"engine": "by hand"}`, threeCases()), nil); got.err != nil {
		t.Fatal(got.err)
	}
	r := f.result(t)
	nll := -(math.Log(0.9) + math.Log(0.8) + math.Log(0.3)) / 3
	if math.Abs(r.ValidationError-1.0/3) > 1e-9 || math.Abs(r.ValidationNLL-nll) > 1e-6 || r.Engine != "by hand" || r.Curve == nil {
		t.Errorf("result %+v, want an error of 1/3 and an NLL of %v", r, nll)
	}
	for _, a := range []sweeps.Artifact{r.ValidationPredictions, r.TestPredictions, r.ValidationLabels, r.TestLabels} {
		if err := f.store.VerifyArtifact(t.Context(), a); err != nil {
			t.Error(err)
		}
	}
	b, err := f.store.ReadArtifact(t.Context(), r.ValidationLabels)
	if err != nil || string(b) != string(vector(0, 1, 0)) {
		t.Errorf("labels %q, %v", b, err)
	}
}

// Values, with 64 bits as NumPy has them by default.
func TestValuesAreMeasured(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	values := func(a, b float32) []byte { return matrix(2, 1, a, b) }
	script := leave(t, `{"values": true}`, map[string][]byte{
		"validation.npy": values(1, 3), "validation_labels.npy": data.EncodeNPY([]int{2}, []float32{1, 5}),
		"test.npy": values(1, 2), "test_labels.npy": values(2, 1),
	})
	if got := f.run(t.Context(), t, 1, script, nil); got.err != nil {
		t.Fatal(got.err)
	}
	if r := f.result(t); r.ValidationNLL != 2 || r.ValidationError != 0.5 || !r.Values {
		t.Errorf("result %+v, want a mean squared error of 2, half the variance", r)
	}
}

func TestBadResults(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	nan := float32(math.NaN())
	without := func(name string) map[string][]byte {
		files := threeCases()
		delete(files, name)
		return files
	}
	with := func(name string, b []byte) map[string][]byte {
		files := threeCases()
		files[name] = b
		return files
	}
	for name, tc := range map[string]struct {
		result string
		files  map[string][]byte
		says   string
	}{
		"empty":            {"", nil, "result.json: is empty"},
		"no JSON":          {"{\n  broken", nil, "result.json: line 2: is no JSON: invalid character 'b'"},
		"half":             {`{"validation_error": 0.5`, nil, "result.json: ends within its JSON"},
		"two":              {`{"validation_error": 0.5} {}`, nil, "result.json: has more in it than one JSON object"},
		"NaN":              {`{"validation_error": NaN}`, nil, "result.json: line 1: NaN is no number in JSON; where training has diverged"},
		"misspelt":         {`{"validation_eror": 0.5}`, nil, `result.json: has the key "validation_eror", which is none of status, validation_error`},
		"text":             {`{"validation_error": "0.5"}`, nil, `result.json: "validation_error" cannot be a string`},
		"no error":         {`{}`, nil, `result.json: has no "validation_error", and there are no predictions`},
		"percentage":       {`{"validation_error": 12.5}`, nil, "result.json: has a validation_error of 12.5; it is a share"},
		"below 0":          {`{"validation_error": -1}`, nil, "result.json: has a validation_error of -1, below 0"},
		"status":           {`{"status": "done"}`, nil, `result.json: has the status "done", want "completed" or "diverged"`},
		"another error":    {`{"validation_error": 0.9}`, threeCases(), "result.json: has a validation_error of 0.9, and validation.npy has one of 0.3333 by its labels"},
		"no test":          {`{}`, without("test.npy"), "test.npy: is missing, and validation.npy is there"},
		"no validation":    {`{}`, without("validation.npy"), "validation.npy: is missing, and test.npy is there"},
		"no test labels":   {`{}`, without("test_labels.npy"), "test_labels.npy: is missing, and validation_labels.npy is there"},
		"not a number":     {`{}`, with("test.npy", matrix(2, 2, 0.5, 0.5, nan, 1)), "test.npy: row 1 has NaN for class 0"},
		"no probabilities": {`{}`, with("validation.npy", matrix(3, 2, 0.9, 0.1, 0.2, 0.8, 0.25, 0.25)), "validation.npy: row 2 sums to 0.5, want 1"},
		"scores":           {`{}`, with("validation.npy", matrix(3, 2, 0.9, 0.1, -2, 3, 0.3, 0.7)), "validation.npy: row 1 has -2 for class 0, which is no probability"},
		"too few rows":     {`{}`, with("validation.npy", matrix(2, 2, 0.9, 0.1, 0.2, 0.8)), "validation.npy: has 2 rows, and validation_labels.npy has 3 labels"},
		"other classes":    {`{}`, with("test.npy", matrix(2, 3, 0.9, 0.1, 0, 0.2, 0.8, 0)), "test.npy: has 3 columns, and validation.npy has 2"},
		"one dimension":    {`{}`, with("test.npy", data.EncodeNPY([]int{2}, []float32{1, 1})), "test.npy: has the shape (2,), want cases and classes"},
		"one class":        {`{}`, with("test.npy", matrix(2, 1, 1, 1)), "test.npy: has one column, want one for each class"},
		"no rows":          {`{}`, with("test.npy", matrix(0, 2)), "test.npy: has no numbers: its shape is (0, 2)"},
		"no npy":           {`{}`, with("test.npy", []byte("0.5,0.5\n")), "test.npy: is not a .npy file"},
		"cut":              {`{}`, with("test.npy", matrix(2, 2, 0.5, 0.5, 1, 0)[:130]), "test.npy: is truncated"},
		"no class":         {`{}`, with("validation_labels.npy", vector(0, 2, 0)), "validation_labels.npy: row 1 has the label 2, want a class from 0 to 1"},
		"half a class":     {`{}`, with("validation_labels.npy", data.EncodeNPY([]int{3}, []float32{0, 0.5, 1})), "validation_labels.npy: row 1 has the label 0.5"},
		"other values":     {`{"values": true}`, with("test_labels.npy", vector(1, 0)), "validation.npy: has the shape (3, 2), and validation_labels.npy (3,); want the same"},
	} {
		got := f.run(t.Context(), t, 1, leave(t, tc.result, tc.files), nil)
		if trainer.ExitCode(got.err) != trainer.ExitData || !strings.HasPrefix(got.err.Error(), tc.says) || strings.Contains(got.err.Error(), "\n") {
			t.Errorf("%s: %v, want %q", name, got.err, tc.says)
		}
	}
	for o, err := range f.store.Backend().List(t.Context(), "") {
		if err != nil || strings.Contains(o.Key, "results") || strings.Contains(o.Key, "predictions") {
			t.Errorf("bad results have left %v, %v", o, err)
		}
	}
}
