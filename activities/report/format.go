package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tenfold-ml/tenfold/sweeps"
)

// percent writes a share with two decimals: 0.0132 is "1.32%".
func percent(x float64) string { return strconv.FormatFloat(100*x, 'f', 2, 64) + "%" }

// tickPercent writes a share as short as it can: 0.02 is "2%".
func tickPercent(x float64) string {
	return strconv.FormatFloat(math.Round(1e8*x)/1e6, 'f', -1, 64) + "%"
}

// decimals writes a number with n digits after the point.
func decimals(x float64, n int) string { return strconv.FormatFloat(x, 'f', n, 64) }

// grouped writes a count with thousands apart: "10,000".
func grouped(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// counted writes "1 trial", "2,000 trials".
func counted(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return grouped(n) + " " + noun
}

// duration writes seconds for people.
func duration(seconds float64) string {
	switch {
	case seconds < 10:
		return decimals(seconds, 1) + " s"
	case seconds < 100:
		return decimals(seconds, 0) + " s"
	}
	switch s := int(math.Round(min(seconds, 1e12))); {
	case s < 3600:
		return fmt.Sprintf("%d min %02d s", s/60, s%60)
	case s < 36000:
		return fmt.Sprintf("%d h %02d min", s/3600, s%3600/60)
	case s < 360000:
		return decimals(float64(s)/3600, 1) + " h"
	default:
		return grouped(s/3600) + " h"
	}
}

// value writes what a setting is set to; numbers that are not whole get four
// significant digits.
func value(v any) string {
	if x, ok := number(v); ok {
		if x == math.Trunc(x) && math.Abs(x) < 1e15 {
			return strconv.FormatFloat(x+0, 'f', -1, 64) // -0 + 0 is 0
		}
		return strconv.FormatFloat(x, 'g', 4, 64)
	}
	switch v := v.(type) {
	case string:
		return v
	case nil:
		return "–"
	}
	return strings.ReplaceAll(exact(v), ",", ", ")
}

// exact writes a value as JSON: in full, and another for every other value.
func exact(v any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Sprint(v)
	}
	return strings.TrimSpace(b.String())
}

// number takes any kind of number.
func number(v any) (float64, bool) {
	switch r := reflect.ValueOf(v); {
	case !r.IsValid():
		return 0, false
	case r.CanFloat():
		return r.Float(), !math.IsNaN(r.Float()) && !math.IsInf(r.Float(), 0)
	case r.CanInt():
		return float64(r.Int()), true
	case r.CanUint():
		return float64(r.Uint()), true
	default:
		return 0, false
	}
}

// clip shortens text to n characters.
func clip(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}

// settingsLine writes settings in one line: "learning_rate 0.1, hidden 0.5".
func settingsLine(settings []sweeps.Setting, short map[string]string) string {
	parts := make([]string, len(settings))
	for i, s := range settings {
		name := short[s.Path]
		if name == "" {
			name = s.Path
		}
		parts[i] = name + " " + value(s.Value)
	}
	return strings.Join(parts, ", ")
}

// shortNames gives each dotted path its shortest ending that no other has.
func shortNames(paths []string) map[string]string {
	out := make(map[string]string, len(paths))
	for _, p := range paths {
		segments := strings.Split(p, ".")
		for n := 1; n <= len(segments); n++ {
			ending := strings.Join(segments[len(segments)-n:], ".")
			out[p] = ending
			unique := true
			for _, other := range paths {
				if other != p && (other == ending || strings.HasSuffix(other, "."+ending)) {
					unique = false
				}
			}
			if unique {
				break
			}
		}
	}
	return out
}
