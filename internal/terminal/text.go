package terminal

import (
	"strings"
	"unicode/utf8"
)

// Style wraps text in colours, or does not.
type Style struct{ on bool }

// NewStyle says whether to colour: only for terminals, and not when the
// environment has NO_COLOR (https://no-color.org) or a dumb terminal.
func NewStyle(isTerminal bool, getenv func(string) string) Style {
	return Style{on: isTerminal && getenv("NO_COLOR") == "" && getenv("TERM") != "dumb"}
}

// Bold makes text bold.
func (s Style) Bold(t string) string { return s.wrap("1", t) }

// Faint makes text fainter than the rest.
func (s Style) Faint(t string) string { return s.wrap("2", t) }

// Red is for what went wrong.
func (s Style) Red(t string) string { return s.wrap("31", t) }

// Green is for what went well.
func (s Style) Green(t string) string { return s.wrap("32", t) }

// Yellow is for what deserves a look.
func (s Style) Yellow(t string) string { return s.wrap("33", t) }

func (s Style) wrap(code, t string) string {
	if !s.on || t == "" {
		return t
	}
	return "\x1b[" + code + "m" + t + "\x1b[0m"
}

// Width counts the cells of a line, without its colours. Wide characters count
// as one: none occur in what is drawn but what a user's spec brings along.
func Width(line string) int {
	n := 0
	for line != "" {
		if k := escape(line); k > 0 {
			line = line[k:]
			continue
		}
		_, k := utf8.DecodeRuneInString(line)
		line = line[k:]
		n++
	}
	return n
}

// Cut shortens a line to at most columns cells, colours kept and closed.
func Cut(line string, columns int) string {
	if Width(line) <= columns {
		return line
	}
	var b strings.Builder
	styled := false
	for n := 0; line != ""; {
		if k := escape(line); k > 0 {
			b.WriteString(line[:k])
			styled, line = true, line[k:]
			continue
		}
		if n == columns-1 {
			b.WriteString("…")
			break
		}
		_, k := utf8.DecodeRuneInString(line)
		b.WriteString(line[:k])
		line = line[k:]
		n++
	}
	if styled {
		b.WriteString("\x1b[0m")
	}
	return b.String()
}

// escape is the length of the control sequence that line starts with, or 0.
func escape(line string) int {
	if !strings.HasPrefix(line, "\x1b[") {
		return 0
	}
	for i := 2; i < len(line); i++ {
		if line[i] >= 0x40 && line[i] <= 0x7e {
			return i + 1
		}
	}
	return len(line)
}

// Clean replaces what could move the cursor or colour the terminal, so that
// text from a spec or a trainer is only ever text, and on one line.
func Clean(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' || r == '\n' || r == '\r' {
			return ' '
		}
		if r < 0x20 || r >= 0x7f && r < 0xa0 || r == utf8.RuneError {
			return '?'
		}
		return r
	}, text)
}
