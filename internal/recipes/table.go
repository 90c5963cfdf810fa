package recipes

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/sweeps/ensemble"
	"github.com/tenfold-ml/tenfold/trainer"
	"github.com/tenfold-ml/tenfold/trainer/data"
)

// seedPath is the setting whose values are repetitions.
const seedPath = "seed"

// Row is what the trials came to that differ in nothing but the seed.
type Row struct {
	// Settings are those that were swept, without the seed.
	Settings []sweeps.Setting
	Outcomes []Outcome
}

// Rows groups outcomes by their settings, in the order in which they come.
func Rows(outcomes []Outcome) []Row {
	var rows []Row
	index := map[string]int{}
	for _, o := range outcomes {
		settings := slices.DeleteFunc(slices.Clone(o.Settings), func(s sweeps.Setting) bool { return s.Path == seedPath })
		name := nameOf(settings)
		i, ok := index[name]
		if !ok {
			i = len(rows)
			index[name] = i
			rows = append(rows, Row{Settings: settings})
		}
		rows[i].Outcomes = append(rows[i].Outcomes, o)
	}
	return rows
}

func nameOf(settings []sweeps.Setting) string {
	var words []string
	for _, s := range settings {
		value, err := json.Marshal(s.Value)
		if err != nil {
			value = fmt.Append(nil, s.Value)
		}
		words = append(words, s.Path+" "+strings.Trim(string(value), `"`))
	}
	return strings.Join(words, ", ")
}

// WriteTable prints, as Markdown, a line for each combination of settings but the
// seed: how many networks there are, how many diverged, their errors on validation
// and test as mean and range, test NLL, the test error and NLL of their average, and
// the mean time of one. Of sorted numbers a line below tells how many are right. The
// test split decides nothing by being shown.
func WriteTable(ctx context.Context, w io.Writer, store *storage.Store, outcomes []Outcome) error {
	if len(outcomes) == 0 {
		return nil
	}
	ds, err := data.Load(ctx, store, outcomes[0].Trial.Dataset, data.TestLabels)
	if err != nil {
		return err
	}
	labels := ds.Labels(ds.Test, nil)
	fmt.Fprintln(w, "| settings | networks | diverged | validation error | test error | test NLL | averaged | weights | seconds each |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|---|---|---|")
	var sorted []string
	for _, row := range Rows(outcomes) {
		var validation, test, nll, seconds []float64
		var members [][]float32
		diverged, weights := 0, 0
		for _, o := range row.Outcomes {
			weights = o.Result.Weights
			seconds = append(seconds, o.Result.Seconds)
			if o.Result.Status != sweeps.Completed {
				diverged++
				continue
			}
			m, err := trainer.TestMeasures(ctx, store, o.Trial, o.Result)
			if err != nil {
				return fmt.Errorf("measuring %s on test: %w", o.Result.Trial, err)
			}
			validation = append(validation, o.Result.ValidationError)
			test = append(test, m.Error)
			nll = append(nll, m.NLL)
			p, err := Predictions(ctx, store, o)
			if err != nil {
				return err
			}
			members = append(members, p)
		}
		averaged := ""
		if len(members) > 0 && ds.Classes > 0 {
			mean, err := ensemble.Average(members)
			if err != nil {
				return fmt.Errorf("averaging the test predictions: %w", err)
			}
			m, err := ensemble.Measure(mean, ds.Classes, labels)
			if err != nil {
				return fmt.Errorf("measuring the average: %w", err)
			}
			averaged = fmt.Sprintf("%.2f%%, %.4f", 100*m.Error, m.NLL)
			if cfg := row.Outcomes[0].Trial.Config.Data; cfg.Name == "sorting" {
				lines, err := sortedLines(members, mean, labels, cfg)
				if err != nil {
					return err
				}
				sorted = append(sorted, lines...)
			}
		}
		fmt.Fprintf(w, "| %s | %d | %d | %s | %s | %s | %s | %d | %.1f |\n", nameOf(row.Settings), len(row.Outcomes), diverged,
			percent(validation), percent(test), nats(nll), averaged, weights, Mean(seconds))
	}
	for _, line := range sorted {
		fmt.Fprintln(w, line)
	}
	return nil
}

// sortedLines says what share of bits, numbers and lists the members have right on
// average, and what the average of their predictions.
func sortedLines(members [][]float32, mean []float64, labels []int32, cfg sweeps.Data) ([]string, error) {
	var all Sorted
	for _, p := range members {
		s, err := Sorting(p, labels, cfg.Bits, cfg.Numbers)
		if err != nil {
			return nil, err
		}
		n := float64(len(members))
		all.Bits += s.Bits / n
		all.Numbers += s.Numbers / n
		all.Lists += s.Lists / n
	}
	together, err := Sorting(mean, labels, cfg.Bits, cfg.Numbers)
	if err != nil {
		return nil, err
	}
	format := func(who string, s Sorted) string {
		return fmt.Sprintf("%s: %.2f%% of the bits right, %.2f%% of the numbers, %.2f%% of the lists", who, 100*s.Bits, 100*s.Numbers, 100*s.Lists)
	}
	return []string{format("each", all), format("averaged", together)}, nil
}

func percent(x []float64) string {
	switch len(x) {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf("%.2f%%", 100*x[0])
	}
	return fmt.Sprintf("%.2f%% (%.2f–%.2f)", 100*Mean(x), 100*slices.Min(x), 100*slices.Max(x))
}

func nats(x []float64) string {
	if len(x) == 0 {
		return ""
	}
	return fmt.Sprintf("%.4f", Mean(x))
}

// Mean of some numbers; 0 of none.
func Mean(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	return sum / float64(max(len(x), 1))
}
