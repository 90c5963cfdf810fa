package sweeps

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"

	"github.com/invopop/jsonschema"

	"github.com/tenfold-ml/tenfold/sweeps/space"
)

//go:generate go run ./internal/genschema ../docs/spec.schema.json

// JSONSchema is the JSON Schema (draft 2020-12) of a spec, generated from the Go
// types and the rules that [Parse] enforces. What it accepts may still be refused
// by Parse, which also checks settings against each other.
func JSONSchema() ([]byte, error) {
	reflector := jsonschema.Reflector{
		Anonymous:                  true,
		DoNotReference:             true,
		ExpandedStruct:             true,
		RequiredFromJSONSchemaTags: true,
		Mapper:                     unitSchema,
	}
	schema := reflector.Reflect(&Spec{})
	schema.Title = "Tenfold sweep"
	schema.Required = []string{"version", "name"}
	describeSection(schema, reflect.ValueOf(defaultSpec()), "")
	describeParameters(schema)
	describeTrainer(schema)
	raw, err := json.MarshalIndent(schema, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode the JSON schema: %w", err)
	}
	return append(raw, '\n'), nil
}

// unitSchema describes the types that are written as text with a unit.
func unitSchema(t reflect.Type) *jsonschema.Schema {
	switch t {
	case reflect.TypeFor[Bytes]():
		return &jsonschema.Schema{OneOf: []*jsonschema.Schema{
			{Type: "integer", Minimum: "0"},
			{Type: "string", Pattern: `^\s*[0-9]+(\.[0-9]+)?\s*(([kKmMgGtT][iI]?)?[bB])?\s*$`},
		}, Examples: []any{"2GiB", "500MB"}}
	case reflect.TypeFor[Duration]():
		return &jsonschema.Schema{Type: "string", Pattern: `^\s*\+?([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))*\s*$`, Examples: []any{"10m", "1h30m"}}
	}
	return nil
}

// describeSection adds what rules and defaults say to the schema of a struct.
func describeSection(schema *jsonschema.Schema, defaults reflect.Value, path string) {
	schema.Description = sectionDocs[path]
	for _, f := range fieldsOf(defaults.Type()) {
		at, value := join(path, f.name), defaults.FieldByIndex(f.index)
		property, ok := schema.Properties.Get(f.name)
		if !ok {
			continue
		}
		switch {
		case isSection(f.typ):
			describeSection(property, value, at)
		case f.typ.Kind() == reflect.Map:
			property.Description = sectionDocs[at]
		default:
			describeSetting(property, rules[at], f.typ)
			if !conditionalDefault(at) && !value.IsZero() {
				property.Default = value.Interface()
			}
		}
	}
}

// conditionalDefault reports whether a default depends on other settings, which
// the description tells.
func conditionalDefault(path string) bool {
	return slices.Contains([]string{"ensemble.size", "max_failed_trials", "data.split_seed", "data.validation", "model.init.scale", "model.init.bias", "train.learning_rate", "train.momentum"}, path)
}

func describeSetting(property *jsonschema.Schema, r rule, t reflect.Type) {
	property.Description = r.doc
	for _, word := range r.words {
		property.Enum = append(property.Enum, word)
	}
	numbers := property
	if t.Kind() == reflect.Slice {
		items := uint64(r.minItems)
		property.MinItems = &items
		numbers = property.Items
		if t == reflect.TypeFor[[]ConvLayer]() {
			describeConvLayer(property.Items)
		}
		if record, ok := records[t.Elem()]; ok {
			record.describe(property.Items)
		}
	}
	if r.pattern != nil {
		numbers.Pattern = r.pattern.String()
	}
	if r.maxItems > 0 {
		items := uint64(r.maxItems)
		property.MaxItems = &items
	}
	if property.OneOf == nil && t != reflect.TypeFor[Duration]() && r.hasRange() {
		r.describeRange(numbers)
	}
}

func (r rule) describeRange(schema *jsonschema.Schema) {
	number := func(x float64) json.Number { return json.Number(strconv.FormatFloat(x, 'f', -1, 64)) }
	if r.minOpen {
		schema.ExclusiveMinimum = number(r.min)
	} else {
		schema.Minimum = number(r.min)
	}
	if r.maxOpen {
		schema.ExclusiveMaximum = number(r.max)
	} else if !math.IsInf(r.max, 0) {
		schema.Maximum = number(r.max)
	}
}

// describeParameters says what may be swept, and how.
func describeParameters(schema *jsonschema.Schema) {
	parameters, ok := schema.Properties.Get("parameters")
	if !ok {
		return
	}
	var paths []any
	for _, path := range sweepable(&Spec{}) {
		paths = append(paths, path)
	}
	parameters.PropertyNames = &jsonschema.Schema{AnyOf: []*jsonschema.Schema{{Enum: paths}, {Pattern: `^config\..`}}}
	p := parameters.AdditionalProperties
	p.Description = "Either values, or count numbers from min to max."
	two, one := json.Number("2"), uint64(1)
	for name, describe := range map[string]func(*jsonschema.Schema){
		"values": func(s *jsonschema.Schema) { s.Description, s.MinItems = "The values to try, in this order.", &one },
		"min":    func(s *jsonschema.Schema) { s.Description = "First value of a range." },
		"max":    func(s *jsonschema.Schema) { s.Description = "Last value of a range." },
		"scale": func(s *jsonschema.Schema) {
			s.Description, s.Enum, s.Default = "Spacing of a range.", []any{space.Linear, space.Log}, space.Linear
		},
		"count": func(s *jsonschema.Schema) {
			s.Description, s.Minimum, s.Maximum = "Number of values of a range, both ends included.", two, json.Number(strconv.Itoa(space.MaxCount))
		},
	} {
		if property, ok := p.Properties.Get(name); ok {
			describe(property)
		}
	}
	p.OneOf = []*jsonschema.Schema{
		{Required: []string{"values"}, Not: &jsonschema.Schema{AnyOf: []*jsonschema.Schema{
			{Required: []string{"min"}}, {Required: []string{"max"}}, {Required: []string{"scale"}}, {Required: []string{"count"}},
		}}},
		{Required: []string{"min", "max", "count"}},
	}
}

// describeTrainer says which sections a custom trainer and the built-in one have.
func describeTrainer(schema *jsonschema.Schema) {
	if trainer, ok := schema.Properties.Get("trainer"); ok {
		trainer.Required = []string{"command"}
	}
	schema.DependentRequired = map[string][]string{"config": {"trainer"}}
	epochs := jsonschema.NewProperties()
	epochs.Set("epochs", jsonschema.TrueSchema)
	own := jsonschema.NewProperties()
	own.Set("data", jsonschema.FalseSchema)
	own.Set("model", jsonschema.FalseSchema)
	own.Set("train", &jsonschema.Schema{Properties: epochs, AdditionalProperties: jsonschema.FalseSchema})
	schema.DependentSchemas = map[string]*jsonschema.Schema{"trainer": {Properties: own}}
}
