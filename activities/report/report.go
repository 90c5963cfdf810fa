package report

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io"

	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/sweeps/ensemble"
)

// What a page holds at most, so that one of 10,000 trials still opens quickly.
// Whatever is left out is said to be, on the page.
const (
	maxRows        = 1000 // trials in the table, best first
	maxFaintCurves = 150  // curves of trials that are not members
	maxDots        = 1200 // trials in the chart of a setting
	maxMembers     = 60   // members in the chart and tables
	maxFailures    = 100  // different messages
	maxFailedAlike = 10   // trials of one message
	maxCurvePoints = 300
	maxLayers      = 12 // charts of updates
)

// Data is what a report is made of.
type Data struct {
	// Sweep is the sweep's ID.
	Sweep string
	Spec  sweeps.Spec
	// SpecYAML is the spec as the user wrote it.
	SpecYAML   string
	SpecSHA256 string
	// Dataset is the data set's digest, Trainer the trainer's identity.
	Dataset string
	Trainer string
	// Trials in the plan's order.
	Trials []TrialRow
	// Manifest is nil when there is no ensemble.
	Manifest *ensemble.Manifest
}

// TrialRow is one trial. One with neither result nor failure was not finished.
type TrialRow struct {
	ID       sweeps.TrialID
	Settings []sweeps.Setting
	// Result is nil when there is none.
	Result *sweeps.Result
	// Failure is what went wrong with a trial that failed; not empty for those.
	Failure string
}

//go:embed page.html style.css sort.js
var files embed.FS

// Render writes the report. Nothing is written when it cannot be made; errors of
// w are returned.
func Render(w io.Writer, d Data) error {
	page, err := template.New("page.html").ParseFS(files, "page.html", "style.css", "sort.js")
	if err != nil {
		return fmt.Errorf("parse the report's template: %w", err)
	}
	var b bytes.Buffer
	if err := page.Execute(&b, newView(d)); err != nil {
		return fmt.Errorf("render the report of %s: %w", d.Sweep, err)
	}
	if _, err := b.WriteTo(w); err != nil {
		return fmt.Errorf("write the report of %s: %w", d.Sweep, err)
	}
	return nil
}
