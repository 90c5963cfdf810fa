package optim_test

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/trainer/optim"
)

func TestPlateau(t *testing.T) {
	t.Parallel()
	nan, inf := math.NaN(), math.Inf(1)
	plateau := sweeps.Schedule{Kind: "plateau", DivideBy: 2, Patience: 2}
	for _, c := range []struct {
		name   string
		cfg    sweeps.Schedule
		errors []float64
		rates  []float64 // from 1
		stopAt int       // epoch that says stop, from 1; 0 for none
	}{
		{"falling", plateau, []float64{.5, .4, .3, .2}, []float64{1, 1, 1, 1}, 0},
		{"two epochs without a fall", plateau, []float64{.5, .5, .6, .4}, []float64{1, 1, .5, .5}, 0},
		{"an equal error is no fall", plateau, []float64{.5, .5, .5}, []float64{1, 1, .5}, 0},
		{"one bad epoch is forgiven", plateau, []float64{.5, .6, .4, .6, .3}, []float64{1, 1, 1, 1, 1}, 0},
		{"the best counts, not the last", plateau, []float64{.3, .5, .4, .35}, []float64{1, 1, .5, .5}, 0},
		{"waiting starts afresh after a division", plateau, []float64{.5, .6, .6, .6, .6, .6}, []float64{1, 1, .5, .5, .25, .25}, 0},
		{"not a number is no fall", plateau, []float64{.5, nan, inf, .4}, []float64{1, 1, .5, .5}, 0},
		{"not a number at first", plateau, []float64{nan, .5, .6, .6}, []float64{1, 1, 1, .5}, 0},
		{
			"patience 1, by 5, stop", sweeps.Schedule{Kind: "plateau", DivideBy: 5, Patience: 1, StopBelow: 0.05},
			[]float64{.5, .5, .5}, []float64{1, .2, .04}, 3,
		},
		{
			"at the limit it goes on", sweeps.Schedule{Kind: "plateau", DivideBy: 2, Patience: 1, StopBelow: 0.5},
			[]float64{.5, .5, .5}, []float64{1, .5, .25}, 3,
		},
		{
			"constant", sweeps.Schedule{Kind: "constant", DivideBy: 2, Patience: 1, StopBelow: 5},
			[]float64{.5, .5, .5}, []float64{1, 1, 1}, 0,
		},
		{"unset divisor and patience", sweeps.Schedule{Kind: "plateau"}, []float64{.5, .5, .5}, []float64{1, 1, 1}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := optim.NewPlateau(c.cfg, 1)
			for i, e := range c.errors {
				rate, stop := p.Observe(e)
				if rate != c.rates[i] || stop != (c.stopAt == i+1) {
					t.Errorf("after epoch %d: rate %v, stop %v; want %v, %v", i+1, rate, stop, c.rates[i], c.stopAt == i+1)
				}
			}
		})
	}
}

// A schedule that is saved and read back after every epoch takes the same way.
func TestPlateauJSONIsExact(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		cfg := sweeps.Schedule{
			Kind:     rapid.SampledFrom([]string{"plateau", "constant"}).Draw(t, "kind"),
			DivideBy: rapid.Float64Range(1, 10).Draw(t, "divide by"), Patience: rapid.IntRange(1, 3).Draw(t, "patience"),
			StopBelow: rapid.Float64Range(0, 1).Draw(t, "stop below"),
		}
		start := rapid.Float64Range(1e-6, 10).Draw(t, "rate")
		straight, saved := optim.NewPlateau(cfg, start), optim.NewPlateau(cfg, start)
		for range 12 {
			e := rapid.OneOf(rapid.Float64Range(0, 1), rapid.Float64()).Draw(t, "error")
			rate, stop := straight.Observe(e)
			text, err := json.Marshal(saved)
			if err != nil {
				t.Fatal(err)
			}
			saved = new(optim.Plateau)
			if err := json.Unmarshal(text, saved); err != nil {
				t.Fatal(err)
			}
			if r, s := saved.Observe(e); r != rate || s != stop {
				t.Fatalf("restored: rate %v, stop %v; want %v, %v", r, s, rate, stop)
			}
			if diff := cmp.Diff(straight, saved); diff != "" {
				t.Fatalf("schedule (-straight +saved):\n%s", diff)
			}
		}
	})
}
