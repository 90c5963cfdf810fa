package data

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Description sums up a data set for people and programs.
type Description struct {
	Name    string `json:"name"`
	Digest  string `json:"digest"`
	Shape   []int  `json:"shape"`
	Classes int    `json:"classes"`
	Train   Counts `json:"train"`
	Test    Counts `json:"test"`
	// Scale and Duplicates take the inputs; nil where only labels were loaded.
	Scale      *Scale      `json:"scale,omitempty"`
	Duplicates *Duplicates `json:"duplicates,omitempty"`
}

// Counts says how many cases a split has, in all and of each class.
type Counts struct {
	Cases    int   `json:"cases"`
	PerClass []int `json:"per_class"`
}

// Describe counts the cases of a data set, measures its features and looks for
// cases that are there twice. Of the data set at least the labels must be loaded.
func Describe(ds *Dataset) Description {
	count := func(s Split) Counts {
		c := Counts{Cases: s.N, PerClass: make([]int, ds.Classes)}
		for _, l := range s.Labels {
			c.PerClass[l]++
		}
		return c
	}
	d := Description{
		Name: ds.Name, Digest: ds.Digest, Shape: ds.Shape, Classes: ds.Classes,
		Train: count(ds.Train), Test: count(ds.Test),
	}
	loaded := func(s Split) bool { return s.Images != nil || s.Values != nil }
	if loaded(ds.Train) && loaded(ds.Test) {
		d.Scale, d.Duplicates = measureScale(ds.Train, ds.Features()), findDuplicates(ds)
	}
	return d
}

// Leakage is the [*Error] of a data set with test cases that are training cases
// too, and nil for one without, or where that was not looked for.
func (d Description) Leakage() error {
	if d.Duplicates == nil || d.Duplicates.Across == 0 {
		return nil
	}
	return bad(d.Name, "leaks: %d of %d test cases have the inputs of training cases, beginning with test case %d, which is training case %d",
		d.Duplicates.Across, d.Test.Cases, d.Duplicates.First.Test, d.Duplicates.First.Train)
}

// Write prints d as text.
func (d Description) Write(w io.Writer) error {
	shape := strings.ReplaceAll(strings.Trim(fmt.Sprint(d.Shape), "[]"), " ", "x")
	_, err := fmt.Fprintf(w, "name     %s\ndigest   %s\nshape    %s\nclasses  %d\ntrain    %d cases, by class %v\ntest     %d cases, by class %v\n",
		d.Name, d.Digest, shape, d.Classes, d.Train.Cases, d.Train.PerClass, d.Test.Cases, d.Test.PerClass)
	if err == nil && d.Duplicates != nil {
		_, err = fmt.Fprintf(w, "twice    %d test cases in the training split; within it %d, within the test split %d\n",
			d.Duplicates.Across, d.Duplicates.Train, d.Duplicates.Test)
	}
	if err == nil && d.Scale != nil {
		err = d.Scale.write(w)
	}
	return err
}

func (s Scale) write(w io.Writer) error {
	if _, err := fmt.Fprintf(w, "scale    of the %d features in the training split, %d of them constant:\n", s.Features, s.Constant); err != nil {
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
