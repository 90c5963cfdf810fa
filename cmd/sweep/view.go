package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tenfold-ml/tenfold/activities/contract"
	"github.com/tenfold-ml/tenfold/internal/terminal"
	"github.com/tenfold-ml/tenfold/sweeps"
)

// newView picks how to show a sweep.
func (a *app) newView(output format) view {
	if output == formatJSON {
		return &jsonView{out: a.stdout}
	}
	if size, ok := a.terminalSize(); ok && a.getenv("TERM") != "dumb" {
		v := &liveView{screen: terminal.NewScreen(a.stdout, size), size: size, style: a.style()}
		a.atExit(func() { _ = v.close() }) // the process ends anyway
		return v
	}
	return &lineView{out: a.stdout}
}

// jsonView writes one JSON object for each event.
type jsonView struct {
	out  io.Writer
	note string
}

func (v *jsonView) event(e event) error { return writeLine(v.out, e) }

func (v *jsonView) draw(s snapshot) error {
	if s.note == v.note {
		return nil
	}
	v.note = s.note
	if s.note == "" {
		return nil
	}
	return writeLine(v.out, event{Event: eventWaiting, Time: time.Now().UTC(), Sweep: s.sweep, Message: s.note})
}

func (v *jsonView) interval() time.Duration { return time.Second }

func (v *jsonView) finish(s *summary) error {
	return writeLine(v.out, event{Event: eventFinished, Time: time.Now().UTC(), Sweep: s.Sweep, State: s.State, Message: s.Message, Summary: s})
}

func (v *jsonView) close() error { return nil }

// lineView writes one line for each event, for a pipe or a file.
type lineView struct {
	out  io.Writer
	note string
	// A start is told when the trial trains, or with its end: what follows may be
	// that the result had been there, and then only the number of such trials is.
	starts []event
	reused int
}

func (v *lineView) event(e event) error {
	switch {
	case e.Event == eventTrialStarted:
		v.starts = append(v.starts, e)
		return nil
	case e.Reused:
		v.take(e.Trial)
		v.reused++
		return nil
	}
	if e.Trial != "" {
		if err := v.tellStart(e.Trial); err != nil {
			return err
		}
	}
	return v.print(eventLine(e))
}

// take returns the start of a trial that was held back.
func (v *lineView) take(id sweeps.TrialID) (start event, ok bool) {
	i := slices.IndexFunc(v.starts, func(s event) bool { return s.Trial == id })
	if i < 0 {
		return event{}, false
	}
	start = v.starts[i]
	v.starts = slices.Delete(v.starts, i, i+1)
	return start, true
}

func (v *lineView) tellStart(id sweeps.TrialID) error {
	if start, ok := v.take(id); ok {
		return v.print(eventLine(start))
	}
	return nil
}

func (v *lineView) draw(s snapshot) error {
	if err := v.tellReused(); err != nil {
		return err
	}
	for _, r := range s.running {
		if p := r.progress.Phase; p != contract.PhaseStarting && p != contract.PhaseTraining {
			continue
		}
		if err := v.tellStart(r.progress.ID); err != nil {
			return err
		}
	}
	if s.note != v.note {
		v.note = s.note
		if s.note != "" {
			return v.print(s.note)
		}
	}
	return nil
}

// tellReused tells how many results were there since it was told last.
func (v *lineView) tellReused() error {
	if v.reused == 0 {
		return nil
	}
	verb := "were"
	if v.reused == 1 {
		verb = "was"
	}
	line := fmt.Sprintf("%s %s trained already", plural(v.reused, "trial"), verb)
	v.reused = 0
	return v.print(line)
}

func (v *lineView) interval() time.Duration { return 500 * time.Millisecond }

func (v *lineView) finish(s *summary) error {
	if err := v.tellReused(); err != nil {
		return err
	}
	return v.print(s.lines(terminal.Style{})...)
}

func (v *lineView) close() error { return nil }

func (v *lineView) print(lines ...string) error {
	_, err := io.WriteString(v.out, strings.Join(lines, "\n")+"\n")
	return err
}

// eventLine says in one line what happened.
func eventLine(e event) string {
	trial := "trial " + string(e.Trial)
	if e.Index != nil {
		trial = "trial " + strconv.Itoa(*e.Index) + " (" + string(e.Trial) + ")"
	}
	tail := ""
	if len(e.Settings) > 0 {
		tail = "  " + settingsLine(e.Settings)
	}
	message := terminal.Clean(e.Message)
	switch e.Event {
	case eventStarted:
		if e.Attached {
			return fmt.Sprintf("sweep %s goes on", e.Sweep)
		}
		return fmt.Sprintf("sweep %s: %s", e.Sweep, plural(e.Trials, "trial"))
	case eventTrialStarted:
		return trial + " started" + tail
	case eventTrialRetried:
		if interrupted(e.Outcome) {
			return fmt.Sprintf("%s goes on, attempt %d: %s%s", trial, e.Attempt, message, tail)
		}
		return fmt.Sprintf("%s retried, attempt %d: %s%s", trial, e.Attempt, message, tail)
	case eventTrialFinished:
		if e.Outcome == sweeps.OutcomeDiverged {
			return trial + " diverged" + tail
		}
		if e.ValidationError != nil {
			return fmt.Sprintf("%s finished, validation error %s%s", trial, percent(*e.ValidationError), tail)
		}
		return trial + " finished" + tail
	case eventTrialFailed:
		line := fmt.Sprintf("%s failed: %s%s", trial, message, tail)
		if e.Log != "" {
			line += "  log: " + near(e.Log)
		}
		return line
	case eventPaused:
		return because("sweep "+e.Sweep+" paused", message)
	case eventResumed:
		return because("sweep "+e.Sweep+" resumed", message)
	case eventCancelled:
		return because("sweep "+e.Sweep+" is being cancelled", message)
	default:
		return message
	}
}

// because adds a reason, if there is one.
func because(what, why string) string {
	if why == "" {
		return what
	}
	return what + ": " + why
}
