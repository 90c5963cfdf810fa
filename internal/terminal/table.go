package terminal

import (
	"io"
	"strings"
)

// Table lines up rows in columns. Columns are as wide as their widest cell;
// those in Right are set flush right, as numbers are.
type Table struct {
	Header []string
	Right  []bool
	rows   [][]string
}

// Add appends a row.
func (t *Table) Add(cells ...string) { t.rows = append(t.rows, cells) }

// Len is the number of rows.
func (t *Table) Len() int { return len(t.rows) }

// Lines sets the table; the header, if there is one, comes first, in style.
func (t *Table) Lines(style Style) []string {
	rows := t.rows
	if len(t.Header) > 0 {
		head := make([]string, len(t.Header))
		for i, h := range t.Header {
			head[i] = style.Bold(h)
		}
		rows = append([][]string{head}, rows...)
	}
	var width []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(width) {
				width = append(width, 0)
			}
			width[i] = max(width[i], Width(cell))
		}
	}
	lines := make([]string, len(rows))
	for r, row := range rows {
		var b strings.Builder
		for i, cell := range row {
			pad := strings.Repeat(" ", width[i]-Width(cell))
			if i > 0 {
				b.WriteString("  ")
			}
			if i < len(t.Right) && t.Right[i] {
				b.WriteString(pad + cell)
			} else if i == len(row)-1 {
				b.WriteString(cell)
			} else {
				b.WriteString(cell + pad)
			}
		}
		lines[r] = strings.TrimRight(b.String(), " ")
	}
	return lines
}

// Write writes the lines.
func (t *Table) Write(w io.Writer, style Style) error {
	lines := t.Lines(style)
	if len(lines) == 0 {
		return nil
	}
	_, err := io.WriteString(w, strings.Join(lines, "\n")+"\n")
	return err
}
