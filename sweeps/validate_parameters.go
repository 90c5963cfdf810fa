package sweeps

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/tenfold-ml/tenfold/sweeps/space"
)

// checkParameters checks where each parameter leads and that its setting can
// take every one of its values.
func (d *decoder) checkParameters() {
	section, ok := d.values["parameters"]
	if !ok {
		return
	}
	for _, e := range section.entries {
		at := join("parameters", showKey(e.key))
		p, ok := d.spec.Parameters[e.key]
		if !ok || d.keys[at] != e.position || len(d.problems) > maxExplained {
			continue // reported already, or not going to be
		}
		if outer := d.conflict(e.key); outer != "" {
			d.problem(e.position, at, "is part of %s, which is swept too; remove one of the two", outer)
			continue
		}
		t, problem := findTarget(&d.spec, e.key)
		switch {
		case problem != "":
			d.problem(e.position, at, "%s", problem)
		case p.IsRange():
			d.checkRange(t, p, at)
		default:
			d.checkValues(t, p, at)
		}
	}
	d.checkInit()
}

// conflict is a swept path that path is part of, or "".
func (d *decoder) conflict(path string) string {
	for i, c := range path {
		if _, ok := d.spec.Parameters[path[:i]]; ok && c == '.' {
			return path[:i]
		}
	}
	return ""
}

func (d *decoder) checkValues(t target, p space.Parameter, path string) {
	nodes := d.values[join(path, "values")].list
	first := make(map[string]int, len(p.Values))
	for i, v := range p.Values {
		at := fmt.Sprintf("%s.values[%d]", path, i)
		typed, problem := t.value(v)
		if problem != "" {
			d.problem(nodes[i].position, at, "%s", problem)
			continue
		}
		canonical, err := CanonicalJSON(typed.Interface())
		if err != nil {
			d.problem(nodes[i].position, at, "%v", err)
			continue
		}
		if before, repeated := first[string(canonical)]; repeated {
			d.problem(nodes[i].position, at, "%.60s repeats value %d, so trials would repeat; remove one of the two", canonical, before+1)
			continue
		}
		first[string(canonical)] = i
	}
}

// checkRange checks the numbers of a range, and reports the first that does not fit.
func (d *decoder) checkRange(t target, p space.Parameter, path string) {
	if t.index == nil {
		return // a free-form setting takes any number
	}
	next := 1
	switch t.typ.Kind() {
	case reflect.Bool, reflect.String, reflect.Slice:
		d.problem(d.keys[path], path, "%s is not a number, so it has no range; list its values: [...]", t.path)
		return
	case reflect.Float64:
		next = p.Len() - 1 // what the ends fit, all between them does
	}
	for i := 0; i < p.Len(); i += next {
		_, problem := t.value(p.At(i))
		if problem == "" {
			continue
		}
		at := join(path, "count")
		switch i {
		case 0:
			at = join(path, "min")
		case p.Len() - 1:
			at = join(path, "max")
		default:
			problem = fmt.Sprintf("value %d of the range does not fit: %s %s; change min, max or count, or list the values", i+1, t.path, problem)
		}
		d.problem(d.where(at), at, "%s", problem)
		return
	}
}

// checkInit asks for a scale when the kinds of initial weights differ, and for the
// biases when one of them is sign, since the defaults depend on the kind.
func (d *decoder) checkInit() {
	const kind, scale = "parameters.model.init.kind", "parameters.model.init.scale"
	if d.given(kind) && !d.given(scale) && !d.given("model.init.scale") && !d.spec.custom() {
		d.problem(d.keys[kind], kind, "needs model.init.scale, set or swept, since the default is %s for normal and 1 for the others", space.Format(normalInitScale))
	}
	kinds := d.spec.Parameters["model.init.kind"]
	signs := slices.ContainsFunc(kinds.Values, func(v any) bool { return v == "sign" })
	if signs && !d.given("parameters.model.init.bias") && !d.given("model.init.bias") && !d.spec.custom() {
		d.problem(d.keys[kind], kind, "needs model.init.bias, set or swept, since the default is %d for sign and 0 for the others", signInitBias)
	}
}

// checkSizes checks the number of trials, and what depends on it.
func (d *decoder) checkSizes() {
	grid, err := space.NewGrid(d.spec.Parameters)
	limit := d.spec.Search.MaxTrials
	largest := int(rules["search.max_trials"].max)
	switch {
	case errors.Is(err, space.ErrTooLarge):
		d.problem(d.keys["parameters"], "parameters", "the grid has more than 2^63 trials; remove parameters or values")
		return
	case err != nil:
		d.problem(d.keys["parameters"], "parameters", "%v", err)
		return
	case grid.Len() > largest:
		d.problem(d.keys["parameters"], "parameters", "the grid has %d trials, above what any sweep may have (%d); remove values (%s)", grid.Len(), largest, d.product(grid))
		return
	case grid.Len() > limit:
		d.problem(d.keys["parameters"], "parameters", "the grid has %d trials, above search.max_trials (%d); to run them all set search: {max_trials: %d}, else remove values (%s)",
			grid.Len(), limit, grid.Len(), d.product(grid))
		return
	}
	fillSizes(&d.spec, grid.Len(), d.given)
	if size := d.spec.Ensemble.Size; size > grid.Len() {
		d.problem(d.where("ensemble.size"), "ensemble.size", "is %d, above the number of trials, %d; lower it to at most %d, or sweep more values", size, grid.Len(), grid.Len())
	}
}

// product shows where a grid's size comes from: "4 × 2 × 3".
func (d *decoder) product(grid *space.Grid) string {
	const shown = 8
	var factors []string
	for _, name := range grid.Names() {
		factors = append(factors, fmt.Sprint(d.spec.Parameters[name].Len()))
	}
	if len(factors) > shown {
		factors = append(factors[:shown], "...")
	}
	return strings.Join(factors, " × ")
}
