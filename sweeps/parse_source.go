package sweeps

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Bounds on what is parsed. They are far above any spec, and below what would
// make the parser slow or an alias bomb large.
const (
	maxSource = 256 << 10
	maxDepth  = 100
	maxNodes  = 200_000
)

// syntaxError is a problem that leaves no tree to look at.
type syntaxError struct{ Problem }

func (e *syntaxError) Error() string { return e.String() }

func failAt(p position, format string, args ...any) error {
	return &syntaxError{Problem{Line: p.line, Column: p.column, Message: fmt.Sprintf(format, args...)}}
}

// parseTree reads the one document in src. Its errors are *syntaxError.
func parseTree(src []byte) (*node, error) {
	if err := checkSource(src); err != nil {
		return nil, err
	}
	file, err := parseYAML(strings.TrimPrefix(string(src), "\ufeff"))
	if err != nil {
		return nil, err
	}
	var root ast.Node
	for _, document := range file.Docs {
		if document.Body == nil || document.Body.Type() == ast.DirectiveType {
			continue
		}
		if root != nil {
			return nil, failAt(at(cmp.Or(document.Start, document.Body.GetToken())), "a second document begins here; a file holds one spec, so put this one into a file of its own")
		}
		root = document.Body
	}
	if root == nil {
		return nil, failAt(position{1, 1}, `the file is empty; a spec begins with "version: 1" and "name: ..."`)
	}
	b := &treeBuilder{anchors: map[string]*node{}}
	return b.build(root, 0)
}

// checkSource refuses what the YAML parser is not made for.
func checkSource(src []byte) error {
	if len(src) > maxSource {
		return failAt(position{1, 1}, "the file has %d bytes; a spec has at most %d", len(src), maxSource)
	}
	here := position{1, 0}
	depth, leading := 0, 0
	atStart := true
	for i := 0; i < len(src); {
		r, size := utf8.DecodeRune(src[i:])
		here.column++
		switch {
		case r == utf8.RuneError && size == 1:
			return failAt(here, "the file is not text in UTF-8; is it a spec?")
		case r < ' ' && r != '\n' && r != '\r' && r != '\t', r == 0x7f:
			return failAt(here, "the file has a control character (%#U) here; is it a spec?", r)
		case r == '[' || r == '{':
			depth++
		case r == ']' || r == '}':
			depth = max(depth-1, 0)
		}
		atStart = atStart && (r == ' ' || r == '-' || r == '?' || r == ':' || r == '\t')
		if atStart && r != '\t' {
			leading++
		}
		// Indentation may be deep without nesting, marks of lists and keys may not.
		if depth > maxDepth || leading > 4*maxDepth {
			return failAt(here, "nested more than %d levels deep", maxDepth)
		}
		if r == '\n' {
			here, leading, atStart = position{here.line + 1, 0}, 0, true
		}
		i += size
	}
	return nil
}

// parseYAML runs the parser. It is the one place where a panic is caught: the
// parser is not ours, and its input is anybody's.
func parseYAML(src string) (file *ast.File, err error) {
	defer func() {
		if recover() != nil {
			file, err = nil, failAt(position{1, 1}, "not YAML that can be read; compare it with an example spec")
		}
	}()
	file, err = parser.ParseBytes([]byte(src), 0, parser.AllowDuplicateMapKey())
	var syntax *yaml.SyntaxError
	switch {
	case errors.As(err, &syntax):
		message, _, _ := strings.Cut(syntax.GetMessage(), "\n")
		if strings.ContainsRune(message, '\t') || strings.Contains(message, "tab character") {
			message = "a tab cannot indent a line; use spaces"
		}
		return nil, failAt(at(syntax.GetToken()), "not valid YAML: %.200s", message)
	case err != nil:
		message, _, _ := strings.Cut(err.Error(), "\n")
		return nil, failAt(position{1, 1}, "not valid YAML: %.200s", message)
	}
	return file, nil
}

func at(t *token.Token) position {
	if t == nil || t.Position == nil {
		return position{1, 1}
	}
	return position{max(t.Position.Line, 1), max(t.Position.Column, 1)}
}
