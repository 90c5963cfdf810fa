package trainer

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// stage is a part of training.
type stage int

const (
	other stage = iota // what is left
	reading
	computing
	clipping
	updating
	validating
	saving
	stages
)

// stageNames say what each is, for people.
var stageNames = [stages]string{
	"the rest", "waiting for minibatches", "the network's loss and gradients", "the gradient's norm and its limit",
	"the optimizer", "validation", "checkpoints",
}

// stopwatch divides the time of training among its stages. The zero value is off.
type stopwatch struct {
	last  time.Time // zero: off
	spent [stages]time.Duration
	steps int
}

func (s *stopwatch) start() { s.last = time.Now() }

// lap says that all since the last lap was for a stage, so that the stages sum to
// the whole.
func (s *stopwatch) lap(at stage) {
	if s.last.IsZero() {
		return
	}
	now := time.Now()
	s.spent[at] += now.Sub(s.last)
	s.last = now
	if at == computing {
		s.steps++
	}
}

// write writes where the time went.
func (s *stopwatch) write(w io.Writer) error {
	var total time.Duration
	for _, d := range s.spent {
		total += d
	}
	var b strings.Builder
	fmt.Fprintf(&b, "training took %.2f s, %d steps\n", total.Seconds(), s.steps)
	b.WriteString("share\tseconds\tms a step\tpart\n")
	for _, at := range []stage{reading, computing, clipping, updating, validating, saving, other} {
		d := s.spent[at].Seconds()
		fmt.Fprintf(&b, "%.1f%%\t%.3f\t%.3f\t%s\n", 100*d/max(total.Seconds(), 1e-9), d, 1e3*d/float64(max(s.steps, 1)), stageNames[at])
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if _, err := io.WriteString(tw, b.String()); err != nil {
		return fmt.Errorf("write a profile: %w", err)
	}
	if err := tw.Flush(); err != nil {
		return fmt.Errorf("write a profile: %w", err)
	}
	return nil
}
