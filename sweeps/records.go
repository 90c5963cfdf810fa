package sweeps

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/invopop/jsonschema"
)

// record says what an element of a list can be that is a section of its own. Such
// elements have no paths: the list is one setting.
type record struct {
	noun    string // as messages name an element
	example string
	initial any // an element with its defaults
	// keys has a rule for each field; required are those that have to be there.
	keys     map[string]rule
	required []string
	// whole checks an element's fields against each other; nil if there is nothing.
	whole func(reflect.Value) string
}

// records of the settings that are lists of sections, by the element's type.
var records = map[reflect.Type]record{
	reflect.TypeFor[NomadConstraint](): {
		noun: "a constraint", example: `{attribute: "${attr.cpu.arch}", value: amd64}`,
		initial:  NomadConstraint{Operator: "="},
		required: []string{"attribute"},
		keys:     map[string]rule{"attribute": attributeRule, "operator": operatorRule(append(comparisons(), unaryOperators...)), "value": valueRule},
		whole: func(v reflect.Value) string {
			c, _ := v.Interface().(NomadConstraint)
			unary := slices.Contains(unaryOperators, c.Operator)
			switch {
			case unary && c.Value != "":
				return "has a value, and " + c.Operator + " takes none; remove it"
			case !unary && c.Value == "":
				return "has no value; add value: text"
			}
			return ""
		},
	},
	reflect.TypeFor[NomadAffinity](): {
		noun: "an affinity", example: `{attribute: "${meta.disk}", value: nvme, weight: 50}`,
		initial:  NomadAffinity{Operator: "=", Weight: defaultNomadWeight},
		required: []string{"attribute", "value"},
		keys: map[string]rule{
			"attribute": attributeRule, "operator": operatorRule(comparisons()), "value": valueRule,
			"weight": {doc: "How much it counts; below 0 it is an aversion. Default: 50.", min: -100, max: 100},
		},
		whole: func(v reflect.Value) string {
			if a, _ := v.Interface().(NomadAffinity); a.Weight == 0 {
				return "has weight 0, which says nothing; remove it"
			}
			return ""
		},
	},
	reflect.TypeFor[NomadSpread](): {
		noun: "a spread", example: `{attribute: "${node.datacenter}"}`,
		initial:  NomadSpread{Weight: defaultNomadWeight},
		required: []string{"attribute"},
		keys: map[string]rule{
			"attribute": attributeRule,
			"weight":    {doc: "How much it counts. Default: 50.", min: 1, max: 100},
		},
	},
	reflect.TypeFor[NomadArtifact](): {
		noun: "an artifact", example: `{source: "https://host/words.txt", checksum: "sha256:…"}`,
		initial:  NomadArtifact{Destination: "local/"},
		required: []string{"source"},
		keys: map[string]rule{
			"source":      {doc: "URL that Nomad fetches, without credentials; required.", pattern: solid, format: "a URL"},
			"destination": {doc: "Where below the task's folder it goes. Default: local/.", pattern: solid, format: "a relative path, such as local/"},
			"checksum":    {doc: "Checksum of what is fetched.", pattern: checksumPattern, format: "sha256: and 64 lower-case hex digits"},
		},
		whole: func(v reflect.Value) string {
			a, _ := v.Interface().(NomadArtifact)
			return a.check()
		},
	},
}

// assign stores a JSON value in a record, or says why it does not fit.
func (r record) assign(dst reflect.Value, v any) string {
	section, ok := v.(map[string]any)
	if !ok {
		return mismatch(r.noun+", such as "+r.example, v)
	}
	dst.Set(reflect.ValueOf(r.initial))
	fields := fieldsOf(dst.Type())
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name
	}
	for _, key := range slices.Sorted(maps.Keys(section)) {
		at := slices.Index(names, key)
		if at < 0 {
			if near := nearest(key, names); near != "" {
				return fmt.Sprintf("has an unknown key, %s; did you mean %q?", showKey(key), near)
			}
			return fmt.Sprintf("has an unknown key, %s; known here: %s", showKey(key), strings.Join(names, ", "))
		}
		field := dst.FieldByIndex(fields[at].index)
		problem := assign(field, section[key])
		if problem == "" {
			problem = r.keys[key].checkSetting(field)
		}
		if problem != "" {
			return key + " " + problem
		}
	}
	for _, key := range r.required {
		if section[key] == nil {
			return fmt.Sprintf("has no %s; write %s", key, r.example)
		}
	}
	return ""
}

// check says what is wrong with a record as a whole.
func (r record) check(v reflect.Value) string {
	if r.whole == nil {
		return ""
	}
	return r.whole(v)
}

// checkSetting checks a text or a whole number.
func (r rule) checkSetting(v reflect.Value) string {
	if v.Kind() == reflect.Int {
		return r.checkNumber(float64(v.Int()))
	}
	return r.checkText(v.String())
}

// describe adds the rules to a record's schema.
func (r record) describe(schema *jsonschema.Schema) {
	schema.Required = r.required
	initial := reflect.ValueOf(r.initial)
	for _, f := range fieldsOf(initial.Type()) {
		property, ok := schema.Properties.Get(f.name)
		if !ok {
			continue
		}
		describeSetting(property, r.keys[f.name], f.typ)
		if value := initial.FieldByIndex(f.index); !value.IsZero() {
			property.Default = value.Interface()
		}
	}
}
