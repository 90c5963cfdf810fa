package sweeps

import (
	"math"
	"testing"
)

func TestCanonicalJSON(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		v    any
		want string
	}{
		{"keys are sorted by UTF-16", map[string]any{"b": 1, "a": 2, "\u20ac": 3, "\U0001f600": 4, "\ufb33": 5}, "{\"a\":2,\"b\":1,\"\u20ac\":3,\"\U0001f600\":4,\"\ufb33\":5}"},
		{"numbers", []any{1.0, 1e-5, 1e-7, 1e20, 1e21, 0.1, -0.5, math.Copysign(0, -1), 5e-324, math.MaxFloat64}, "[1,0.00001,1e-7,100000000000000000000,1e+21,0.1,-0.5,0,5e-324,1.7976931348623157e+308]"},
		{"text", "<a&\u2028\"\\\n", "\"<a&\u2028\\\"\\\\\\n\""},
		{"digits in text", map[string]string{"9007199254740993": `"9007199254740993`}, `{"9007199254740993":"\"9007199254740993"}`},
		{"largest whole number", []any{uint64(MaxSafeInteger), int64(-MaxSafeInteger)}, "[9007199254740991,-9007199254740991]"},
		{"a large power of two", uint64(1 << 53), "9007199254740992"},
		{"nothing", nil, "null"},
	} {
		got, err := CanonicalJSON(test.v)
		if err != nil || string(got) != test.want {
			t.Errorf("%s: got %s, %v; want %s", test.name, got, err, test.want)
		}
	}
}

// What would lose its value, and so give two trials one ID, is refused.
func TestCanonicalJSONRefuses(t *testing.T) {
	t.Parallel()
	for name, v := range map[string]any{
		"NaN":                 math.NaN(),
		"infinity":            math.Inf(1),
		"2^53+1":              uint64(1<<53 + 1),
		"in a list":           []any{1, int64(-(1<<53 + 1))},
		"after text":          map[string]any{"a": `\"`, "b": uint64(math.MaxUint64)},
		"no JSON":             func() {},
		"beyond the mantissa": uint64(1 << 60),
	} {
		if got, err := CanonicalJSON(v); err == nil {
			t.Errorf("%s: got %s", name, got)
		}
	}
}

func TestTrialIDValid(t *testing.T) {
	t.Parallel()
	for id, want := range map[TrialID]bool{
		"0123456789abcdef": true, "": false, "0123456789abcde": false, "0123456789abcdef0": false,
		"0123456789ABCDEF": false, "0123456789abcdeg": false, "../3456789abcdef": false,
	} {
		if got := id.Valid(); got != want {
			t.Errorf("%q: got %v", id, got)
		}
	}
}

// These IDs name trials in stores that exist. A change here means that every
// trial of every user would be trained again: if it is meant, say so in the
// change log; if not, the canonical form has changed by accident.
func TestGoldenIDs(t *testing.T) {
	t.Parallel()
	custom := mustParse(t, "version: 1\nname: demo\nseed: 3\ntrainer: {command: [x]}\nconfig: {b: [1, 2.5, null], a: {c: text}}\n")
	for _, test := range []struct {
		name  string
		trial Trial
		want  TrialID
	}{
		{"defaults", Trial{Config: mustParse(t, "version: 1\nname: demo\n").Config, Dataset: "sha256:00", Trainer: "tenfold/1"}, "8ed2e4f744fe84da"},
		{"custom", Trial{Config: custom.Config, Trainer: "x"}, "4de83226bc4f9c4e"},
		{"zero", Trial{}, "5b856150239b60fe"},
	} {
		got, err := test.trial.ID()
		if err != nil || got != test.want || !got.Valid() {
			t.Errorf("%s: got %s, %v; want %s", test.name, got, err, test.want)
		}
	}
	if got, want := SweepID(custom), "demo-b255910a"; got != want {
		t.Errorf("sweep: got %s, want %s", got, want)
	}
}

func TestIDsWithoutCanonicalForm(t *testing.T) {
	t.Parallel()
	broken := Config{Train: Train{LearningRate: math.NaN()}}
	if id, err := (Trial{Config: broken}).ID(); err == nil {
		t.Errorf("a trial with a NaN has the ID %s", id)
	}
	if got := SweepID(Spec{Name: "demo", Config: broken}); got != "demo-00000000" {
		t.Errorf("got %s", got)
	}
}
