package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/tenfold-ml/tenfold/activities/contract"
	"github.com/tenfold-ml/tenfold/internal/terminal"
	"github.com/tenfold-ml/tenfold/workflows"
)

const (
	liveRows = 10 // trials shown at a time
	barWidth = 30
)

// liveLines draws a snapshot for a terminal that is so many columns wide; 0 is
// as wide as it takes.
func liveLines(s snapshot, eta string, now time.Time, columns int, style terminal.Style) []string {
	head := style.Bold("sweep "+s.sweep) + "  " + stateWord(s.state, style)
	if !s.started.IsZero() {
		head += "  " + spell(now.Sub(s.started))
	}
	if eta != "" {
		head += ", about " + eta + " to go"
	}
	lines := []string{head}
	if s.reason != "" {
		lines = append(lines, "because: "+terminal.Clean(s.reason))
	}
	if s.note != "" {
		lines = append(lines, style.Yellow(s.note))
	}
	if s.total == 0 {
		return lines
	}
	lines = append(lines, countLines(s, columns, style)...)
	if len(s.best) > 0 {
		b := s.best[0]
		lines = append(lines, "best so far "+style.Green(percent(b.ValidationError))+"  "+settingsLine(b.Settings))
	}
	if len(s.running) == 0 {
		return lines
	}
	table := terminal.Table{Header: []string{"TRIAL", "EPOCH", "VALIDATION", "SETTINGS"}, Right: []bool{false, true, true}}
	for i, r := range s.running {
		if i == liveRows {
			break
		}
		table.Add(string(r.progress.ID), epochWord(r.progress), validationWord(r.progress), settingsLine(r.settings))
	}
	lines = append(lines, "")
	lines = append(lines, table.Lines(style)...)
	if more := len(s.running) - liveRows; more > 0 {
		lines = append(lines, style.Faint(fmt.Sprintf("and %d more", more)))
	}
	return lines
}

// bar draws progress in characters that every terminal has.
func bar(done, total int) string {
	n := min(barWidth, barWidth*done/max(1, total))
	return "[" + strings.Repeat("#", n) + strings.Repeat(".", barWidth-n) + "]"
}

func stateWord(s state, style terminal.Style) string {
	switch s {
	case state(workflows.PhaseFinished):
		return style.Green(string(s))
	case state(workflows.PhaseFailing), state(workflows.PhaseFailed), state(workflows.PhaseCancelling), state(workflows.PhaseCancelled):
		return style.Red(string(s))
	case state(workflows.PhasePaused), stateStopped:
		return style.Yellow(string(s))
	}
	return string(s)
}

// countLines draws the bar and the counts. Where there is no room the bar goes first,
// and then the counts take more than one line.
func countLines(s snapshot, columns int, style terminal.Style) []string {
	parts := countWords(s, style)
	all := strings.Join(parts, ", ")
	if with := bar(s.done(), s.total) + " " + all; columns == 0 || terminal.Width(with) <= columns {
		return []string{with}
	}
	lines := []string{parts[0]}
	for _, p := range parts[1:] {
		last := &lines[len(lines)-1]
		if terminal.Width(*last)+len(", ,")+terminal.Width(p) > columns {
			*last += ","
			lines = append(lines, p)
			continue
		}
		*last += ", " + p
	}
	return lines
}

// countWords says how many trials are where, without those that are nowhere.
func countWords(s snapshot, style terminal.Style) []string {
	parts := []string{fmt.Sprintf("%d of %s done", s.done(), plural(s.total, "trial"))}
	add := func(n int, what string, color func(string) string) {
		if n > 0 {
			parts = append(parts, color(strconv.Itoa(n)+" "+what))
		}
	}
	plain := func(t string) string { return t }
	if s.state == stateStopped {
		add(s.counts.Running, "interrupted", style.Yellow)
	} else {
		add(s.counts.Running, "running", plain)
	}
	add(s.counts.Pending, "waiting", plain)
	add(s.counts.Diverged, "diverged", style.Yellow)
	add(s.counts.Failed, "failed", style.Red)
	return append(parts, retryWords(s.counts.Retries, s.relaunched, style)...)
}

// retryWords tells the launches that followed a failure from those that followed a
// preemption or a lost worker, which are nobody's concern.
func retryWords(retries, relaunched int, style terminal.Style) []string {
	var parts []string
	switch n := retries - relaunched; {
	case n == 1:
		parts = append(parts, style.Yellow("1 retry"))
	case n > 1:
		parts = append(parts, style.Yellow(strconv.Itoa(n)+" retries"))
	}
	if relaunched > 0 {
		parts = append(parts, "relaunched "+strconv.Itoa(relaunched))
	}
	return parts
}

func epochWord(p contract.Progress) string {
	switch p.Phase {
	case contract.PhaseTraining:
		return fmt.Sprintf("%d/%d", p.Epoch, p.Epochs)
	case "":
		return string(contract.PhaseStarting)
	}
	return string(p.Phase)
}

func validationWord(p contract.Progress) string {
	if p.Epoch == 0 {
		return ""
	}
	return percent(p.ValidationError)
}

// liveView keeps a table up to date on a terminal, and leaves what went wrong
// standing above it.
type liveView struct {
	screen *terminal.Screen
	size   func() terminal.Size
	style  terminal.Style
	pace   pace
	eta    string
	etaAt  time.Time
}

func (v *liveView) event(e event) error {
	switch {
	case e.Event == eventTrialFailed:
		return v.screen.Print(v.style.Red(eventLine(e)))
	case e.Event == eventTrialRetried && !interrupted(e.Outcome):
		// What was lost or preempted goes on as if nothing had been.
		return v.screen.Print(v.style.Yellow(eventLine(e)))
	}
	return nil
}

func (v *liveView) draw(s snapshot) error {
	now := time.Now()
	// A number that jumps about with every frame tells nobody anything.
	if now.Sub(v.etaAt) >= time.Second {
		v.eta, v.etaAt = "", now
		if left, ok := v.pace.remaining(s, now); ok {
			v.eta = spell(left)
		}
	}
	return v.screen.Draw(liveLines(s, v.eta, now, v.size().Columns, v.style))
}

func (v *liveView) interval() time.Duration { return 250 * time.Millisecond }

func (v *liveView) finish(s *summary) error {
	if err := v.screen.Draw(nil); err != nil {
		return err
	}
	if err := v.screen.Print(s.lines(v.style)...); err != nil {
		return err
	}
	return v.screen.Close()
}

func (v *liveView) close() error { return v.screen.Close() }
