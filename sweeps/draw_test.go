package sweeps

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"pgregory.net/rapid"
)

// drawSpec draws a valid spec as the tree that its YAML would be.
func drawSpec(t *rapid.T) map[string]any {
	spec := map[string]any{"version": 1, "name": rapid.StringMatching(`[a-z][a-z0-9-]{0,39}`).Draw(t, "name")}
	maybe := func(section map[string]any, key string, value func() any) {
		if rapid.Bool().Draw(t, "has "+key) {
			section[key] = value()
		}
	}
	whole := func(low, high int) func() any {
		return func() any { return rapid.IntRange(low, high).Draw(t, "whole") }
	}
	number := func(low, high float64) func() any {
		return func() any { return rapid.Float64Range(low, high).Draw(t, "number") }
	}
	maybe(spec, "seed", func() any { return rapid.Uint64Max(MaxSafeInteger).Draw(t, "seed") })
	maybe(spec, "parallelism", whole(1, 500))
	maybe(spec, "max_failed_trials", whole(0, 100))
	maybe(spec, "no_progress", func() any { return fmt.Sprintf("%dms", rapid.IntRange(1000, 1e7).Draw(t, "ms")) })
	maybe(spec, "resources", func() any {
		return map[string]any{"cpu": whole(0, 64)(), "memory": rapid.Int64Range(0, 1<<45).Draw(t, "memory")}
	})
	maybe(spec, "launcher", func() any { return drawNomad(t, spec) })
	maybe(spec, "retries", func() any {
		return map[string]any{"infra": whole(0, 9)(), "preempted": whole(0, 9)(), "user": whole(0, 9)()}
	})
	if rapid.Bool().Draw(t, "custom") {
		drawCustom(t, spec)
		return spec
	}
	maybe(spec, "data", func() any {
		data := map[string]any{"standardize": rapid.Bool().Draw(t, "standardize")}
		if data["standardize"] == true {
			maybe(data, "std_floor", func() any { return rapid.Float64Range(0, 1).Draw(t, "std_floor") })
		}
		maybe(data, "limit", whole(2, 100_000))
		if _, limited := data["limit"]; !limited {
			maybe(data, "validation", whole(1, 59_999))
		}
		maybe(data, "split_seed", whole(0, 1e9))
		if rapid.Bool().Draw(t, "generated") {
			return map[string]any{"name": "copy", "cases": whole(3, 1e6)(), "validation": 2, "length": whole(7, 30)(), "test": whole(1, 99)()}
		}
		if rapid.Bool().Draw(t, "table") {
			data["name"] = "./table.csv"
			maybe(data, "log1p", func() any { return rapid.Bool().Draw(t, "log1p") })
			maybe(data, "values", func() any { return rapid.Bool().Draw(t, "values") })
			maybe(data, "header", func() any { return rapid.SampledFrom([]string{"present", "absent"}).Draw(t, "header") })
			maybe(data, "label", func() any { return rapid.SampledFrom([]string{"kind", "2", "a: b # c", "true"}).Draw(t, "label") })
		}
		maybe(data, "augment", func() any {
			return map[string]any{"shift": whole(0, 5)(), "rotate": rapid.Float64Range(0, 180).Draw(t, "rotate"), "noise": rapid.Float64Range(0, 2).Draw(t, "noise")}
		})
		return data
	})
	data, _ := spec["data"].(map[string]any)
	_, generated := data["cases"]
	if generated {
		spec["model"] = map[string]any{"kind": "lstm"}
	}
	maybe(spec, "model", func() any {
		model := map[string]any{}
		switch {
		case generated || rapid.Bool().Draw(t, "lstm"):
			model["kind"] = "lstm"
			maybe(model, "forget_bias", number(-2, 5))
			maybe(model, "hidden", func() any { return []any{whole(1, 99)()} })
			return model
		case rapid.Bool().Draw(t, "convnet"):
			model["kind"], model["conv"] = "convnet", []any{map[string]any{"channels": whole(1, 64)(), "kernel": whole(2, 5)(), "padding": 1, "pool": whole(0, 2)()}}
		}
		maybe(model, "hidden", func() any { return rapid.SliceOfN(rapid.IntRange(1, 2048), 1, 4).Draw(t, "hidden") })
		maybe(model, "activation", func() any { return rapid.SampledFrom([]string{"relu", "tanh", "sigmoid"}).Draw(t, "activation") })
		maybe(model, "init", func() any {
			init := map[string]any{"kind": rapid.SampledFrom([]string{"scaled", "normal", "he", "sign"}).Draw(t, "init")}
			maybe(init, "bias", number(0, 3))
			return init
		})
		maybe(model, "dropout", func() any { return map[string]any{"input": number(0, 0.99)()} })
		return model
	})
	maybe(spec, "train", func() any {
		train := map[string]any{}
		maybe(train, "epochs", whole(1, 1000))
		maybe(train, "clip_norm", number(0, 100))
		maybe(train, "weight_decay", number(0, 0.1))
		maybe(train, "max_norm", number(0, 10))
		train["optimizer"] = rapid.SampledFrom([]string{"sgd", "adam"}).Draw(t, "optimizer")
		if train["optimizer"] == "adam" {
			maybe(train, "adam", func() any { return map[string]any{"beta2": number(0, 0.99)()} })
			maybe(train, "learning_rate", number(1e-6, 1))
		} else {
			maybe(train, "momentum", number(0, 0.99))
			maybe(train, "nesterov", func() any { return rapid.Bool().Draw(t, "nesterov") })
		}
		maybe(train, "schedule", func() any {
			if rapid.Bool().Draw(t, "constant") {
				return map[string]any{"kind": "constant"}
			}
			return map[string]any{"divide_by": number(1, 10)(), "stop_below": number(0, 1)()}
		})
		return train
	})
	maybe(spec, "parameters", func() any {
		parameters := map[string]any{}
		maybe(parameters, "train.learning_rate", func() any { return drawRange(t, 1e-6, 10) })
		maybe(parameters, "model.init.scale", func() any { return drawRange(t, 1e-6, 10) })
		maybe(parameters, "seed", func() any {
			return values(rapid.SliceOfNDistinct(rapid.IntRange(0, 1e6), 1, 5, rapid.ID).Draw(t, "seeds"))
		})
		maybe(parameters, "model.hidden", func() any {
			return values(rapid.SliceOfNDistinct(rapid.SliceOfN(rapid.IntRange(1, 99), 1, 3), 1, 4, func(l []int) string { return fmt.Sprint(l) }).Draw(t, "widths"))
		})
		if !generated {
			maybe(parameters, "data.standardize", func() any { return values([]bool{true, false}) })
			maybe(parameters, "data.log1p", func() any { return values([]bool{true, false}) })
		}
		if train, _ := spec["train"].(map[string]any); train["optimizer"] == "adam" {
			return parameters
		}
		maybe(parameters, "train.momentum", func() any {
			return values(rapid.SliceOfNDistinct(rapid.Float64Range(0, 0.9), 1, 4, rapid.ID).Draw(t, "momenta"))
		})
		return parameters
	})
	return spec
}

// drawNomad draws a launcher on Nomad, and gives the spec GPUs or not.
func drawNomad(t *rapid.T, spec map[string]any) any {
	maybe := func(section map[string]any, key string, value any) {
		if rapid.Bool().Draw(t, "has "+key) {
			section[key] = value
		}
	}
	word := func() string { return rapid.StringMatching(`[a-z0-9]{1,12}`).Draw(t, "word") }
	constraints := func() any {
		return rapid.SampledFrom([][]any{
			{},
			{map[string]any{"attribute": "${attr.cpu.arch}", "value": drawText(t) + "x"}},
			{map[string]any{"attribute": "${meta." + word() + "}", "operator": "is_set"}, map[string]any{"attribute": "a", "operator": ">=", "value": "1 GiB"}},
		}).Draw(t, "constraints")
	}
	nomad := map[string]any{}
	if rapid.Bool().Draw(t, "docker") {
		nomad["driver"], nomad["image"] = "docker", word()+":1"
	} else {
		maybe(nomad, "driver", rapid.SampledFrom([]string{"raw_exec", "exec"}).Draw(t, "driver"))
	}
	maybe(nomad, "region", word())
	maybe(nomad, "namespace", word())
	maybe(nomad, "datacenters", []any{word(), "eu-*"})
	maybe(nomad, "node_pool", word())
	maybe(nomad, "priority", rapid.IntRange(1, 100).Draw(t, "priority"))
	maybe(nomad, "constraints", constraints())
	maybe(nomad, "affinities", []any{map[string]any{"attribute": "a", "operator": "regexp", "value": word(), "weight": rapid.SampledFrom([]int{-100, -1, 1, 100}).Draw(t, "weight")}})
	maybe(nomad, "spread", []any{map[string]any{"attribute": "a"}})
	maybe(nomad, "kill_timeout", "90s")
	maybe(nomad, "lost_after", "1h")
	maybe(nomad, "env", map[string]any{"A" + strings.ToUpper(word()) + "_": drawText(t)})
	maybe(nomad, "artifacts", []any{map[string]any{"source": "https://host/" + word()}})
	maybe(nomad, "vault", map[string]any{"role": word()})
	maybe(nomad, "identity", map[string]any{"name": word(), "audience": []any{word()}, "env": rapid.Bool().Draw(t, "env")})
	maybe(nomad, "credentials", map[string]any{"role_arn": "arn:aws:iam::1:role/" + word(), "duration": "15m"})
	maybe(nomad, "disk", 1<<30)
	maybe(nomad, "jobspec", map[string]any{"Meta": map[string]any{word() + "_": drawText(t)}, "Priority": 3})
	if rapid.Bool().Draw(t, "gpus") {
		spec["resources"] = map[string]any{"gpus": rapid.IntRange(1, 8).Draw(t, "gpus")}
		maybe(nomad, "gpu", map[string]any{"name": "nvidia/gpu/" + word(), "constraints": constraints()})
	}
	return map[string]any{"kind": "nomad", "nomad": nomad}
}

func values[T any](list []T) map[string]any { return map[string]any{"values": list} }

func drawRange(t *rapid.T, low, high float64) map[string]any {
	from := rapid.Float64Range(low, high/2).Draw(t, "min")
	return map[string]any{
		"min": from, "max": from + rapid.Float64Range(from/1e6, high-from).Draw(t, "span"),
		"count": rapid.IntRange(2, 6).Draw(t, "count"),
		"scale": rapid.SampledFrom([]string{"linear", "log"}).Draw(t, "scale"),
	}
}

// drawCustom adds a custom trainer with free-form settings, some of them swept.
func drawCustom(t *rapid.T, spec map[string]any) {
	spec["trainer"] = map[string]any{"command": append([]string{"train"}, rapid.SliceOfN(rapid.String(), 0, 3).Draw(t, "arguments")...)}
	section, ok := drawFree(t, 3, true).(map[string]any)
	if !ok {
		return
	}
	section["swept"] = map[string]any{"key": 1}
	spec["config"] = section
	spec["parameters"] = map[string]any{"config.swept.key": map[string]any{"values": []any{
		drawFree(t, 2, false), "a text that is not drawn", []any{"nor", "this"},
	}}}
}

// drawFree draws any JSON value, or a mapping.
func drawFree(t *rapid.T, depth int, mapping bool) any {
	kinds := []string{"null", "bool", "number", "whole", "text", "list", "mapping"}
	if depth == 0 {
		kinds = kinds[:5]
	}
	kind := "mapping"
	if !mapping {
		kind = rapid.SampledFrom(kinds).Draw(t, "kind")
	}
	switch kind {
	case "bool":
		return rapid.Bool().Draw(t, "bool")
	case "number":
		return rapid.Float64().Filter(func(x float64) bool { return x == 0 || x*0 == 0 }).Draw(t, "float")
	case "whole":
		return rapid.Int64Range(-MaxSafeInteger, MaxSafeInteger).Draw(t, "int")
	case "text":
		return drawText(t)
	case "list":
		list := make([]any, rapid.IntRange(0, 3).Draw(t, "length"))
		for i := range list {
			list[i] = drawFree(t, depth-1, false)
		}
		return list
	case "mapping":
		section := map[string]any{}
		for range rapid.IntRange(0, 3).Draw(t, "keys") {
			section[drawText(t)] = drawFree(t, depth-1, false)
		}
		return section
	default:
		return nil
	}
}

// drawText draws texts that YAML could take for something else.
func drawText(t *rapid.T) string {
	if rapid.Bool().Draw(t, "tricky") {
		return rapid.SampledFrom([]string{"", "~", "null", "yes", "on", "1", "1e3", "0x1f", "010", ".nan", "- a", "a: b", "a #b", "&a", "*a", "!a",
			"<<", "|", ">", "%", "@", "`", "{", "[", "]", "}", ",", "?", ":", "'", "\"", "\\", " a ", "a\nb", "\t", "\u2028", "\ufeff", "---", "...", "é", "😀", "#", "2026-01-01", "=", strings.Repeat("[", 200)}).Draw(t, "tricky text")
	}
	return rapid.String().Draw(t, "text")
}

// render writes a tree as YAML in flow style, keys in a drawn order.
func render(t *rapid.T, v any) string {
	switch v := v.(type) {
	case map[string]any:
		keys := rapid.Permutation(slices.Sorted(maps.Keys(v))).Draw(t, "order")
		words := make([]string, len(keys))
		for i, key := range keys {
			words[i] = quote(key) + ": " + render(t, v[key])
		}
		return "{" + strings.Join(words, ", ") + "}"
	case []any:
		words := make([]string, len(v))
		for i, e := range v {
			words[i] = render(t, e)
		}
		return "[" + strings.Join(words, ", ") + "]"
	default:
		return quote(v)
	}
}

// quote writes JSON in plain ASCII without brackets inside texts.
func quote(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	if x, isFloat := v.(float64); isFloat { // with an exponent, for JSON's large numbers look whole
		return strconv.FormatFloat(x, 'e', -1, 64)
	}
	text, isText := v.(string)
	if !isText && !strings.ContainsAny(string(raw), `"`) {
		return string(raw)
	}
	if !isText {
		return strings.ReplaceAll(string(raw), "\x7f", `\u007f`)
	}
	return yamlText(text)
}
