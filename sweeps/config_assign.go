package sweeps

import (
	"fmt"
	"math"
	"reflect"
	"strings"

	"github.com/tenfold-ml/tenfold/sweeps/space"
)

// assign stores a JSON value (nil, bool, float64, string, []any, map[string]any)
// in a variable of a setting's type, or says why it does not fit and what would.
func assign(dst reflect.Value, v any) string {
	switch dst.Interface().(type) {
	case Duration:
		text, ok := v.(string)
		if !ok {
			return mismatch("a duration with a unit, such as 10m", v)
		}
		d, err := ParseDuration(text)
		if err != nil {
			return "has to be a duration: " + err.Error()
		}
		dst.SetInt(int64(d))
		return ""
	case Bytes:
		return assignBytes(dst, v)
	case ConvLayer:
		return assignConvLayer(dst, v)
	}
	if r, ok := records[dst.Type()]; ok {
		return r.assign(dst, v)
	}
	switch dst.Kind() {
	case reflect.Bool:
		b, ok := v.(bool)
		if !ok {
			return mismatch("true or false", v)
		}
		dst.SetBool(b)
	case reflect.String:
		text, ok := v.(string)
		if !ok {
			return mismatch("text", v)
		}
		dst.SetString(text)
	case reflect.Int, reflect.Int64, reflect.Uint64:
		return assignWhole(dst, v)
	case reflect.Float64:
		x, ok := v.(float64)
		if !ok {
			return mismatch("a number", v)
		}
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return "has to be a finite number"
		}
		dst.SetFloat(x)
	case reflect.Slice:
		return assignList(dst, v)
	default:
		return fmt.Sprintf("cannot be set (%s)", dst.Type())
	}
	return ""
}

func assignBytes(dst reflect.Value, v any) string {
	text, ok := v.(string)
	if !ok {
		return assignWhole(dst, v)
	}
	size, err := ParseBytes(text)
	if err != nil {
		return "has to be a size: " + err.Error()
	}
	dst.SetInt(int64(size))
	return ""
}

func assignWhole(dst reflect.Value, v any) string {
	x, ok := v.(float64)
	switch {
	case !ok:
		return mismatch("a whole number", v)
	case math.IsNaN(x), math.IsInf(x, 0), x != math.Trunc(x):
		return mismatch("a whole number", v)
	case math.Abs(x) > MaxSafeInteger:
		return fmt.Sprintf("is too large: whole numbers go up to %d", int64(MaxSafeInteger))
	case dst.Kind() == reflect.Uint64 && x < 0:
		return fmt.Sprintf("is %s, but cannot be negative", space.Format(x))
	case dst.Kind() == reflect.Uint64:
		dst.SetUint(uint64(x))
	default:
		dst.SetInt(int64(x))
	}
	return ""
}

func assignList(dst reflect.Value, v any) string {
	items, ok := v.([]any)
	if !ok {
		return mismatch("a list, such as "+listExample(dst.Type()), v)
	}
	list := reflect.MakeSlice(dst.Type(), len(items), len(items))
	for i, item := range items {
		if problem := assign(list.Index(i), item); problem != "" {
			return fmt.Sprintf("element %d %s", i+1, problem)
		}
	}
	dst.Set(list)
	return ""
}

func listExample(t reflect.Type) string {
	switch t.Elem().Kind() {
	case reflect.Int:
		return "[512, 512]"
	case reflect.Struct:
		if r, ok := records[t.Elem()]; ok {
			return "[" + r.example + "]"
		}
		return "[{channels: 32, pool: 2}, {channels: 64, pool: 2}]"
	}
	return "[python, train.py]"
}

// mismatch says that v is not what was wanted, and how to write it where the
// slip is a common one.
func mismatch(want string, v any) string {
	message := fmt.Sprintf("has to be %s, and is %s", want, describe(v))
	switch v := v.(type) {
	case string:
		wantsNumber := want == "a number" || want == "a whole number"
		switch {
		case wantsNumber && floatPattern.MatchString(v), want == "true or false" && (v == "true" || v == "false"):
			return message + "; remove the quotes"
		case wantsNumber && floatPattern.MatchString(strings.ReplaceAll(v, "_", "")):
			return message + "; write it without _"
		}
	case bool, float64:
		if want == "text" {
			return message + "; put it in quotes"
		}
	}
	return message
}

// describe names a JSON value in a message.
func describe(v any) string {
	switch v := v.(type) {
	case nil:
		return "nothing"
	case bool:
		return fmt.Sprint(v)
	case float64:
		return space.Format(v)
	case string:
		return fmt.Sprintf("the text %.60q", v)
	case []any:
		return "a list"
	case map[string]any:
		return "a section"
	default:
		return fmt.Sprintf("a %T", v)
	}
}
