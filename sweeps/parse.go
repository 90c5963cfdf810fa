package sweeps

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Parse reads a spec from YAML, fills in every default and checks all of it. name
// is the file's, for messages. Its errors are *[SpecError], whose problems give
// line and column.
//
// Numbers in free places (config, values) are float64, as JSON would have them:
// 1 and 1.0 are the same, and a spec survives JSON unchanged. Whole numbers go up
// to [MaxSafeInteger].
func Parse(name string, src []byte) (Spec, error) {
	root, err := parseTree(src)
	if err != nil {
		var syntax *syntaxError
		if !errors.As(err, &syntax) {
			return Spec{}, fmt.Errorf("parse %s: %w", name, err)
		}
		return Spec{}, newSpecError(name, []Problem{syntax.Problem})
	}
	d := &decoder{spec: defaultSpec(), keys: map[string]position{}, values: map[string]*node{}}
	d.section(reflect.ValueOf(&d.spec).Elem(), root, "")
	d.parameters()
	d.required(root)
	d.checkTrainer()
	fillConfig(&d.spec, d.given)
	d.checkConfig()
	d.checkLauncher()
	fillLauncher(&d.spec, d.given)
	d.checkParameters()
	if len(d.problems) == 0 { // sizes mean little while parameters are wrong
		d.checkSizes()
	}
	if len(d.problems) > 0 {
		return Spec{}, newSpecError(name, d.problems)
	}
	return d.spec, nil
}

// maxExplained is the number of problems after which nothing is looked up any
// more to explain the next; few of them are going to be shown.
const maxExplained = 100

// decoder fills a spec from a tree and remembers where everything was written.
type decoder struct {
	spec     Spec
	problems []Problem
	keys     map[string]position // of every key that was written, by path
	values   map[string]*node
}

// given reports whether the author wrote the key at path, with a value.
func (d *decoder) given(path string) bool {
	n, ok := d.values[path]
	return ok && !n.isNull()
}

// faulty reports whether a problem was found in the section or setting at path.
func (d *decoder) faulty(path string) bool {
	return slices.ContainsFunc(d.problems, func(p Problem) bool {
		return p.Path == path || strings.HasPrefix(p.Path, path+".")
	})
}

func (d *decoder) problem(p position, path, format string, args ...any) {
	d.problems = append(d.problems, Problem{Path: path, Line: p.line, Column: p.column, Message: fmt.Sprintf(format, args...)})
}

// section decodes a mapping with known keys into a struct. A section without
// anything in it keeps its defaults.
func (d *decoder) section(dst reflect.Value, n *node, path string) {
	if n.isNull() && path != "" {
		return
	}
	if n.kind != mapNode {
		if path == "" {
			d.problem(n.position, path, "this is %s, not a spec; a spec is lines of the form key: value, beginning with version: 1", n.describe())
			return
		}
		d.problem(n.position, path, "has to be a section with keys of its own, and is %s", n.describe())
		return
	}
	fields := fieldsOf(dst.Type())
	for _, e := range d.distinct(n, path) {
		at := join(path, showKey(e.key))
		i := slices.IndexFunc(fields, func(f field) bool { return f.name == e.key })
		if i < 0 {
			d.unknownKey(e, path, fields)
			continue
		}
		d.keys[at], d.values[at] = e.position, e.value
		d.field(dst.FieldByIndex(fields[i].index), e, at)
	}
}

func (d *decoder) field(dst reflect.Value, e entry, path string) {
	switch {
	case path == "parameters": // decoded last
	case path == customSection:
		d.custom(e.value)
	case dst.Kind() == reflect.Map:
		d.mapping(dst, e.value, path)
	case isSection(dst.Type()):
		d.section(dst, e.value, path)
	default:
		d.leaf(dst, e.value, path)
	}
}

// leaf decodes and checks a setting.
func (d *decoder) leaf(dst reflect.Value, n *node, path string) {
	if n.isNull() {
		d.problem(n.position, path, "has no value; give one, or remove the line")
		return
	}
	if faulty := n.firstFault(); faulty != nil {
		d.problem(faulty.position, path, "%s", faulty.fault)
		return
	}
	if dst.Kind() == reflect.Slice {
		if example := rules[path].example; example != "" && n.kind != listNode {
			d.problem(n.position, path, "has to be a list, such as %s, and is %s", example, n.describe())
			return
		}
		if !d.elements(dst.Type().Elem(), n, path) {
			return
		}
	}
	problem := assign(dst, n.json())
	if problem == "" {
		problem = check(path, dst)
	}
	if problem != "" {
		d.problem(n.position, path, "%s", problem)
	}
}

// elements reports the elements of a list that do not fit, each at its place.
func (d *decoder) elements(t reflect.Type, n *node, path string) (ok bool) {
	ok = true
	for i, e := range n.list {
		if e.kind == mapNode {
			before := len(d.problems)
			d.distinct(e, fmt.Sprintf("%s[%d]", path, i))
			ok = ok && len(d.problems) == before
		}
		element := reflect.New(t).Elem()
		problem := assign(element, e.json())
		if problem == "" {
			problem = rules[path].checkElement(i, element)
		}
		if problem != "" {
			d.problem(e.position, fmt.Sprintf("%s[%d]", path, i), "%s", problem)
			ok = false
		}
	}
	return ok
}

// firstFault finds a scalar without a JSON value.
func (n *node) firstFault() *node {
	if n.fault != "" {
		return n
	}
	for _, e := range n.list {
		if found := e.firstFault(); found != nil {
			return found
		}
	}
	for _, e := range n.entries {
		if found := e.value.firstFault(); found != nil {
			return found
		}
	}
	return nil
}

// distinct returns a mapping's entries without repeated keys, which it reports.
func (d *decoder) distinct(n *node, path string) []entry {
	first := make(map[string]int, len(n.entries))
	kept := make([]entry, 0, len(n.entries))
	for _, e := range n.entries {
		if line, repeated := first[e.key]; repeated {
			d.problem(e.position, join(path, showKey(e.key)), "given twice, first on line %d; remove one", line)
			continue
		}
		first[e.key] = e.line
		kept = append(kept, e)
	}
	return kept
}

func (d *decoder) unknownKey(e entry, path string, fields []field) {
	at := join(path, showKey(e.key))
	if plannedKeys[at] {
		d.problem(e.position, at, "is not available yet; remove it")
		return
	}
	if len(d.problems) > maxExplained {
		d.problem(e.position, at, "unknown key")
		return
	}
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name
	}
	if near := nearest(e.key, names); near != "" {
		d.problem(e.position, at, "unknown key; did you mean %q?", near)
		return
	}
	for _, known := range leaves(reflect.TypeFor[Spec](), "") {
		if strings.HasSuffix(known, "."+e.key) {
			d.problem(e.position, at, "unknown key; did you mean %q?", known)
			return
		}
	}
	slices.Sort(names)
	d.problem(e.position, at, "unknown key; known here: %s", strings.Join(names, ", "))
}

// custom decodes the free-form section.
func (d *decoder) custom(n *node) {
	if n.isNull() {
		return
	}
	if n.kind != mapNode {
		d.problem(n.position, customSection, "has to be a section with keys of its own, and is %s", n.describe())
		return
	}
	before := len(d.problems)
	d.checkFree(n, customSection)
	if len(d.problems) == before {
		d.spec.Custom, _ = n.json().(map[string]any)
	}
}

// mapping decodes a section of the launcher's whose keys are its author's: texts by
// name, or any JSON.
func (d *decoder) mapping(dst reflect.Value, n *node, path string) {
	if n.isNull() {
		return
	}
	if n.kind != mapNode {
		d.problem(n.position, path, "has to be a section with keys of its own, and is %s", n.describe())
		return
	}
	before := len(d.problems)
	d.checkFree(n, path)
	if len(d.problems) > before {
		return
	}
	if free, ok := dst.Addr().Interface().(*map[string]any); ok {
		*free, _ = n.json().(map[string]any)
		return
	}
	texts := make(map[string]string, len(n.entries))
	for _, e := range n.entries {
		text, ok := e.value.value.(string)
		if !ok || e.value.kind != scalarNode {
			d.problem(e.value.position, join(path, showKey(e.key)), "%s", mismatch("text", e.value.json()))
			continue
		}
		texts[e.key] = text
	}
	dst.Set(reflect.ValueOf(texts))
}

// checkFree checks a free-form value: JSON's numbers, and no key twice.
func (d *decoder) checkFree(n *node, path string) {
	if n.fault != "" {
		d.problem(n.position, path, "%s", n.fault)
	}
	for i, e := range n.list {
		d.checkFree(e, fmt.Sprintf("%s[%d]", path, i))
	}
	if n.kind == mapNode {
		for _, e := range d.distinct(n, path) {
			d.checkFree(e.value, join(path, showKey(e.key)))
		}
	}
}
