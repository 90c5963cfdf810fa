package data

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
)

// Description sums up a data set for people and programs.
type Description struct {
	Name   string `json:"name"`
	Digest string `json:"digest"`
	Shape  []int  `json:"shape"`
	// Classes is 0 where cases ask for values.
	Classes int `json:"classes"`
	// Outputs is the number of labels or values of a case, left out if it is 1.
	Outputs int `json:"outputs,omitempty"`
	// Symbols and Ordered are as in [Dataset].
	Symbols int    `json:"symbols,omitempty"`
	Ordered bool   `json:"ordered,omitempty"`
	Train   Counts `json:"train"`
	Test    Counts `json:"test"`
	// Text is about the characters of a text, nil for other data.
	Text     *Text     `json:"text,omitempty"`
	Baseline *Baseline `json:"baseline,omitempty"`
	// Scale and Duplicates take the inputs; nil where only labels were loaded. Symbols
	// have no scale.
	Scale      *Scale      `json:"scale,omitempty"`
	Duplicates *Duplicates `json:"duplicates,omitempty"`
}

// Counts says how many cases a split has.
type Counts struct {
	Cases int `json:"cases"`
	// PerClass is the number of labels of each class, which is that of cases where a
	// case has one label; nil where cases ask for values.
	PerClass []int `json:"per_class,omitempty"`
	// Values sums up the values that cases ask for, nil where they have labels.
	Values *Moments `json:"values,omitempty"`
}

// Moments sum up numbers; Std is that of the population.
type Moments struct {
	Min  float64 `json:"min"`
	Max  float64 `json:"max"`
	Mean float64 `json:"mean"`
	Std  float64 `json:"std"`
}

// Text is about the characters of a text.
type Text struct {
	// Characters is the length of both splits.
	Characters int `json:"characters"`
	// Unseen counts the test labels that no training label is.
	Unseen int `json:"unseen"`
	// Frequent are the most frequent characters of the training split, most frequent
	// first.
	Frequent []Character `json:"frequent"`
}

// Character is one of an alphabet and its share of a text.
type Character struct {
	Character string  `json:"character"`
	Share     float64 `json:"share"`
}

// mostFrequent is how many characters are listed.
const mostFrequent = 10

// Describe counts the cases of a data set, measures its features and looks for
// cases that are there twice. Of the data set at least the labels must be loaded.
func Describe(ds *Dataset) Description {
	d := Description{
		Name: ds.Name, Digest: ds.Digest, Shape: ds.Shape, Classes: ds.Classes,
		Symbols: ds.Symbols, Ordered: ds.Ordered,
		Train: ds.count(ds.Train), Test: ds.count(ds.Test), Baseline: measureBaseline(ds),
	}
	if ds.Outputs > 1 {
		d.Outputs = ds.Outputs
	}
	if ds.Alphabet != "" {
		d.Text = describeText(ds, d.Train.PerClass, d.Test.PerClass)
	}
	loaded := func(s Split) bool { return s.Images != nil || s.Values != nil }
	if loaded(ds.Train) && loaded(ds.Test) {
		d.Duplicates = findDuplicates(ds)
		if ds.Symbols == 0 {
			d.Scale = measureScale(ds.Train, ds.Features())
			d.Scale.Log1p = ds.Logs
		}
	}
	return d
}

func (d *Dataset) count(s Split) Counts {
	if d.Classes == 0 {
		m := momentsOf(s.Targets)
		return Counts{Cases: s.N, Values: &m}
	}
	c := Counts{Cases: s.N, PerClass: make([]int, d.Classes)}
	for _, l := range s.Labels {
		c.PerClass[l]++
	}
	return c
}

func momentsOf(values []float32) Moments {
	m := Moments{Min: math.Inf(1), Max: math.Inf(-1)}
	n := float64(len(values))
	for _, v := range values {
		x := float64(v)
		m.Min, m.Max, m.Mean = min(m.Min, x), max(m.Max, x), m.Mean+x/n
	}
	for _, v := range values {
		d := float64(v) - m.Mean
		m.Std += d * d / n
	}
	m.Std = math.Sqrt(m.Std)
	return m
}

func describeText(ds *Dataset, train, test []int) *Text {
	t := &Text{Characters: len(ds.Train.Labels) + len(ds.Test.Labels)}
	order := make([]int, len(train))
	for s := range train {
		order[s] = s
		if train[s] == 0 {
			t.Unseen += test[s]
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return train[b] - train[a] })
	alphabet := []rune(ds.Alphabet)
	for _, s := range order[:min(mostFrequent, len(order))] {
		t.Frequent = append(t.Frequent, Character{string(alphabet[s]), float64(train[s]) / float64(len(ds.Train.Labels))})
	}
	return t
}

// Leakage is the [*Error] of a data set with test cases that are training cases
// too, and nil for one without, or where that was not looked for. The windows of a
// text may repeat: what is asked of them goes on beyond their inputs.
func (d Description) Leakage() error {
	if d.Duplicates == nil || d.Duplicates.Across == 0 || d.Ordered {
		return nil
	}
	return bad(d.Name, "leaks: %d of %d test cases have the inputs of training cases, beginning with test case %d, which is training case %d",
		d.Duplicates.Across, d.Test.Cases, d.Duplicates.First.Test, d.Duplicates.First.Train)
}

// Leakage is [Description.Leakage] of a data set, without describing the rest of it.
func Leakage(ds *Dataset) error {
	return Description{Name: ds.Name, Ordered: ds.Ordered, Test: Counts{Cases: ds.Test.N}, Duplicates: findDuplicates(ds)}.Leakage()
}

// mostListed is how many classes have their counts printed one by one.
const mostListed = 20

// Write prints d as text.
func (d Description) Write(w io.Writer) error {
	var b strings.Builder
	shape := strings.ReplaceAll(strings.Trim(fmt.Sprint(d.Shape), "[]"), " ", "x")
	fmt.Fprintf(&b, "name     %s\ndigest   %s\nshape    %s", d.Name, d.Digest, shape)
	if d.Symbols > 0 {
		fmt.Fprintf(&b, ", of %d symbols", d.Symbols)
	}
	if d.Classes == 0 {
		fmt.Fprintf(&b, "\nvalues   %d of each case\n", max(d.Outputs, 1))
	} else {
		fmt.Fprintf(&b, "\nclasses  %d", d.Classes)
		if d.Outputs > 1 {
			fmt.Fprintf(&b, ", for each of the %d labels of a case", d.Outputs)
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "train    %s\ntest     %s\n", d.Train, d.Test)
	if d.Text != nil {
		d.Text.write(&b)
	}
	if d.Baseline != nil {
		d.Baseline.write(&b)
	}
	if d.Duplicates != nil {
		fmt.Fprintf(&b, "twice    %d test cases in the training split; within it %d, within the test split %d\n",
			d.Duplicates.Across, d.Duplicates.Train, d.Duplicates.Test)
	}
	if _, err := io.WriteString(w, b.String()); err != nil || d.Scale == nil {
		return err
	}
	return d.Scale.write(w)
}

// String is for people.
func (c Counts) String() string {
	switch {
	case c.Values != nil:
		return fmt.Sprintf("%d cases, values from %.4g to %.4g, mean %.4g, std %.4g", c.Cases, c.Values.Min, c.Values.Max, c.Values.Mean, c.Values.Std)
	case len(c.PerClass) > mostListed:
		return fmt.Sprintf("%d cases, by class from %d to %d", c.Cases, slices.Min(c.PerClass), slices.Max(c.PerClass))
	}
	return fmt.Sprintf("%d cases, by class %v", c.Cases, c.PerClass)
}

func (t Text) write(b *strings.Builder) {
	fmt.Fprintf(b, "text     %d characters, %d of the test split unknown to the training split; most frequent", t.Characters, t.Unseen)
	for i, c := range t.Frequent {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(b, " %q %.1f%%", c.Character, 100*c.Share)
	}
	b.WriteByte('\n')
}

func (g Baseline) write(b *strings.Builder) {
	b.WriteString("guessing ")
	switch {
	case g.SquaredError != nil:
		fmt.Fprintf(b, "the mean: a mean squared error of %.4g on the test split\n", *g.SquaredError)
	case g.BitsPerSymbol != nil:
		fmt.Fprintf(b, "by frequency: %.3f bits per symbol of the test split, %.2f%% of them wrong\n", *g.BitsPerSymbol, 100**g.Error)
	default:
		fmt.Fprintf(b, "the most frequent label: %.2f%% of the test split wrong\n", 100**g.Error)
	}
}

func (s Scale) write(w io.Writer) error {
	of := ""
	if s.Log1p {
		of = "log1p of "
	}
	if _, err := fmt.Fprintf(w, "scale    of %sthe %d features in the training split, %d of them constant:\n", of, s.Features, s.Constant); err != nil {
		return err
	}
	tw := tabwriter.NewWriter(w, 9, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(tw, "\tlowest\tmedian\thighest\t\n")
	for _, row := range []struct {
		name string
		Spread
	}{{"min", s.Min}, {"max", s.Max}, {"mean", s.Mean}, {"std", s.Std}} {
		fmt.Fprintf(tw, "%s\t%.4g\t%.4g\t%.4g\t\n", row.name, row.Lowest, row.Median, row.Highest)
	}
	return tw.Flush()
}
