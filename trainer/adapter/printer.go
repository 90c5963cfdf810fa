package adapter

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"sync"

	"github.com/tenfold-ml/tenfold/sweeps"
)

// Events that we print between the command's own lines.
type (
	// startEvent says for what the command is about to be started, and from where on.
	startEvent struct {
		Event   string         `json:"event"` // "start"
		Trial   sweeps.TrialID `json:"trial"`
		Attempt int            `json:"attempt"`
		Epochs  int            `json:"epochs"`
		Epoch   int            `json:"epoch"`
		Step    int            `json:"step"`
	}
	// storedEvent follows each checkpoint that is in the store.
	storedEvent struct {
		Event   string  `json:"event"` // "stored"
		Epoch   int     `json:"epoch"`
		Step    int     `json:"step"`
		Files   string  `json:"files"` // key
		Seconds float64 `json:"seconds"`
	}
	// warningEvent says what went wrong and was got around.
	warningEvent struct {
		Event   string `json:"event"` // "warning"
		Message string `json:"message"`
	}
	// endEvent is the last, when there is a result.
	endEvent struct {
		Event           string              `json:"event"` // "end"
		Status          sweeps.ResultStatus `json:"status"`
		ValidationError float64             `json:"validation_error"`
		Note            string              `json:"note,omitzero"`
		// Committed says whether this attempt committed the result, or found one.
		Committed bool `json:"committed"`
	}
)

// printer puts the command's output and our own lines together, and keeps the events for
// the store. It is safe for concurrent use.
type printer struct {
	mu sync.Mutex
	w  io.Writer
	// within says that the command has printed part of a line; ours wait in late.
	within bool
	late   bytes.Buffer
	kept   bytes.Buffer
}

// pass prints what the command has printed, as it comes: a progress bar is a sign of
// life. A reader that has gone away is no reason to stop training.
func (p *printer) pass(chunk []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(chunk) > 0 {
		n := bytes.IndexByte(chunk, '\n') + 1
		p.within = n == 0
		if p.within {
			n = len(chunk)
		}
		_, _ = p.w.Write(chunk[:n])
		chunk = chunk[n:]
		if !p.within {
			p.flush()
		}
	}
}

// endLine ends a line that the command has left without a newline.
func (p *printer) endLine() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.within {
		_, _ = p.w.Write([]byte{'\n'})
		p.within = false
	}
	p.flush()
}

func (p *printer) flush() {
	if p.late.Len() > 0 {
		_, _ = p.w.Write(p.late.Bytes())
		p.late.Reset()
	}
}

// emit prints an event of ours and keeps it.
func (p *printer) emit(event any) {
	b, err := json.Marshal(event)
	if err != nil {
		panic(fmt.Sprintf("encode %T: %v", event, err)) // its numbers are finite
	}
	b = append(b, '\n')
	p.mu.Lock()
	defer p.mu.Unlock()
	p.kept.Write(b)
	p.late.Write(b)
	if !p.within {
		p.flush()
	}
}

// keep keeps a line of the command's for the store.
func (p *printer) keep(line []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.kept.Write(line)
	p.kept.WriteByte('\n')
}

// events are those that were kept so far.
func (p *printer) events() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return bytes.Clone(p.kept.Bytes())
}
