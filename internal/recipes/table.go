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
	"github.com/tenfold-ml/tenfold/trainer"
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
// and test as mean and range, test NLL, and the mean time of one. The test split
// decides nothing by being shown.
func WriteTable(ctx context.Context, w io.Writer, store *storage.Store, outcomes []Outcome) error {
	fmt.Fprintln(w, "| settings | networks | diverged | validation error | test error | test NLL | weights | seconds each |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|---|---|")
	for _, row := range Rows(outcomes) {
		var validation, test, nll, seconds []float64
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
		}
		fmt.Fprintf(w, "| %s | %d | %d | %s | %s | %s | %d | %.1f |\n", nameOf(row.Settings), len(row.Outcomes), diverged,
			percent(validation), percent(test), nats(nll), weights, Mean(seconds))
	}
	return nil
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
