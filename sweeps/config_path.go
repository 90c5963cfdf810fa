package sweeps

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// field is a field of a struct, under the name that JSON and YAML give it.
type field struct {
	name  string
	index []int
	typ   reflect.Type
}

// fieldsOf lists a struct's fields in order, those of embedded structs included.
func fieldsOf(t reflect.Type) []field {
	var fields []field
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			for _, inner := range fieldsOf(f.Type) {
				inner.index = append(slices.Clone(f.Index), inner.index...)
				fields = append(fields, inner)
			}
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		fields = append(fields, field{name: name, index: f.Index, typ: f.Type})
	}
	return fields
}

// isSection reports whether a field of this type is a section with known keys.
func isSection(t reflect.Type) bool { return t.Kind() == reflect.Struct }

// join makes a dotted path.
func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// leaves lists the dotted paths of all settings below a struct type, except the
// free-form ones.
func leaves(t reflect.Type, path string) []string {
	var all []string
	for _, f := range fieldsOf(t) {
		switch {
		case isSection(f.typ):
			all = append(all, leaves(f.typ, join(path, f.name))...)
		case f.typ.Kind() != reflect.Map:
			all = append(all, join(path, f.name))
		}
	}
	return all
}

// customSection is the section that free-form settings are in.
const customSection = "config"

// target is where a swept path leads: into a typed field of Config, or into its
// free-form part.
type target struct {
	path  string
	index []int        // of the field; nil for free-form settings
	typ   reflect.Type // of the field
	keys  []string     // of a free-form setting
}

// findTarget resolves a swept path, or says what is wrong with it.
func findTarget(spec *Spec, path string) (target, string) {
	keys := strings.Split(path, ".")
	if keys[0] == customSection && len(keys) > 1 {
		return findCustom(spec, path, keys[1:])
	}
	t, index := reflect.TypeFor[Config](), []int(nil)
	for i, key := range keys {
		fields := []field(nil)
		if isSection(t) {
			fields = fieldsOf(t)
		}
		at := slices.IndexFunc(fields, func(f field) bool { return f.name == key })
		if at < 0 {
			return target{}, unknownPath(spec, path, keys[:i])
		}
		t, index = fields[at].typ, append(index, fields[at].index...)
	}
	switch r := rules[path]; {
	case isSection(t):
		return target{}, fmt.Sprintf("is a section, not a setting; sweep one of its settings: %s", strings.Join(leaves(t, path), ", "))
	case t.Kind() == reflect.Map:
		return target{}, "is a section, not a setting; sweep one of its settings: config.<key>"
	case r.fixed != "":
		return target{}, "cannot be swept: " + r.fixed
	case spec.custom() && path != "seed" && path != "train.epochs":
		return target{}, "belongs to the built-in trainer; with trainer.command set, sweep config.<key>, seed or train.epochs"
	}
	return target{path: path, index: index, typ: t}, ""
}

// unknownPath explains a path of which only the keys in known exist.
func unknownPath(spec *Spec, path string, known []string) string {
	if parent := strings.Join(known, "."); rules[parent].doc != "" {
		return fmt.Sprintf("names nothing: %s has no parts", parent)
	}
	if plannedKeys[path] {
		return "is not available yet; remove it"
	}
	if _, isSetting := rules[path]; isSetting || sectionDocs[path] != "" {
		return "is not a setting of a trial, so it cannot be swept"
	}
	return "names nothing" + cmp.Or(suggestPath(path, sweepable(spec)), "; what can be swept: "+strings.Join(sweepable(spec), ", "))
}

// sweepable lists the paths that a spec's parameters may use.
func sweepable(spec *Spec) []string {
	if spec.custom() {
		return append(customPaths(spec.Custom, customSection), "seed", "train.epochs")
	}
	return slices.DeleteFunc(leaves(reflect.TypeFor[Config](), ""), func(path string) bool {
		return rules[path].fixed != ""
	})
}

func findCustom(spec *Spec, path string, keys []string) (target, string) {
	if !spec.custom() {
		return target{}, "is for a custom trainer, and trainer.command is not set; sweep a setting of data, model or train"
	}
	var here any = spec.Custom
	for _, key := range keys {
		section, _ := here.(map[string]any)
		inner, ok := section[key]
		if !ok {
			if suggestion := suggestPath(path, customPaths(spec.Custom, customSection)); suggestion != "" {
				return target{}, "names nothing" + suggestion
			}
			return target{}, fmt.Sprintf("names nothing; add %s, with any value, to the section config", strings.Join(keys, "."))
		}
		here = inner
	}
	if section, ok := here.(map[string]any); ok {
		return target{}, fmt.Sprintf("is a section, not a setting; sweep one of its settings: %s", strings.Join(customPaths(section, path), ", "))
	}
	return target{path: path, keys: keys}, ""
}

// customPaths lists the dotted paths of the settings in a free-form section.
func customPaths(section map[string]any, path string) []string {
	var all []string
	for _, key := range slices.Sorted(maps.Keys(section)) {
		if inner, ok := section[key].(map[string]any); ok {
			all = append(all, customPaths(inner, join(path, key))...)
		} else {
			all = append(all, join(path, key))
		}
	}
	return all
}

// value converts a JSON value to the type that the target has, and checks it.
func (t target) value(v any) (reflect.Value, string) {
	if t.index == nil {
		return reflect.ValueOf(&v).Elem(), ""
	}
	typed := reflect.New(t.typ).Elem()
	if problem := assign(typed, v); problem != "" {
		return typed, problem
	}
	return typed, check(t.path, typed)
}

// set puts a value made by t.value into a config whose lists and free-form
// settings belong to the caller.
func (t target) set(config *Config, value reflect.Value) {
	if t.index != nil {
		reflect.ValueOf(config).Elem().FieldByIndex(t.index).Set(value)
		return
	}
	section := config.Custom
	for _, key := range t.keys[:len(t.keys)-1] {
		section, _ = section[key].(map[string]any)
	}
	section[t.keys[len(t.keys)-1]] = cloneJSON(value.Interface())
}

// clone copies a config so that nothing is shared.
func (c Config) clone() Config {
	c.Model.Hidden = slices.Clone(c.Model.Hidden)
	c.Model.Conv = slices.Clone(c.Model.Conv)
	if c.Custom != nil {
		c.Custom, _ = cloneJSON(c.Custom).(map[string]any)
	}
	return c
}

// cloneJSON copies a JSON value deeply.
func cloneJSON(v any) any {
	switch v := v.(type) {
	case map[string]any:
		inner := make(map[string]any, len(v))
		for key, e := range v {
			inner[key] = cloneJSON(e)
		}
		return inner
	case []any:
		inner := make([]any, len(v))
		for i, e := range v {
			inner[i] = cloneJSON(e)
		}
		return inner
	default:
		return v
	}
}
