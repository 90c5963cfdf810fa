package space

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func numbers(p Parameter) []any {
	var all []any
	for i := range p.Len() {
		all = append(all, p.At(i))
	}
	return all
}

func ranged(from, to float64, scale string, count int) Parameter {
	return Parameter{Min: &from, Max: &to, Scale: scale, Count: count}
}

func TestParameterAt(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		p    Parameter
		want []any
	}{
		{"values keep their order", Parameter{Values: []any{"b", 1.0, true, []any{2.0}}}, []any{"b", 1.0, true, []any{2.0}}},
		{"linear", ranged(0, 1, Linear, 5), []any{0.0, 0.25, 0.5, 0.75, 1.0}},
		{"no scale is linear", ranged(1, 3, "", 3), []any{1.0, 2.0, 3.0}},
		{"tenths are tenths", ranged(0.1, 0.5, Linear, 5), []any{0.1, 0.2, 0.3, 0.4, 0.5}},
		{"through zero", ranged(-0.1, 0.3, Linear, 5), []any{-0.1, 0.0, 0.1, 0.2, 0.3}},
		{"thirds", ranged(-1, 2, Linear, 10), []any{-1.0, -0.666666666667, -0.333333333333, 0.0, 0.333333333333, 0.666666666667, 1.0, 1.33333333333, 1.66666666667, 2.0}},
		{"powers of ten", ranged(1e-5, 1, Log, 6), []any{1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0}},
		{"powers of two", ranged(16, 1024, Log, 7), []any{16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0}},
		{"two ends", ranged(0.3, 7, Log, 2), []any{0.3, 7.0}},
		{"ends are exact", ranged(1.0/3, 2.0/3, Linear, 2), []any{1.0 / 3, 2.0 / 3}},
		{"wide", ranged(1e-100, 1e100, Log, 3), []any{1e-100, 1.0, 1e100}},
		{"invalid counts are none", ranged(0, 1, Linear, -1), nil},
		{"nothing", Parameter{}, nil},
	} {
		if diff := cmp.Diff(test.want, numbers(test.p)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

// The bits of a grid are in trial IDs, so they may never change.
func TestRangesHaveGoldenBits(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		p    Parameter
		i    int
		want uint64
	}{
		{ranged(0.01, 0.3, Log, 4), 1, 0x3f9fd16c6fc3d2c8},
		{ranged(0.01, 0.3, Log, 4), 2, 0x3fb8b76e6526dbf2},
		{ranged(0.001, 5, Linear, 7), 3, 0x4004010624dd2f1b},
		{ranged(1e-7, 1e3, Log, 97), 50, 0x3f908b3187d9e72a},
	} {
		if got := math.Float64bits(test.p.number(test.i)); got != test.want {
			t.Errorf("value %d of %v to %v: got %v, %#x; want %#x", test.i, *test.p.Min, *test.p.Max, test.p.number(test.i), got, test.want)
		}
	}
}

func TestParameterValidate(t *testing.T) {
	t.Parallel()
	x := 0.5
	for _, test := range []struct {
		name  string
		p     Parameter
		field string
		want  string // part of the message; empty when valid
	}{
		{"values", Parameter{Values: []any{1.0, "a"}}, "", ""},
		{"range", ranged(0, 1, Linear, 2), "", ""},
		{"log", ranged(0.1, 1, Log, 1000), "", ""},
		{"nothing", Parameter{}, "", "has no values"},
		{"empty", Parameter{Values: []any{}}, "values", "empty"},
		{"many", Parameter{Values: make([]any, MaxCount+1)}, "values", "at most"},
		{"NaN value", Parameter{Values: []any{1.0, math.NaN()}}, "values", "finite"},
		{"infinite value", Parameter{Values: []any{math.Inf(-1)}}, "values", "finite"},
		{"both, min", Parameter{Values: []any{1.0}, Min: &x}, "min", "exclude"},
		{"both, max", Parameter{Values: []any{1.0}, Max: &x}, "max", "exclude"},
		{"both, scale", Parameter{Values: []any{1.0}, Scale: Log}, "scale", "exclude"},
		{"both, count", Parameter{Values: []any{1.0}, Count: 2}, "count", "exclude"},
		{"no min", Parameter{Max: &x, Count: 2}, "", "min is missing"},
		{"no max", Parameter{Min: &x, Count: 2}, "", "max is missing"},
		{"count only", Parameter{Count: 2}, "", "min is missing"},
		{"scale unknown", ranged(0, 1, "sqrt", 2), "scale", "use linear or log"},
		{"log of zero", ranged(0, 1, Log, 2), "min", "through zero"},
		{"log below zero", ranged(-2, -1, Log, 2), "min", "through zero"},
		{"log of next to nothing", ranged(1e-300, 1, Log, 2), "min", "1e-100"},
		{"turned round", ranged(2, 1, Linear, 2), "min", "not below max"},
		{"a point", ranged(1, 1, Linear, 2), "min", "not below max"},
		{"count 0", ranged(0, 1, Linear, 0), "count", "at least 2"},
		{"count 1", ranged(0, 1, Linear, 1), "count", "at least 2"},
		{"count below 0", ranged(0, 1, Linear, -3), "count", "at least 2"},
		{"count beyond reason", ranged(0, 1, Linear, MaxCount+1), "count", "at most"},
		{"NaN min", ranged(math.NaN(), 1, Linear, 2), "min", "finite"},
		{"infinite max", ranged(0, math.Inf(1), Linear, 2), "max", "finite"},
		{"huge", ranged(-1e300, 1, Linear, 2), "min", "1e100"},
		{"narrow", ranged(1, 1+1e-13, Linear, 3), "count", "narrow"},
		{"narrow log", ranged(1, 1+1e-12, Log, 100), "count", "narrow"},
	} {
		err := test.p.Validate()
		if test.want == "" {
			if err != nil {
				t.Errorf("%s: %v", test.name, err)
			}
			continue
		}
		var f *Error
		if !errors.As(err, &f) || f.Field != test.field || !strings.Contains(f.Message, test.want) {
			t.Errorf("%s: got %v", test.name, err)
		}
	}
}

func TestErrorNamesTheField(t *testing.T) {
	t.Parallel()
	for want, e := range map[string]*Error{
		"wrong":            {Index: -1, Message: "wrong"},
		"min: wrong":       {Field: "min", Index: -1, Message: "wrong"},
		"values[2]: wrong": {Field: "values", Index: 2, Message: "wrong"},
	} {
		if got := e.Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// A valid range begins at min, ends at max, rises all the way, and is even.
func TestRangesRise(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		scale := rapid.SampledFrom([]string{Linear, Log}).Draw(t, "scale")
		low := 1e-30
		if scale == Linear {
			low = -1e30
		}
		from := rapid.Float64Range(low, 1e30).Draw(t, "min")
		p := ranged(from, rapid.Float64Range(from, 1e31).Draw(t, "max"), scale, rapid.IntRange(2, 200).Draw(t, "count"))
		if p.Validate() != nil {
			t.Skip("too narrow")
		}
		if p.At(0) != *p.Min || p.At(p.Count-1) != *p.Max {
			t.Fatalf("from %v to %v", p.At(0), p.At(p.Count-1))
		}
		for i := 1; i < p.Count; i++ {
			if !(p.number(i) > p.number(i-1)) {
				t.Fatalf("value %d is %v, after %v", i, p.number(i), p.number(i-1))
			}
		}
		for i := 1; i+1 < p.Count; i++ {
			share := float64(i) / float64(p.Count-1)
			want := *p.Min*(1-share) + *p.Max*share
			if scale == Log {
				want = math.Exp(math.Log(*p.Min)*(1-share) + math.Log(*p.Max)*share)
			}
			if tolerance := 1e-11 * max(math.Abs(want), share*math.Abs(*p.Max)*1e-3); scale == Log && math.Abs(p.number(i)-want) > tolerance {
				t.Fatalf("value %d is %v, want %v", i, p.number(i), want)
			}
			if scale == Linear && math.Abs(p.number(i)-want) > 1e-11*max(math.Abs(*p.Min), math.Abs(*p.Max)) {
				t.Fatalf("value %d is %v, want %v", i, p.number(i), want)
			}
		}
	})
}

// The elementary functions are as good as the standard library's, up to 1e-14.
func TestElementaryFunctions(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.Float64Range(1e-100, 1e100).Draw(t, "x")
		if got, want := ln(x), math.Log(x); math.Abs(got-want) > 1e-14*max(1, math.Abs(want)) {
			t.Fatalf("ln(%v) = %v, want %v", x, got, want)
		}
		y := rapid.Float64Range(-230, 230).Draw(t, "y")
		if got, want := exp(y), math.Exp(y); math.Abs(got-want) > 1e-13*want {
			t.Fatalf("exp(%v) = %v, want %v", y, got, want)
		}
	})
}

func TestFormat(t *testing.T) {
	t.Parallel()
	for want, x := range map[string]float64{"0": 0, "0.0001": 1e-4, "1e-05": 1e-5, "-2.5": -2.5, "100000": 1e5, "1e+20": 1e20, "9007199254740991": 1<<53 - 1} {
		if got := Format(x); got != want && !(x == 1<<53-1 && got == "9.007199254740991e+15") {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
