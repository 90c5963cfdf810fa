package model

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tenfold-ml/tenfold/sweeps"
)

func TestParameters(t *testing.T) {
	t.Parallel()
	n := network(t, config([]int{12, 7}, sweeps.Dropout{}), Options{Inputs: 5, Classes: 3, BatchSize: 16, Seed: 2})
	var got []string
	for _, p := range n.Params() {
		got = append(got, fmt.Sprint(p.Name, p.Shape, len(p.Value), len(p.Grad)))
	}
	want := []string{
		"dense0.weight[5 12] 60 60", "dense0.bias[12] 12 12", "dense1.weight[12 7] 84 84", "dense1.bias[7] 7 7",
		"dense2.weight[7 3] 21 21", "dense2.bias[3] 3 3",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("parameters (-want +got):\n%s", diff)
	}
}

func TestInitialWeights(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		init sweeps.Init
		sd   func(fanIn float64) float64
	}{
		{sweeps.Init{Kind: "scaled", Scale: 1}, func(f float64) float64 { return 1 / math.Sqrt(f) }},
		{sweeps.Init{Kind: "scaled", Scale: 0.1}, func(f float64) float64 { return 0.1 / math.Sqrt(f) }},
		{sweeps.Init{Kind: "normal", Scale: 0.02}, func(float64) float64 { return 0.02 }},
		{sweeps.Init{Kind: "he", Scale: 1}, func(f float64) float64 { return math.Sqrt(2 / f) }},
		{sweeps.Init{Kind: "sign", Scale: 0.5}, func(f float64) float64 { return 0.5 / math.Sqrt(f) }},
	} {
		cfg := config([]int{300, 200}, sweeps.Dropout{})
		cfg.Init = c.init
		n := network(t, cfg, Options{Inputs: 100, Classes: 50, BatchSize: 1, Seed: 7})
		for _, p := range n.Params() {
			if strings.HasSuffix(p.Name, ".bias") {
				if slices.ContainsFunc(p.Value, func(v float32) bool { return v != 0 }) {
					t.Errorf("%v: %s is not zero", c.init, p.Name)
				}
				continue
			}
			sum, square := 0.0, 0.0
			for _, v := range p.Value {
				sum += float64(v)
				square += float64(v) * float64(v)
			}
			count := float64(len(p.Value))
			want := c.sd(float64(p.Shape[0]))
			if got := math.Sqrt(square / count); math.Abs(got/want-1) > 5/math.Sqrt(2*count) {
				t.Errorf("%v: %s has standard deviation %v, want %v", c.init, p.Name, got, want)
			}
			if math.Abs(sum/count) > 5*want/math.Sqrt(count) {
				t.Errorf("%v: %s has mean %v", c.init, p.Name, sum/count)
			}
		}
	}
}

// Weights of the family sign are ± one number, and biases of hidden units fill
// their interval while those of the outputs are zero.
func TestSignsAndBiases(t *testing.T) {
	t.Parallel()
	cfg := config([]int{400, 400}, sweeps.Dropout{})
	cfg.Init = sweeps.Init{Kind: "sign", Scale: 3, Bias: 2}
	n := network(t, cfg, Options{Inputs: 9, Classes: 50, BatchSize: 1, Seed: 7})
	for i, p := range n.Params() {
		if i%2 == 0 {
			want := float32(3 / math.Sqrt(float64(p.Shape[0])))
			if slices.ContainsFunc(p.Value, func(v float32) bool { return v != want && v != -want }) {
				t.Errorf("%s has weights other than ±%v", p.Name, want)
			}
			continue
		}
		low, high := slices.Min(p.Value), slices.Max(p.Value)
		if p.Name == "dense2.bias" {
			if low != 0 || high != 0 {
				t.Errorf("%s lies in %v … %v, want 0", p.Name, low, high)
			}
			continue
		}
		sum := 0.0
		for _, v := range p.Value {
			sum += float64(v)
		}
		// The mean of 400 has a standard deviation of 2/√3/20 = 0.06.
		if low < -2 || low > -1.95 || high > 2 || high < 1.95 || math.Abs(sum/400) > 0.25 {
			t.Errorf("%s lies in %v … %v with mean %v", p.Name, low, high, sum/400)
		}
	}
}

// What a seed draws never changes.
func TestGoldenInitialValues(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string][]float32{
		"normal": {-0.7228093, 0.7133343, -0.45801336, 0.79615736, 0.96328807, -0.30278313, -0.12899996, 0.24613158},
		"scaled": {-0.41731417, 0.41184375, -0.26443413, 0.45966166, 0.5561546, -0.17481193, -0.12899996, 0.24613158},
		"he":     {-0.59017134, 0.582435, -0.37396634, 0.65005976, 0.7865214, -0.2472214, -0.12899996, 0.24613158},
		"sign":   {-0.57735026, 0.57735026, -0.57735026, 0.57735026, -0.57735026, -0.57735026, -0.12899996, 0.24613158},
	} {
		cfg := config([]int{2}, sweeps.Dropout{})
		cfg.Init = sweeps.Init{Kind: kind, Scale: 1, Bias: 2}
		n := network(t, cfg, Options{Inputs: 3, Classes: 2, BatchSize: 1, Seed: 7})
		if got := slices.Concat(n.Params()[0].Value, n.Params()[1].Value); !slices.Equal(got, want) {
			t.Errorf("%s: weights and biases are %#v, want %#v", kind, got, want)
		}
	}
}

func TestInitialWeightsDependOnSeedAndLayerOnly(t *testing.T) {
	t.Parallel()
	weights := func(seed uint64, scale float64, hidden ...int) [][]float32 {
		cfg := config(hidden, sweeps.Dropout{})
		cfg.Init = sweeps.Init{Kind: "normal", Scale: scale}
		n := network(t, cfg, Options{Inputs: 8, Classes: 8, BatchSize: 1, Seed: seed})
		var w [][]float32
		for _, p := range n.Params() {
			w = append(w, p.Value)
		}
		return w
	}
	base := weights(1, 1, 8, 8)
	if diff := cmp.Diff(base, weights(1, 1, 8, 8)); diff != "" {
		t.Errorf("the same seed (-first +second):\n%s", diff)
	}
	if slices.Equal(base[0], base[2]) {
		t.Error("two layers have the same weights")
	}
	if slices.Equal(base[0], weights(2, 1, 8, 8)[0]) {
		t.Error("two seeds have the same weights")
	}
	if diff := cmp.Diff(base[0], weights(1, 1, 8)[0]); diff != "" {
		t.Errorf("the first layer depends on the number of layers (-two +one):\n%s", diff)
	}
}

func TestBadConfigurations(t *testing.T) {
	t.Parallel()
	good := Options{Inputs: 5, Classes: 3, BatchSize: 16}
	for says, change := range map[string]func(*sweeps.Model, *Options){
		"kind":           func(m *sweeps.Model, _ *Options) { m.Kind = "transformer" },
		"activation":     func(m *sweeps.Model, _ *Options) { m.Activation = "gelu" },
		"init.kind":      func(m *sweeps.Model, _ *Options) { m.Init.Kind = "" },
		"init.scale":     func(m *sweeps.Model, _ *Options) { m.Init.Scale = math.NaN() },
		"init.bias":      func(m *sweeps.Model, _ *Options) { m.Init.Bias = -1 },
		"dropout.input":  func(m *sweeps.Model, _ *Options) { m.Dropout.Input = 1 },
		"dropout.hidden": func(m *sweeps.Model, _ *Options) { m.Dropout.Hidden = -0.1 },
		"hidden[1]":      func(m *sweeps.Model, _ *Options) { m.Hidden = []int{3, 0} },
		"features":       func(_ *sweeps.Model, o *Options) { o.Inputs = 0 },
		"classes":        func(_ *sweeps.Model, o *Options) { o.Classes = 1 },
		"batch_size":     func(_ *sweeps.Model, o *Options) { o.BatchSize = 0 },
		"threads":        func(_ *sweeps.Model, o *Options) { o.Threads = -1 },
	} {
		cfg, o := config([]int{4}, sweeps.Dropout{}), good
		change(&cfg, &o)
		if _, err := New(cfg, o); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: error %v, want one about it", says, err)
		}
	}
	o := good
	o.BLAS = "mkl"
	if _, err := New(config(nil, sweeps.Dropout{}), o); err == nil || !strings.Contains(err.Error(), `"mkl"`) {
		t.Errorf("unknown BLAS: error %v", err)
	}
}
