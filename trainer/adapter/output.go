package adapter

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"

	"github.com/tenfold-ml/tenfold/sweeps"
)

// output reads what a command prints: lines of text, of which those that are JSON objects
// with an event "epoch" or "checkpoint" are for us.
type output struct {
	printer *printer
	epochs  int
	// claim takes over a finished checkpoint.
	claim func(epoch, step int, curve []sweeps.EpochMetrics) error
	// stop is closed when the command can as well be ended, since fatal is set.
	stop chan struct{}

	number int // of the line
	line   []byte
	long   bool // what there is of it is not all

	// What follows is for others to read after the last line.

	curve []sweeps.EpochMetrics
	// notFinite is the first line with a number that JSON does not have. That is an error
	// unless the command says in the end that training has diverged.
	notFinite error
	fatal     error
}

// maxLine is how much of a line is looked at.
const maxLine = 1 << 20

func newOutput(s *session) *output {
	return &output{
		printer: s.printer, epochs: s.o.Epochs, claim: s.saver.claim, stop: make(chan struct{}),
		curve: append([]sweeps.EpochMetrics{}, s.resumed.state.Curve...),
	}
}

// read reads to the end, which is also that of its patience with a pipe that some process
// holds on to.
func (o *output) read(r io.Reader) error {
	chunk := make([]byte, 64<<10)
	for {
		n, err := r.Read(chunk)
		o.printer.pass(chunk[:n])
		o.split(chunk[:n])
		if err == nil {
			continue
		}
		o.printer.endLine()
		// Half a line of a command that was killed is none.
		if json.Valid(o.line) {
			o.endLine()
		}
		if errors.Is(err, io.EOF) || errors.Is(err, os.ErrDeadlineExceeded) {
			return nil
		}
		return fmt.Errorf("read what the command prints: %w", err)
	}
}

func (o *output) split(chunk []byte) {
	for len(chunk) > 0 {
		part, rest, whole := bytes.Cut(chunk, []byte{'\n'})
		if room := maxLine - len(o.line); room < len(part) {
			part, o.long = part[:room], true
		}
		o.line = append(o.line, part...)
		if whole {
			o.endLine()
		}
		chunk = rest
	}
}

func (o *output) endLine() {
	line, long := bytes.TrimSpace(o.line), o.long
	o.number++
	o.line, o.long = o.line[:0], false
	if len(line) == 0 || line[0] != '{' || long || o.fatal != nil {
		return
	}
	if err := o.event(line); err != nil {
		o.fatal = err
		close(o.stop)
	}
}

// meantForUs matches lines that are no JSON, and were meant to be.
var meantForUs = regexp.MustCompile(`"event" *: *"(epoch|checkpoint)"`)

// notJSON matches what Python prints for numbers that JSON does not have.
var notJSON = regexp.MustCompile(`-?\b(NaN|nan|Infinity|inf)\b`)

// event acts on a line.
func (o *output) event(line []byte) error {
	where := fmt.Sprintf("standard output, line %d", o.number)
	var e struct {
		Event string `json:"event"`
	}
	if err := json.Unmarshal(line, &e); err != nil {
		switch {
		case !meantForUs.Match(line):
			return nil // text that begins with a brace
		case notJSON.Match(line):
			if o.notFinite == nil {
				o.notFinite = bad(where, `has %s for a number; where training has diverged, write {"status": "diverged"} to %s`, notJSON.Find(line), resultFile)
			}
			return nil
		}
		return bad(where, "is no JSON: %w", err)
	}
	switch e.Event {
	case "epoch":
		m, err := o.epoch(where, line)
		if err != nil {
			return err
		}
		o.curve = append(o.curve, m)
		o.printer.keep(line)
	case "checkpoint":
		o.printer.keep(line)
		return o.checkpoint(where, line)
	}
	return nil
}

func (o *output) epoch(where string, line []byte) (sweeps.EpochMetrics, error) {
	var m struct {
		sweeps.EpochMetrics
		Epoch           *int     `json:"epoch"`
		ValidationError *float64 `json:"validation_error"`
	}
	if err := json.Unmarshal(line, &m); err != nil {
		return sweeps.EpochMetrics{}, bad(where, "is no epoch: %w", plainJSON(err))
	}
	last := 0
	if n := len(o.curve); n > 0 {
		last = o.curve[n-1].Epoch
	}
	switch {
	case m.Epoch == nil:
		return sweeps.EpochMetrics{}, bad(where, `has no number for "epoch"`)
	case m.ValidationError == nil:
		return sweeps.EpochMetrics{}, bad(where, `has no number for "validation_error"`)
	case *m.ValidationError < 0:
		return sweeps.EpochMetrics{}, bad(where, "has a validation_error of %v, below 0", *m.ValidationError)
	case *m.Epoch <= last:
		return sweeps.EpochMetrics{}, bad(where, "has epoch %d after epoch %d; epochs count from 1, also those before a checkpoint", *m.Epoch, last)
	case *m.Epoch > o.epochs:
		return sweeps.EpochMetrics{}, bad(where, "has epoch %d, and the budget is %d", *m.Epoch, o.epochs)
	}
	m.EpochMetrics.Epoch, m.EpochMetrics.ValidationError = *m.Epoch, *m.ValidationError
	return m.EpochMetrics, nil
}

func (o *output) checkpoint(where string, line []byte) error {
	var c struct {
		Epoch *int `json:"epoch"`
		Step  int  `json:"step"`
	}
	if err := json.Unmarshal(line, &c); err != nil {
		return bad(where, "is no checkpoint: %w", plainJSON(err))
	}
	switch {
	case c.Epoch == nil:
		return bad(where, `has no number for "epoch"`)
	case *c.Epoch < 0 || c.Step < 0:
		return bad(where, "has a checkpoint of epoch %d, step %d", *c.Epoch, c.Step)
	case *c.Epoch > o.epochs || (*c.Epoch == o.epochs && c.Step > 0):
		return bad(where, "has a checkpoint of epoch %d, step %d, and the budget is %d epochs", *c.Epoch, c.Step, o.epochs)
	}
	var curve []sweeps.EpochMetrics
	for _, m := range o.curve {
		if m.Epoch <= *c.Epoch {
			curve = append(curve, m)
		}
	}
	if err := o.claim(*c.Epoch, c.Step, curve); err != nil {
		return bad(where, "%w", err)
	}
	return nil
}

// plainJSON says what json does, in words of the line and not of Go's types.
func plainJSON(err error) error {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return fmt.Errorf("%q cannot be a %s", wrong.Field, wrong.Value)
	}
	return err
}
