package terminal

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// emulator is as much of a terminal as Screen needs: a grid, a cursor, and what
// scrolled off the top.
type emulator struct {
	t          *testing.T
	cols, rows int
	cells      []string // the rows that are visible
	row, col   int
	scrolled   []string
	cursor     bool
}

func newEmulator(t *testing.T, cols, rows int) *emulator {
	return &emulator{t: t, cols: cols, rows: rows, cells: make([]string, rows), cursor: true}
}

func (e *emulator) size() Size { return Size{Columns: e.cols, Rows: e.rows} }

func (e *emulator) Write(p []byte) (int, error) {
	text := string(p)
	for text != "" {
		if k := escape(text); k > 0 {
			e.control(text[:k])
			text = text[k:]
			continue
		}
		r := []rune(text)[0]
		text = text[len(string(r)):]
		switch r {
		case '\r':
			e.col = 0
		case '\n':
			e.col = 0
			if e.row++; e.row == e.rows {
				e.scrolled = append(e.scrolled, strings.TrimRight(e.cells[0], " "))
				e.cells = append(e.cells[1:], "")
				e.row--
			}
		default:
			if e.col >= e.cols {
				e.t.Errorf("wrote past the right edge: %q", r)
			}
			line := []rune(e.cells[e.row] + strings.Repeat(" ", e.cols))[:e.cols]
			line[e.col] = r
			e.cells[e.row] = string(line)
			e.col++
		}
	}
	return len(p), nil
}

func (e *emulator) control(seq string) {
	var n int
	switch {
	case seq == hideCursor:
		e.cursor = false
	case seq == showCursor:
		e.cursor = true
	case seq == beginUpdate, seq == endUpdate, strings.HasSuffix(seq, "m"):
	case seq == clearRight:
		if r := []rune(e.cells[e.row]); len(r) > e.col {
			e.cells[e.row] = string(r[:e.col])
		}
	case seq == clearBelow:
		e.control(clearRight)
		for i := e.row + 1; i < e.rows; i++ {
			e.cells[i] = ""
		}
	default:
		if _, err := fmt.Sscanf(seq, "\x1b[%dA", &n); err != nil {
			e.t.Fatalf("unknown control sequence %q", seq)
		}
		e.row = max(0, e.row-n)
	}
}

// text is everything there is to see, scrolled off or not.
func (e *emulator) text() []string {
	all := append([]string(nil), e.scrolled...)
	for _, row := range e.cells {
		all = append(all, strings.TrimRight(row, " "))
	}
	for len(all) > 0 && all[len(all)-1] == "" {
		all = all[:len(all)-1]
	}
	return all
}

func TestScreenRedrawsInPlace(t *testing.T) {
	t.Parallel()
	e := newEmulator(t, 20, 6)
	s := NewScreen(e, e.size)
	steps := []struct {
		do   func() error
		want []string
	}{
		{func() error { return s.Print("hello") }, []string{"hello"}},
		{func() error { return s.Draw([]string{"one", "two", "three"}) }, []string{"hello", "one", "two", "three"}},
		{func() error { return s.Draw([]string{"1"}) }, []string{"hello", "1"}},
		{func() error { return s.Print("event") }, []string{"hello", "event", "1"}},
		{func() error { return s.Draw([]string{strings.Repeat("x", 30)}) },
			[]string{"hello", "event", strings.Repeat("x", 19) + "…"}},
		{func() error { return s.Draw([]string{"a", "b", "c", "d", "e", "f", "g"}) }, []string{"hello", "event", "a", "b", "c", "d", "e"}},
		{func() error { return s.Draw([]string{"z"}) }, []string{"hello", "event", "z"}},
		{s.Close, []string{"hello", "event", "z"}},
		{func() error { return s.Print("after") }, []string{"hello", "event", "z", "after"}},
	}
	for i, step := range steps {
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(step.want, e.text()); diff != "" {
			t.Fatalf("step %d (-want +got):\n%s", i, diff)
		}
		if i < len(steps)-2 && e.cursor {
			t.Errorf("step %d: the cursor is visible", i)
		}
	}
	if !e.cursor {
		t.Error("Close left the cursor hidden")
	}
}

// resize changes the size as terminals do that wrap anew what is on them. What no
// longer fits scrolls off.
func (e *emulator) resize(cols, rows int) {
	var cells []string
	for _, cell := range e.cells[:e.row] {
		line := []rune(strings.TrimRight(cell, " "))
		for ; len(line) > cols; line = line[cols:] {
			cells = append(cells, string(line[:cols]))
		}
		cells = append(cells, string(line))
	}
	e.row = len(cells)
	for ; e.row >= rows; e.row-- {
		e.scrolled = append(e.scrolled, cells[0])
		cells = cells[1:]
	}
	e.cells = append(cells, make([]string, rows-len(cells))...)
	e.cols, e.rows = cols, rows
}

func TestScreenAfterResizing(t *testing.T) {
	t.Parallel()
	e := newEmulator(t, 20, 8)
	s := NewScreen(e, e.size)
	block := []string{strings.Repeat("a", 20), "b", strings.Repeat("c", 15), "d"}
	draw := func(want ...string) {
		t.Helper()
		if err := s.Draw(block); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, cell := range e.cells {
			if cell = strings.TrimRight(cell, " "); cell != "" {
				got = append(got, cell)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
	draw(block...)
	e.resize(10, 8)
	draw("aaaaaaaaa…", "b", "ccccccccc…", "d")
	e.resize(5, 8) // what is there takes six rows now
	draw("aaaa…", "b", "cccc…", "d")
	e.resize(5, 4)
	draw("aaaa…", "b", "cccc…")
	e.resize(20, 8)
	block = block[:2]
	draw(block...)
}

func TestRowsAfterNarrowing(t *testing.T) {
	t.Parallel()
	if got := rows([]string{"0123456789", "", "\x1b[1m01234\x1b[0m"}, 5); got != 4 {
		t.Errorf("rows = %d, want 4", got)
	}
}

func TestCut(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in   string
		n    int
		want string
	}{
		{"abc", 3, "abc"},
		{"abcd", 3, "ab…"},
		{"äöüß", 3, "äö…"},
		{"\x1b[1mabcd\x1b[0m", 3, "\x1b[1mab…\x1b[0m"},
		{"\x1b[1mabc\x1b[0m", 3, "\x1b[1mabc\x1b[0m"},
	} {
		if got := Cut(c.in, c.n); got != c.want {
			t.Errorf("Cut(%q, %d) = %q, want %q", c.in, c.n, got, c.want)
		}
	}
}

func TestClean(t *testing.T) {
	t.Parallel()
	if got, want := Clean("a\x1b[2J\tb\nc\u009bd é"), "a?[2J b c?d é"; got != want {
		t.Errorf("Clean = %q, want %q", got, want)
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	table := Table{Header: []string{"TRIAL", "ERROR", "NOTE"}, Right: []bool{false, true}}
	table.Add("a", "1.5%", "fine")
	table.Add("long-name", "10%", "")
	want := []string{
		"TRIAL      ERROR  NOTE",
		"a           1.5%  fine",
		"long-name    10%",
	}
	if diff := cmp.Diff(want, table.Lines(Style{})); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	var b strings.Builder
	if err := (&Table{}).Write(&b, Style{}); err != nil || b.String() != "" {
		t.Errorf("an empty table writes %q, %v", b.String(), err)
	}
}

func TestStyle(t *testing.T) {
	t.Parallel()
	env := func(vars map[string]string) func(string) string { return func(k string) string { return vars[k] } }
	for _, c := range []struct {
		terminal bool
		vars     map[string]string
		want     string
	}{
		{true, nil, "\x1b[31mx\x1b[0m"},
		{false, nil, "x"},
		{true, map[string]string{"NO_COLOR": "1"}, "x"},
		{true, map[string]string{"TERM": "dumb"}, "x"},
	} {
		if got := NewStyle(c.terminal, env(c.vars)).Red("x"); got != c.want {
			t.Errorf("%+v: %q, want %q", c, got, c.want)
		}
	}
}
