package report

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/sweeps/ensemble"
)

// Statuses of a trial.
const (
	statusCompleted = "completed"
	statusDiverged  = "diverged"
	statusFailed    = "failed"
	statusOpen      = "not finished"
)

// view is what page.html shows.
type view struct {
	Data
	Title, Subtitle string
	Lead            string // the outcome in a sentence or two
	Cards           []card
	Columns         []column // the swept settings, by path

	Completed, Diverged, Failed, Open int

	Ensemble        *ensembleView
	MembersChart    *chart
	CurvesChart     *chart
	CurvesNote      string
	Strong, Faint   int  // curves drawn
	HasMembers      bool // strong curves and points are members, not merely the best
	UpdateCharts    []updateChart
	UpdatesNote     string
	SettingCharts   []settingChart
	SettingsNote    string
	Rows            []row
	RowsNote        string
	Failures        []failures
	FailuresNote    string
	Facts           []fact
	short           map[string]string
	measures        measures
	trials, ranked  []*trial // all in the plan's order; the completed, best first
	trainingSeconds float64
}

type card struct{ Label, Value, Note, Class string }

type fact struct{ Name, Value string }

// column of a setting in the tables.
type column struct {
	Path, Name string
	Class      string // "num" when all its values are numbers
}

// trial is a row of the data with what follows from the others.
type trial struct {
	TrialRow
	Status string
	Rank   int // among the completed, from 1; 0 for the others
	Member bool
	cells  []*sweeps.Setting // by column; nil where it has none
}

type cell struct{ Text, Full, Sort, Class string }

// row of the table of trials.
type row struct {
	Rank                   cell
	Member                 bool
	ID                     string
	Cells                  []cell
	Error, Epochs, Seconds cell
	Status                 string
}

// failures are the trials that failed with one message.
type failures struct {
	Message string
	Count   int
	Trials  []failedTrial // the first of them
}

type failedTrial struct{ ID, Settings string }

// ensembleView is the table of members.
type ensembleView struct {
	Rows      []memberRow
	Note      string
	Measured  *ensemble.Measured
	TestError string
	NLL       string
	Loss      string // the name of the column
	MeanTest  string
	// Explanation of the measures.
	Explanation string
	// ValidationError of the ensemble.
	ValidationError string
}

type memberRow struct {
	Rank                                  int
	ID                                    string
	Cells                                 []cell
	ValidationError, TestError, NLL       string
	CheckpointKey, CheckpointSHA256, Size string
}

func newView(d Data) *view {
	v := &view{Data: d, Title: d.Spec.Name, HasMembers: d.Manifest != nil, measures: newMeasures(d)}
	if v.Title == "" {
		v.Title = d.Sweep
	}
	v.collect()
	v.rank()
	v.subtitle()
	v.outcome()
	v.members()
	v.MembersChart = v.membersChart()
	v.CurvesChart = v.curvesChart()
	strong, faint := v.curveTrials()
	v.Strong, v.Faint = len(strong), len(faint)
	if v.Faint == maxFaintCurves {
		v.CurvesNote = fmt.Sprintf("Of the other trials, %s are drawn, evenly spaced by rank.", grouped(maxFaintCurves))
	}
	v.UpdateCharts, v.UpdatesNote = v.updateCharts()
	v.SettingCharts = v.settingCharts()
	if v.Completed+v.Diverged > maxDots {
		v.SettingsNote = fmt.Sprintf("About %s of %s are drawn; the medians are of all.", grouped(maxDots), counted(v.Completed+v.Diverged, "trial"))
	}
	v.table()
	v.failed()
	v.facts()
	return v
}

// collect finds the settings that are swept and how each trial went.
func (v *view) collect() {
	paths := map[string]bool{}
	for _, t := range v.Trials {
		for _, s := range t.Settings {
			paths[s.Path] = true
		}
	}
	sortedPaths := slices.Sorted(maps.Keys(paths))
	v.short = shortNames(sortedPaths)
	at := map[string]int{}
	for i, p := range sortedPaths {
		v.Columns = append(v.Columns, column{Path: p, Name: v.short[p], Class: "num"})
		at[p] = i
	}
	members := map[sweeps.TrialID]bool{}
	if v.Manifest != nil {
		for _, m := range v.Manifest.Members {
			members[m.Trial] = true
		}
	}
	for _, r := range v.Trials {
		t := &trial{TrialRow: r, Member: members[r.ID], cells: make([]*sweeps.Setting, len(v.Columns))}
		for i, s := range r.Settings {
			t.cells[at[s.Path]] = &r.Settings[i]
			if _, ok := number(s.Value); !ok {
				v.Columns[at[s.Path]].Class = "text"
			}
		}
		switch {
		case r.Result == nil && r.Failure != "":
			t.Status = statusFailed
			v.Failed++
		case r.Result == nil:
			t.Status = statusOpen
			v.Open++
		case r.Result.Status != sweeps.Completed || !finite(r.Result.ValidationError):
			t.Status = statusDiverged
			v.Diverged++
		default:
			t.Status = statusCompleted
			v.Completed++
		}
		if r.Result != nil {
			v.trainingSeconds += max(r.Result.Seconds, 0)
		}
		v.trials = append(v.trials, t)
	}
}

// rank orders the completed trials as selection does.
func (v *view) rank() {
	for _, t := range v.trials {
		if t.Status == statusCompleted {
			v.ranked = append(v.ranked, t)
		}
	}
	slices.SortStableFunc(v.ranked, func(a, b *trial) int {
		return cmp.Or(
			cmp.Compare(a.Result.ValidationError, b.Result.ValidationError),
			cmp.Compare(a.Result.ValidationNLL, b.Result.ValidationNLL),
			cmp.Compare(a.ID, b.ID),
		)
	})
	for i, t := range v.ranked {
		t.Rank = i + 1
	}
}

func (v *view) subtitle() {
	parts := []string{counted(len(v.Trials), "trial")}
	if len(v.Spec.Trainer.Command) > 0 {
		parts = append(parts, "trained by "+strings.Join(v.Spec.Trainer.Command, " "))
	} else {
		if v.Spec.Model.Kind != "" {
			parts = append(parts, v.Spec.Model.Kind)
		}
		if v.Spec.Data.Name != "" {
			parts = append(parts, "on "+v.Spec.Data.Name)
		}
	}
	v.Subtitle = strings.Join(parts, " · ")
}

// outcome says how it went, in words and in cards.
func (v *view) outcome() {
	count := card{Label: "Trials", Value: grouped(len(v.Trials)), Note: v.statusLine()}
	spent := card{Label: "Training time", Value: duration(v.trainingSeconds), Note: "summed over the trials"}
	if v.trainingSeconds == 0 {
		spent.Value = "–"
	}
	best := card{Label: "Best validation error", Value: "–", Note: "no trial completed"}
	if len(v.ranked) > 0 {
		best.Value, best.Note = v.measures.error(v.ranked[0].Result.ValidationError), "trial "+string(v.ranked[0].ID)
	}
	m := v.Manifest
	switch {
	case m != nil && m.Measured != nil:
		e, single := m.Measured.Test.Error, m.Measured.BestSingleTestError
		v.Lead = v.measures.lead(len(m.Members), e, single, counted(m.Split.Test, "test case"))
		v.Cards = []card{
			{Label: "Ensemble, test error", Value: v.measures.error(e), Note: fmt.Sprintf("%s, averaged", counted(len(m.Members), "network")), Class: "accent"},
			{Label: "Best single, test error", Value: v.measures.error(single), Note: "chosen on validation: " + v.measures.error(m.BestSingle.ValidationError)},
			v.gainCard(e, single),
			count, spent,
		}
	case m != nil:
		v.Lead = fmt.Sprintf("The best %s are the ensemble. It is not measured here, since the labels of the cases are the trainer's own.", counted(len(m.Members), "network"))
		v.Cards = []card{best, count, spent}
	case len(v.ranked) == 0:
		v.Lead = "No trial completed, so there is no ensemble."
		v.Cards = []card{best, count, spent}
	default:
		v.Lead = fmt.Sprintf("The best trial has a validation error of %s. There is no ensemble.", v.measures.error(v.ranked[0].Result.ValidationError))
		v.Cards = []card{best, count, spent}
	}
}

// gainCard compares the ensemble with the best single network.
func (v *view) gainCard(e, single float64) card {
	c := card{Label: "Gain", Value: "0%", Note: "as many errors as the best single"}
	what, asked := "case", v.Manifest.Split.Test
	if v.measures.labels {
		what, asked = "label", asked*v.Manifest.Split.Outputs
	}
	wrong := int(math.Round(math.Abs(single-e) * float64(asked)))
	switch {
	case v.measures.values:
		c.Note = "of the error of the best single"
		if e == single || single <= 0 {
			return c
		}
	case wrong == 0 || single <= 0:
		return c
	}
	sign, change := "−", "fewer errors"
	if e > single {
		sign, change = "+", "more errors"
	}
	c.Value = sign + decimals(100*math.Abs(single-e)/single, 0) + "%"
	if !v.measures.values {
		c.Note = fmt.Sprintf("%s %s in %s", grouped(wrong), change, counted(asked, what))
	}
	return c
}

// statusLine is "46 completed, 1 diverged, 1 failed".
func (v *view) statusLine() string {
	var parts []string
	for _, x := range []struct {
		n    int
		word string
	}{{v.Completed, statusCompleted}, {v.Diverged, statusDiverged}, {v.Failed, statusFailed}, {v.Open, statusOpen}} {
		if x.n > 0 {
			parts = append(parts, grouped(x.n)+" "+x.word)
		}
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}

// members fills in the table of members.
func (v *view) members() {
	m := v.Manifest
	if m == nil {
		return
	}
	e := &ensembleView{Measured: m.Measured, Loss: v.measures.lossName()}
	for _, x := range m.Members[:min(len(m.Members), maxMembers)] {
		r := memberRow{
			Rank: x.Rank, ID: string(x.Trial),
			ValidationError: v.measures.error(x.ValidationError), TestError: "–", NLL: "–",
			CheckpointKey: x.Checkpoint.Key, CheckpointSHA256: x.Checkpoint.SHA256,
			Size: grouped(int(x.Checkpoint.Bytes)) + " bytes",
		}
		if x.Test != nil {
			r.TestError, r.NLL = v.measures.error(x.Test.Error), v.measures.loss(x.Test.NLL)
		}
		byPath := map[string]any{}
		for _, s := range x.Settings {
			byPath[s.Path] = s.Value
		}
		for _, c := range v.Columns {
			r.Cells = append(r.Cells, settingCell(byPath[c.Path], c))
		}
		e.Rows = append(e.Rows, r)
	}
	if len(m.Members) > maxMembers {
		e.Note = fmt.Sprintf("The best %d of %s are shown; manifest.json has them all.", maxMembers, counted(len(m.Members), "member"))
	}
	if x := m.Measured; x != nil {
		e.TestError, e.NLL = v.measures.error(x.Test.Error), v.measures.loss(x.Test.NLL)
		e.Explanation = v.measures.explanation(decimals(x.Test.Brier, 4))
		e.ValidationError = v.measures.error(x.Validation.Error)
		e.MeanTest = v.measures.error(x.MeanMemberTestError)
	}
	v.Ensemble = e
}

func settingCell(v any, col column) cell {
	c := cell{Text: clip(value(v), 40), Full: exact(v), Class: col.Class}
	if v == nil {
		c.Full = ""
	}
	c.Sort = c.Text
	if _, ok := number(v); ok {
		c.Sort = c.Full
	}
	return c
}

// table lists the trials: completed by rank, then the diverged, the failed and
// the unfinished in the plan's order.
func (v *view) table() {
	ordered := slices.Clone(v.ranked)
	for _, status := range []string{statusDiverged, statusFailed, statusOpen} {
		for _, t := range v.trials {
			if t.Status == status {
				ordered = append(ordered, t)
			}
		}
	}
	if len(ordered) > maxRows {
		v.RowsNote = fmt.Sprintf("The best %s of %s are listed.", grouped(maxRows), counted(len(ordered), "trial"))
		ordered = ordered[:maxRows]
	}
	for _, t := range ordered {
		r := row{
			ID: string(t.ID), Member: t.Member, Status: t.Status,
			Rank: cell{Text: "–"}, Error: cell{Text: "–"}, Epochs: cell{Text: "–"}, Seconds: cell{Text: "–"},
		}
		for i, s := range t.cells {
			if s == nil {
				s = &sweeps.Setting{}
			}
			r.Cells = append(r.Cells, settingCell(s.Value, v.Columns[i]))
		}
		if t.Rank > 0 {
			r.Rank = sorted(grouped(t.Rank), t.Rank)
			r.Error = sorted(v.measures.error(t.Result.ValidationError), t.Result.ValidationError)
		}
		if t.Result != nil {
			r.Epochs = sorted(grouped(epochsUsed(t.Result)), epochsUsed(t.Result))
			r.Seconds = sorted(decimals(t.Result.Seconds, 1), t.Result.Seconds)
		}
		v.Rows = append(v.Rows, r)
	}
}

func sorted(text string, by any) cell { return cell{Text: text, Sort: fmt.Sprint(by)} }

// epochsUsed is the last epoch of the curve, which may end before the budget does.
func epochsUsed(r *sweeps.Result) int {
	last := 0
	for _, m := range r.Curve {
		last = max(last, m.Epoch)
	}
	return last
}

// failed groups the failed trials by what went wrong with them, since a mistake
// in the spec fails them all alike.
func (v *view) failed() {
	group := map[string]int{}
	for _, t := range v.trials {
		if t.Status != statusFailed {
			continue
		}
		i, ok := group[t.Failure]
		if !ok {
			i = len(group)
			group[t.Failure] = i
			if i < maxFailures {
				v.Failures = append(v.Failures, failures{Message: clip(t.Failure, 2000)})
			}
		}
		if i >= maxFailures {
			continue
		}
		f := &v.Failures[i]
		f.Count++
		if len(f.Trials) < maxFailedAlike {
			f.Trials = append(f.Trials, failedTrial{ID: string(t.ID), Settings: settingsLine(t.Settings, v.short)})
		}
	}
	if len(group) > maxFailures {
		v.FailuresNote = fmt.Sprintf("The first %d of %s are listed.", maxFailures, counted(len(group), "different message"))
	}
}

// More says how many trials of a group are not listed.
func (f failures) More() string {
	if n := f.Count - len(f.Trials); n > 0 {
		return "and " + grouped(n) + " more"
	}
	return ""
}

// asks says what a case asks for.
func asks(s ensemble.Split) string {
	outputs := max(s.Outputs, 1)
	switch {
	case s.Classes == 0:
		return counted(outputs, "value") + " a case"
	case outputs > 1:
		return grouped(outputs) + " labels a case, of " + grouped(s.Classes) + " classes"
	default:
		return grouped(s.Classes) + " classes"
	}
}

// facts say what the numbers come from.
func (v *view) facts() {
	add := func(name, value string) {
		if value != "" {
			v.Facts = append(v.Facts, fact{name, value})
		}
	}
	add("Sweep", v.Sweep)
	add("Spec, SHA-256", v.SpecSHA256)
	add("Data set", v.Dataset)
	if v.Dataset == "" {
		add("Data set", "the trainer's own")
	}
	if m := v.Manifest; m != nil && m.Split.Test > 0 {
		add("Split", fmt.Sprintf("%s held out of the training cases with seed %d; %s; %s",
			counted(m.Split.Validation, "validation case"), m.Split.Seed, counted(m.Split.Test, "test case"), asks(m.Split)))
	}
	add("Trainer", v.Trainer)
	engines := map[string]int{}
	weights := map[int]bool{}
	for _, t := range v.trials {
		if t.Result == nil {
			continue
		}
		if t.Result.Engine != "" {
			engines[t.Result.Engine]++
		}
		if t.Result.Weights > 0 {
			weights[t.Result.Weights] = true
		}
	}
	names := slices.Sorted(maps.Keys(engines))
	for _, e := range names[:min(len(names), 5)] {
		note := ""
		if len(names) > 1 {
			note = " (" + counted(engines[e], "trial") + ")"
		}
		add("Engine", e+note)
	}
	if w := slices.Sorted(maps.Keys(weights)); len(w) == 1 {
		add("Weights of a network", grouped(w[0]))
	} else if len(w) > 1 {
		add("Weights of a network", grouped(w[0])+" to "+grouped(w[len(w)-1]))
	}
}
