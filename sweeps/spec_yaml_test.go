package sweeps

import (
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/tenfold-ml/tenfold/sweeps/space"
)

// A spec made by hand, with what JSON does not have, is refused.
func TestYAMLRefuses(t *testing.T) {
	t.Parallel()
	custom := Trainer{Command: []string{"x"}}
	for name, spec := range map[string]Spec{
		"NaN":              {Config: Config{Train: Train{ClipNorm: math.NaN()}}},
		"infinity":         {Trainer: custom, Config: Config{Custom: map[string]any{"a": math.Inf(1)}}},
		"a Go type":        {Trainer: custom, Config: Config{Custom: map[string]any{"a": []any{struct{}{}}}}},
		"in a parameter":   {Parameters: map[string]space.Parameter{"seed": {Values: []any{make(chan int)}}}},
		"in a nested type": {Trainer: custom, Config: Config{Custom: map[string]any{"a": map[string]any{"b": uint8(1)}}}},
	} {
		spec.Name = "demo"
		if text, err := spec.YAML(); err == nil || !strings.Contains(err.Error(), "demo") {
			t.Errorf("%s: got %s, %v", name, text, err)
		}
	}
}

// A spec made by hand without free-form settings still says that it has none.
func TestYAMLWritesAnEmptyConfig(t *testing.T) {
	t.Parallel()
	spec := mustParse(t, "version: 1\nname: demo\ntrainer: {command: [x]}\nconfig: {}\n")
	text, err := spec.YAML()
	if err != nil || !strings.Contains(string(text), "config: {}\n") {
		t.Errorf("got %s, %v", text, err)
	}
}

// Any text stays the text that it is, as a key and as a value.
func TestYAMLText(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := drawText(t)
		if !utf8.ValidString(text) {
			t.Skip("not text")
		}
		root, err := parseTree([]byte("a:\n  " + yamlText(text) + ": [" + yamlText(text) + "]\n"))
		if err != nil {
			t.Fatalf("%s: %v", yamlText(text), err)
		}
		inner := root.entries[0].value.entries[0]
		if inner.key != text || inner.value.list[0].value != text {
			t.Fatalf("%q became the key %q and the value %q", text, inner.key, inner.value.list[0].value)
		}
	})
}
