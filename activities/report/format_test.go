package report

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDuration(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in   float64
		want string
	}{
		{0, "0.0 s"}, {9.94, "9.9 s"}, {75.4, "75 s"}, {100, "1 min 40 s"}, {4860, "1 h 21 min"},
		{65520, "18.2 h"}, {3_700_000, "1,027 h"}, {math.Inf(1), "277,777,777 h"},
	} {
		if got := duration(tt.in); got != tt.want {
			t.Errorf("%v: %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestValue(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in   any
		want string
	}{
		{0.1, "0.1"}, {0.0310723250595, "0.03107"}, {1e-7, "1e-07"}, {128, "128"}, {uint64(12345), "12345"}, {123456.0, "123456"},
		{math.Copysign(0, -1), "0"}, {float32(0.5), "0.5"}, {1e20, "1e+20"}, {math.NaN(), "NaN"}, {"relu", "relu"}, {true, "true"}, {nil, "–"},
		{[]int{512, 10}, "[512, 10]"}, {[]any{"a", 1.5}, `["a", 1.5]`}, {func() {}, "?"},
	} {
		got := value(tt.in)
		if _, odd := tt.in.(func()); odd {
			continue // no such value comes from a spec; it must only not panic
		}
		if got != tt.want {
			t.Errorf("%v: %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestGrouped(t *testing.T) {
	t.Parallel()
	for in, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1234: "-1,234", -123: "-123"} {
		if got := grouped(in); got != want {
			t.Errorf("%d: %q, want %q", in, got, want)
		}
	}
}

func TestShortNames(t *testing.T) {
	t.Parallel()
	got := shortNames([]string{"seed", "model.hidden", "model.dropout.hidden", "model.dropout.input", "train.seed", "config.input.size"})
	want := map[string]string{
		"seed": "seed", "train.seed": "train.seed", "model.hidden": "model.hidden", "model.dropout.hidden": "dropout.hidden",
		"model.dropout.input": "input", "config.input.size": "size",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestTicks(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		s    scale
		n    int
		want []float64
	}{
		{scale{lo: 0.012, hi: 0.021}, 5, []float64{0.012, 0.014, 0.016, 0.018, 0.02}},
		{scale{lo: 0.01, hi: 1, log: true}, 8, []float64{0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1}},
		{scale{lo: 0.001, hi: 100, log: true}, 6, []float64{0.001, 0.01, 0.1, 1, 10, 100}},
		{scale{lo: 0.013, hi: 0.019, log: true}, 5, []float64{0.014, 0.016, 0.018}}, // too narrow for powers of ten
		{scale{lo: 2, hi: 2}, 5, []float64{2}},
		{scale{lo: 0, hi: math.Inf(1)}, 5, []float64{0}},
	} {
		got := tt.s.ticks(tt.n)
		if len(got) != len(tt.want) {
			t.Errorf("%+v: %v, want %v", tt.s, got, tt.want)
			continue
		}
		for i := range got {
			if math.Abs(got[i]-tt.want[i]) > 1e-9 {
				t.Errorf("%+v: %v, want %v", tt.s, got, tt.want)
			}
		}
	}
}

func TestErrorScale(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		values []float64
		log    bool
		want   bool // logarithmic
	}{
		{nil, true, false},
		{[]float64{0, 0}, true, false},
		{[]float64{0.02, 0.03}, false, false},
		{[]float64{0.02, 0.9}, false, true},
		{[]float64{0, 0.9}, false, false},
		{[]float64{0, 0.9}, true, true},
		{[]float64{0.5}, true, true},
	} {
		s := errorScale(tt.values, 100, 0, tt.log)
		if s.log != tt.want {
			t.Errorf("%v: log %v", tt.values, s.log)
		}
		for _, v := range tt.values {
			if at := s.at(v); !finite(at) || at < 0 || at > 100 {
				t.Errorf("%v: %v is at %v", tt.values, v, at)
			}
		}
		for _, tick := range s.errorTicks(5) {
			if !finite(tick.At) {
				t.Errorf("%v: tick %+v", tt.values, tick)
			}
		}
	}
}

func TestSample(t *testing.T) {
	t.Parallel()
	all := []int{0, 1, 2, 3, 4, 5, 6, 7, 8}
	for _, tt := range []struct {
		n    int
		want []int
	}{{20, all}, {9, all}, {3, []int{0, 4, 8}}, {1, []int{0}}} {
		if diff := cmp.Diff(tt.want, sample(all, tt.n)); diff != "" {
			t.Error(diff)
		}
	}
}
