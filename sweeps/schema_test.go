package sweeps

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"
)

func compileSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	raw, err := JSONSchema()
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("spec.schema.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("spec.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func TestSchemaIsFresh(t *testing.T) {
	t.Parallel()
	want, err := JSONSchema()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join("..", "docs", "spec.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("docs/spec.schema.json is not what the types say; run go generate ./sweeps")
	}
}

// Every setting has a rule with a description, and every rule a setting.
func TestSchemaDescribesEverything(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, path := range leaves(reflect.TypeFor[Spec](), "") {
		known[path] = true
		if rules[path].doc == "" {
			t.Errorf("%s has no description", path)
		}
	}
	for path := range rules {
		if !known[path] {
			t.Errorf("the rule for %s is for no setting", path)
		}
	}
	for path := range plannedKeys {
		if known[path] {
			t.Errorf("%s is said to be planned, and exists", path)
		}
	}
}

// The schema accepts what Parse accepts.
func TestSchemaAcceptsGoodSpecs(t *testing.T) {
	t.Parallel()
	schema := compileSchema(t)
	for _, file := range testdata(t, "good/*.out") {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(tree(t, src)); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		src := []byte(render(t, drawSpec(t)))
		root, err := parseTree(src)
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(root.json()); err != nil {
			t.Fatalf("%v\n%s", err, src)
		}
	})
}

func TestSchemaRefusesBadSpecs(t *testing.T) {
	t.Parallel()
	schema := compileSchema(t)
	for _, name := range []string{
		"unknown-key", "unknown-key-top", "missing-name", "missing-version", "version-2", "name-bad", "type-whole", "type-list", "type-section", "type-bytes-unit", "type-duration-bad",
		"range-parallelism", "range-model-dropout-input", "range-model-hidden-2", "range-model-init-scale", "range-model-kind", "later-metric-target", "range-data-augment-shift", "later-search-method",
		"values-empty", "values-and-min", "range-missing-count", "range-count-1", "range-scale-unknown", "parameter-unknown-key", "path-unknown", "path-section", "path-fixed-data", "path-not-a-trials",
		"config-without-trainer", "trainer-without-command", "trainer-empty-command", "custom-with-built-in",
		"nomad-driver", "nomad-numbers", "nomad-datacenters-empty", "nomad-datacenters-element", "nomad-gpu-name", "nomad-constraints", "nomad-affinities",
		"nomad-env-list", "nomad-artifacts", "nomad-unknown-key", "nomad-not-a-section",
	} {
		src, err := os.ReadFile(filepath.Join("testdata", "bad", name+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(tree(t, src)); err == nil {
			t.Errorf("the schema accepts %s", name)
		}
	}
}

func tree(t *testing.T, src []byte) any {
	t.Helper()
	root, err := parseTree(src)
	if err != nil {
		t.Fatal(err)
	}
	return root.json()
}
