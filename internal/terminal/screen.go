package terminal

import (
	"fmt"
	"io"
	"strings"
	"sync"
)

// Control sequences, all of ECMA-48 but the synchronised update (mode 2026),
// which terminals that do not know it ignore.
const (
	hideCursor  = "\x1b[?25l"
	showCursor  = "\x1b[?25h"
	beginUpdate = "\x1b[?2026h"
	endUpdate   = "\x1b[?2026l"
	clearRight  = "\x1b[K"
	clearBelow  = "\x1b[J"
)

// Size is the size of a terminal in character cells.
type Size struct{ Columns, Rows int }

// Screen keeps a block of lines at the bottom of a terminal up to date, below
// everything that was printed before. It is safe for concurrent use.
type Screen struct {
	out  io.Writer
	size func() Size

	mu     sync.Mutex
	drawn  []string // the lines of the block as they are on the terminal
	last   Size     // of the terminal when they were drawn
	hidden bool     // the cursor is
	closed bool
}

// NewScreen draws on out, whose size is asked for at every drawing, so that a
// window may be resized at any time.
func NewScreen(out io.Writer, size func() Size) *Screen {
	return &Screen{out: out, size: size}
}

// Draw replaces the block. Lines too long for the terminal are cut, and of more
// lines than fit only the first are shown. One write carries the whole frame,
// and unchanged cells are overwritten by themselves, so nothing flickers.
func (s *Screen) Draw(lines []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	return s.frame(nil, lines)
}

// Print writes lines above the block, where they stay.
func (s *Screen) Print(lines ...string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		_, err := fmt.Fprintln(s.out, strings.Join(lines, "\n"))
		return err
	}
	return s.frame(lines, s.drawn)
}

// Close leaves the block as it is and gives the cursor back. What is drawn
// afterwards is dropped; what is printed goes below.
func (s *Screen) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	if !s.hidden {
		return nil
	}
	_, err := io.WriteString(s.out, showCursor)
	return err
}

func (s *Screen) frame(above, lines []string) error {
	size := s.size()
	if size.Columns < 1 {
		size.Columns = 80
	}
	if size.Rows < 2 {
		size.Rows = 24
	}
	var b strings.Builder
	b.WriteString(beginUpdate)
	if !s.hidden {
		b.WriteString(hideCursor)
		s.hidden = true
	}
	if up := rows(s.drawn, size.Columns); up > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", min(up, size.Rows-1))
	}
	b.WriteByte('\r')
	if size != s.last {
		b.WriteString(clearBelow) // lines are not where they were
		s.last = size
	}
	for _, line := range above {
		b.WriteString(line + clearRight + "\n")
	}
	// The cursor rests on the line below the block, so the block has to leave
	// one row free or the terminal scrolls at every frame.
	if len(lines) > size.Rows-1 {
		lines = lines[:size.Rows-1]
	}
	s.drawn = make([]string, len(lines))
	for i, line := range lines {
		s.drawn[i] = Cut(line, size.Columns)
		b.WriteString(s.drawn[i] + clearRight + "\n")
	}
	b.WriteString(clearBelow + endUpdate)
	_, err := io.WriteString(s.out, b.String())
	return err
}

// rows counts the rows that lines take up. It is more than their number after
// the terminal was made narrower: terminals wrap anew what is on them.
func rows(lines []string, columns int) int {
	n := 0
	for _, line := range lines {
		n += max(1, (Width(line)+columns-1)/columns)
	}
	return n
}
