package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/trainer"
)

// progress turns a run's metrics, one JSON object a line, into something for
// people: one line that is redrawn on a terminal, a line for each epoch elsewhere.
type progress struct {
	out   io.Writer
	name  string
	width func() int // columns of the terminal, 0 when out is none
	now   func() time.Time
	// every is how often to be told about the middle of an epoch; 0 leaves it to
	// the trainer.
	every time.Duration

	epochs      int
	begin       time.Time // of this attempt
	from        float64   // epochs that were done by then
	epoch, step int
	last        *sweeps.EpochMetrics
	task        measuresOf
	drawn       bool
}

// redraw is how often a terminal's line moves within an epoch.
const redraw = 200 * time.Millisecond

func newProgress(out io.Writer, name string) *progress {
	p := &progress{out: out, name: name, now: time.Now, width: func() int { return terminalWidth(out) }}
	if p.width() > 0 {
		p.every = redraw
	}
	return p
}

// event has the fields of all events that are shown, by the names of the
// trainer's contract.
type event struct {
	Event      string `json:"event"`
	Epochs     int    `json:"epochs"`
	Step       int    `json:"step"`
	Steps      int    `json:"steps"`
	Train      int    `json:"train_cases"`
	Validation int    `json:"validation_cases"`
	Weights    any    `json:"weights"` // a number in start, a key in checkpoint
	Engine     string `json:"engine"`
	Message    string `json:"message"`
	// Task says what the measures are of.
	Task trainer.Task `json:"task"`
	sweeps.EpochMetrics
}

// Write takes one event. What is no event is shown as it is.
func (p *progress) Write(line []byte) (int, error) {
	var e event
	if err := json.Unmarshal(line, &e); err != nil {
		p.clear()
		return p.out.Write(line)
	}
	switch e.Event {
	case "start":
		p.start(e)
	case "progress":
		p.step = e.Step
		p.line(e.LearningRate, e.TrainLoss, float64(e.Epoch-1)+float64(e.Step)/float64(e.Steps))
	case "epoch":
		p.epoch, p.step, p.last = e.Epoch, 0, &e.EpochMetrics
		if p.width() > 0 {
			p.line(e.LearningRate, e.TrainLoss, float64(e.Epoch))
			break
		}
		p.printf("epoch %*d/%d  rate %-9.4g %s  %s  %8s  %s left\n",
			digits(p.epochs), e.Epoch, p.epochs, e.LearningRate, p.task.training(e.TrainLoss), p.task.validation(e.ValidationError, e.ValidationNLL), seconds(e.Seconds), p.left(float64(e.Epoch)))
	case "checkpoint":
		p.epoch, p.step = e.Epoch, e.Step
	case "warning":
		p.clear()
		p.printf("warning: %s\n", e.Message)
	case "end":
		if p.begin.IsZero() {
			p.printf("%s: trained already\n", p.name)
		}
	}
	return len(line), nil
}

func (p *progress) start(e event) {
	p.epochs, p.begin, p.epoch, p.step, p.task = e.Epochs, p.now(), e.Epoch, e.Step, measuresOf(e.Task)
	p.from = float64(e.Epoch) // the share of an epoch is not known yet
	p.printf("%s: %d training and %d validation cases, %.0f weights, %s\n", p.name, e.Train, e.Validation, e.Weights, e.Engine)
	if e.Epoch > 0 || e.Step > 0 {
		p.printf("going on %s\n", p.where())
	}
}

// where says how far the newest event or checkpoint was.
func (p *progress) where() string {
	if p.step > 0 {
		return fmt.Sprintf("in epoch %d, after %d steps", p.epoch+1, p.step)
	}
	return fmt.Sprintf("after epoch %d", p.epoch)
}

// line redraws the terminal's line.
func (p *progress) line(rate, loss, done float64) {
	width := p.width()
	if width == 0 {
		return
	}
	now := min(int(done)+1, p.epochs)
	text := fmt.Sprintf("epoch %*d/%d  rate %.4g  %s", digits(p.epochs), now, p.epochs, rate, p.task.training(loss))
	if p.last != nil {
		text += "  " + strings.Join(strings.Fields(p.task.validation(p.last.ValidationError, p.last.ValidationNLL)), " ")
	}
	text += "  " + p.left(done) + " left"
	// A line that wraps could not be redrawn.
	text = text[:min(len(text), width-1)]
	p.printf("\r%s\x1b[K", text)
	p.drawn = true
}

// left estimates the time to the last epoch; a plateau may end it sooner.
func (p *progress) left(done float64) string {
	share := done - p.from
	if share <= 0 {
		return "?"
	}
	s := p.now().Sub(p.begin).Seconds() / share * (float64(p.epochs) - done)
	return (time.Duration(s+0.5) * time.Second).String()
}

// clear removes the terminal's line.
func (p *progress) clear() {
	if p.drawn {
		p.printf("\r\x1b[K")
		p.drawn = false
	}
}

// printf drops errors: a reader that has gone away is no reason to stop training.
func (p *progress) printf(format string, args ...any) {
	_, _ = fmt.Fprintf(p.out, format, args...)
}

func digits(n int) int { return len(fmt.Sprint(n)) }
