package sweeps

import (
	"errors"
	"reflect"

	"github.com/tenfold-ml/tenfold/sweeps/space"
)

// parameters decodes the section of swept parameters. It comes after all the
// other sections, which say where a path may lead.
func (d *decoder) parameters() {
	n, ok := d.values["parameters"]
	if !ok || n.isNull() {
		return
	}
	if n.kind != mapNode {
		d.problem(n.position, "parameters", "has to be a section of dotted paths, such as train.learning_rate: {values: [0.1, 0.3]}, and is %s", n.describe())
		return
	}
	if len(n.entries) > 0 {
		d.spec.Parameters = map[string]space.Parameter{}
	}
	for _, e := range d.distinct(n, "parameters") {
		at := join("parameters", showKey(e.key))
		d.keys[at], d.values[at] = e.position, e.value
		if p, ok := d.parameter(e, at); ok {
			d.spec.Parameters[e.key] = p
		}
	}
}

// parameter decodes one parameter and checks that it has a form that makes sense.
func (d *decoder) parameter(e entry, path string) (p space.Parameter, ok bool) {
	if e.value.kind != mapNode {
		d.problem(e.value.position, path, "has to say what to try, as {values: [...]} or {min: ..., max: ..., count: ...}, and is %s", e.value.describe())
		return p, false
	}
	if _, problem := findTarget(&d.spec, e.key); problem != "" && e.value.looksLikeSettings() {
		d.problem(e.position, path, "%s", problem)
		return p, false
	}
	before := len(d.problems)
	fields := fieldsOf(reflect.TypeFor[space.Parameter]())
	dst := reflect.ValueOf(&p).Elem()
	for _, inner := range d.distinct(e.value, path) {
		at := join(path, showKey(inner.key))
		d.keys[at], d.values[at] = inner.position, inner.value
		switch inner.key {
		case "values":
			d.parameterValues(&p, inner.value, at)
		case "min", "max":
			var x float64
			d.leaf(reflect.ValueOf(&x).Elem(), inner.value, at)
			if inner.key == "min" {
				p.Min = &x
			} else {
				p.Max = &x
			}
		case "scale":
			d.leaf(dst.FieldByName("Scale"), inner.value, at)
		case "count":
			d.leaf(dst.FieldByName("Count"), inner.value, at)
		default:
			d.unknownKey(inner, path, fields)
		}
	}
	if len(d.problems) > before {
		return p, false
	}
	if _, given := d.keys[join(path, "count")]; !given && p.Min != nil && p.Max != nil && p.IsRange() {
		d.problem(e.position, path, "count is missing; a range needs min, max and count")
		return p, false
	}
	if err := p.Validate(); err != nil {
		d.parameterFault(e, path, err)
		return p, false
	}
	if p.IsRange() && p.Scale == "" {
		p.Scale = space.Linear
	}
	return p, true
}

// looksLikeSettings reports whether a parameter is a section by mistake: none of
// its keys is a parameter's.
func (n *node) looksLikeSettings() bool {
	for _, e := range n.entries {
		switch e.key {
		case "values", "min", "max", "scale", "count":
			return false
		}
	}
	return len(n.entries) > 0
}

func (d *decoder) parameterValues(p *space.Parameter, n *node, path string) {
	if n.kind != listNode {
		d.problem(n.position, path, "has to be a list, such as [0.1, 0.3], and is %s", n.describe())
		return
	}
	before := len(d.problems)
	d.checkFree(n, path)
	if len(d.problems) == before {
		p.Values, _ = n.json().([]any)
	}
}

// parameterFault reports a space.Error where its field was written.
func (d *decoder) parameterFault(e entry, path string, err error) {
	var f *space.Error
	if !errors.As(err, &f) {
		d.problem(e.position, path, "%v", err)
		return
	}
	if f.Field == "" {
		d.problem(e.position, path, "%s", f.Message)
		return
	}
	at := join(path, f.Field)
	where := e.position
	if n, ok := d.values[at]; ok {
		where = n.position
	}
	d.problem(where, at, "%s", f.Message)
}
