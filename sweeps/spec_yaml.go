package sweeps

import (
	"fmt"
	"maps"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"

	"github.com/tenfold-ml/tenfold/sweeps/space"
)

// YAML writes the spec back, with all defaults, in the order of the reference.
// [Parse] of it gives the same spec. It fails for values that are not JSON's,
// which a spec from Parse does not have.
func (s Spec) YAML() ([]byte, error) {
	w := yamlWriter{spec: &s}
	w.section(reflect.ValueOf(s), "", "")
	if w.err != nil {
		return nil, fmt.Errorf("write the spec %s as YAML: %w", s.Name, w.err)
	}
	return []byte(w.out.String()), nil
}

type yamlWriter struct {
	spec *Spec
	out  strings.Builder
	err  error
}

// omit reports whether a key is left out because writing it would say something
// else than the spec does: there is no value that says "none".
func (w *yamlWriter) omit(path string, value reflect.Value) bool {
	if strings.HasPrefix(path, "launcher.nomad") {
		return value.IsZero() // which none of its settings can be
	}
	switch path {
	case "resources.gpus":
		return value.IsZero()
	case "data", "model", "train.batch_size", "train.learning_rate", "train.schedule", "train.clip_norm":
		return w.spec.custom()
	case "train.momentum":
		return w.spec.custom() || w.spec.Train.Optimizer == "adam" && value.IsZero()
	case "train.optimizer", "train.nesterov", "train.adam", "train.weight_decay", "train.max_norm":
		return value.IsZero()
	case "model.conv":
		return value.IsZero()
	case "data.cases", "data.test", "data.bits", "data.numbers", "data.length", "data.values",
		"data.validation": // 0 is a share, for text
		return value.IsZero()
	case "model.activation":
		return w.spec.uses() == kinds{lstm: true}
	case "model.forget_bias":
		return !w.spec.uses().lstm
	case "train.carry_state":
		return w.spec.custom() || w.spec.uses().others || !w.spec.Data.IsText()
	case "trainer", customSection:
		return !w.spec.custom() || value.IsZero()
	case "parameters":
		return value.Len() == 0
	case "data.header", "data.label", "data.log1p", "data.std_floor", "data.augment":
		return value.IsZero()
	case "model.init.bias": // where zero is the default
		_, swept := w.spec.Parameters["model.init.kind"]
		return value.IsZero() && w.spec.Model.Init.Kind != "sign" && !swept
	case "data.sha256", "train.schedule.divide_by", "train.schedule.patience", "train.schedule.stop_below":
		constant := w.spec.Train.Schedule.Kind == "constant"
		return value.IsZero() && (constant || path == "data.sha256")
	}
	return false
}

func (w *yamlWriter) section(v reflect.Value, path, indent string) {
	for _, f := range fieldsOf(v.Type()) {
		value, at := v.FieldByIndex(f.index), join(path, f.name)
		if w.omit(at, value) {
			continue
		}
		w.out.WriteString(indent + f.name + ":")
		switch {
		case at == "parameters":
			w.parameters(indent + "  ")
		case at == customSection && value.Len() == 0:
			w.out.WriteString(" {}\n")
		case at == customSection:
			w.out.WriteString("\n")
			for _, key := range slices.Sorted(maps.Keys(w.spec.Custom)) {
				w.out.WriteString(indent + "  " + yamlText(key) + ": " + w.flow(w.spec.Custom[key]) + "\n")
			}
		case isSection(f.typ):
			w.out.WriteString("\n")
			w.section(value, at, indent+"  ")
		default:
			w.out.WriteString(" " + w.flow(value.Interface()) + "\n")
		}
	}
}

func (w *yamlWriter) parameters(indent string) {
	w.out.WriteString("\n")
	for _, path := range slices.Sorted(maps.Keys(w.spec.Parameters)) {
		p := w.spec.Parameters[path]
		w.out.WriteString(indent + yamlText(path) + ": ")
		if p.IsRange() && p.Min != nil && p.Max != nil {
			fmt.Fprintf(&w.out, "{min: %s, max: %s, scale: %s, count: %d}\n", w.number(*p.Min), w.number(*p.Max), yamlText(p.Scale), p.Count)
		} else {
			w.out.WriteString("{values: " + w.flow(p.Values) + "}\n")
		}
	}
}

// flow writes a value on one line.
func (w *yamlWriter) flow(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return strconv.FormatBool(v)
	case int:
		return strconv.Itoa(v)
	case uint64:
		return strconv.FormatUint(v, 10)
	case float64:
		return w.number(v)
	case string:
		return yamlText(v)
	case fmt.Stringer: // Bytes and Duration, whose form is plain text in YAML
		return v.String()
	case map[string]any:
		return yamlList(slices.Sorted(maps.Keys(v)), "{}", func(key string) string { return yamlText(key) + ": " + w.flow(v[key]) })
	case map[string]string:
		return yamlList(slices.Sorted(maps.Keys(v)), "{}", func(key string) string { return yamlText(key) + ": " + yamlText(v[key]) })
	case []any:
		return yamlList(v, "[]", w.flow)
	case []ConvLayer:
		return yamlList(v, "[]", ConvLayer.flow)
	case []int:
		return yamlList(v, "[]", strconv.Itoa)
	case []string:
		return yamlList(v, "[]", yamlText)
	default:
		if list := reflect.ValueOf(v); list.Kind() == reflect.Slice {
			if _, ok := records[list.Type().Elem()]; ok {
				return w.records(list)
			}
		}
		w.err = fmt.Errorf("a %T is no JSON value", v)
		return "null"
	}
}

// records writes a list of records, without what they do not say.
func (w *yamlWriter) records(list reflect.Value) string {
	items := make([]reflect.Value, list.Len())
	for i := range items {
		items[i] = list.Index(i)
	}
	return yamlList(items, "[]", func(item reflect.Value) string {
		fields := slices.DeleteFunc(fieldsOf(item.Type()), func(f field) bool { return item.FieldByIndex(f.index).IsZero() })
		return yamlList(fields, "{}", func(f field) string { return f.name + ": " + w.flow(item.FieldByIndex(f.index).Interface()) })
	})
}

func yamlList[T any](items []T, brackets string, write func(T) string) string {
	words := make([]string, len(items))
	for i, item := range items {
		words[i] = write(item)
	}
	return brackets[:1] + strings.Join(words, ", ") + brackets[1:]
}

func (w *yamlWriter) number(x float64) string {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		w.err = fmt.Errorf("the number %v is not finite", x)
	}
	return space.Format(x)
}

var plainPattern = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_./-]*$`)

// yamlText writes text plain where nothing could be taken for something else,
// else in double quotes.
func yamlText(text string) string {
	switch strings.ToLower(text) {
	case "null", "true", "false", "yes", "no", "on", "off", "y", "n":
	default:
		if plainPattern.MatchString(text) {
			return text
		}
	}
	var quoted strings.Builder
	quoted.WriteByte('"')
	// A text of many brackets looks deeply nested to whoever does not know quotes.
	brackets := strings.Count(text, "[")+strings.Count(text, "{") > 8
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			quoted.WriteString(`\` + string(r))
		case r == '\n':
			quoted.WriteString(`\n`)
		case unicode.IsPrint(r) && (!brackets || (r != '[' && r != '{')):
			quoted.WriteRune(r)
		default:
			for _, unit := range utf16.Encode([]rune{r}) {
				fmt.Fprintf(&quoted, `\u%04x`, unit)
			}
		}
	}
	quoted.WriteByte('"')
	return quoted.String()
}
