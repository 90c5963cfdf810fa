package sweeps

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// SpecError reports what is wrong with a spec: at least one problem, in the order
// of the file.
type SpecError struct {
	// File is the name given to [Parse].
	File     string
	Problems []Problem
}

// Problem is one thing that is wrong with a spec.
type Problem struct {
	// Path is the dotted path of the setting, empty for the file as a whole.
	Path string `json:"path"`
	// Line and Column of the offending key or value count from 1, columns in
	// characters.
	Line   int `json:"line"`
	Column int `json:"column"`
	// Message says in one line what is wrong and what to do.
	Message string `json:"message"`
}

// Error has one line for each problem: "file:line:column: path: message".
func (e *SpecError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = e.File + ":" + p.String()
	}
	return strings.Join(lines, "\n")
}

// String is "line:column: path: message".
func (p Problem) String() string {
	path := ""
	if p.Path != "" {
		path = p.Path + ": "
	}
	return fmt.Sprintf("%d:%d: %s%s", p.Line, p.Column, path, p.Message)
}

// maxProblems is how many problems of a spec are reported.
const maxProblems = 20

func newSpecError(file string, problems []Problem) *SpecError {
	slices.SortStableFunc(problems, func(a, b Problem) int {
		return cmp.Or(a.Line-b.Line, a.Column-b.Column)
	})
	if len(problems) > maxProblems {
		more := len(problems) - maxProblems
		problems = problems[:maxProblems:maxProblems]
		problems[maxProblems-1].Message += fmt.Sprintf(" (and %d more problems)", more)
	}
	return &SpecError{File: file, Problems: problems}
}

// showKey writes a key of the file in a path: as it is where it is plain.
func showKey(key string) string {
	for _, c := range key {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '-' && c != '.' {
			return fmt.Sprintf("%.60q", key)
		}
	}
	if key == "" {
		return `""`
	}
	if len(key) > 100 {
		return key[:100] + "…"
	}
	return key
}
