// Package space holds the parameters of a sweep and the grids over them. It knows
// values and how many there are, not what they mean: which values a setting can
// take is package sweeps' business. Start reading at [Parameter], then [Grid].
//
// Everything here is a pure function of its arguments, and gives the same bits on
// every machine: see elementary.go.
package space

import (
	"fmt"
	"math"
	"strconv"
)

// Scales of a range.
const (
	Linear = "linear"
	Log    = "log"
)

// MaxCount is the largest number of values that one parameter can have.
const MaxCount = 1_000_000

// maxMagnitude keeps the arithmetic of a range far from overflow.
const maxMagnitude = 1e100

// Parameter is one axis of the search: either Values, or Count numbers from Min
// to Max, both included, evenly spaced on Scale.
type Parameter struct {
	// Values are JSON values, in the order to try: numbers (float64), strings,
	// booleans, lists.
	Values []any    `json:"values,omitzero" yaml:"values"`
	Min    *float64 `json:"min,omitzero" yaml:"min"`
	Max    *float64 `json:"max,omitzero" yaml:"max"`
	// Scale is "linear" or "log"; empty means linear.
	Scale string `json:"scale,omitzero" yaml:"scale"`
	Count int    `json:"count,omitzero" yaml:"count"`
}

// Error says what is wrong with a parameter, and in which of its fields, so that
// a caller who knows where that field was written can point at it.
type Error struct {
	// Field is the JSON name of the field at fault, empty for the whole.
	Field string
	// Index is the position in Values, or -1.
	Index int
	// Message says what is wrong and what to do.
	Message string
}

// Error returns the message, preceded by the field.
func (e *Error) Error() string {
	switch {
	case e.Field == "":
		return e.Message
	case e.Index >= 0:
		return fmt.Sprintf("%s[%d]: %s", e.Field, e.Index, e.Message)
	default:
		return e.Field + ": " + e.Message
	}
}

func fault(field, format string, args ...any) *Error {
	return &Error{Field: field, Index: -1, Message: fmt.Sprintf(format, args...)}
}

// IsRange reports whether p is given by Min, Max and Count.
func (p Parameter) IsRange() bool { return p.Values == nil }

// Len is the number of values.
func (p Parameter) Len() int {
	if p.IsRange() {
		return max(p.Count, 0)
	}
	return len(p.Values)
}

// At returns value i, which must be in [0, Len()), of a valid parameter. The
// values of a range are float64; the first and the last are exactly Min and
// Max, the others are rounded to 12 significant digits.
func (p Parameter) At(i int) any {
	if p.IsRange() {
		return p.number(i)
	}
	return p.Values[i]
}

func (p Parameter) number(i int) float64 {
	lo, hi, last := *p.Min, *p.Max, p.Count-1
	switch i {
	case 0:
		return lo
	case last:
		return hi
	}
	a, b, n := float64(last-i), float64(i), float64(last)
	// Products are converted so that no machine fuses them with the sum.
	if p.Scale == Log {
		return round12(exp((float64(a*ln(lo)) + float64(b*ln(hi))) / n))
	}
	x := (float64(a*lo) + float64(b*hi)) / n
	if math.Abs(x) < 1e-13*max(math.Abs(lo), math.Abs(hi)) {
		return 0 // what cancellation has left of a zero
	}
	return round12(x)
}

// round12 rounds to 12 significant digits, so that 0.1 + 2·0.1 is 0.3.
func round12(x float64) float64 {
	r, err := strconv.ParseFloat(strconv.FormatFloat(x, 'e', 11, 64), 64)
	if err != nil { // not reached: the text is a number in range
		return x
	}
	return r
}

// Validate returns nil or an [*Error]. A valid parameter has at least one value
// (a range has at least two), all of them finite; a range's are distinct. Whether
// Values repeat is left to the caller, who knows when two are the same.
func (p Parameter) Validate() error {
	if err := p.validate(); err != nil {
		return err
	}
	return nil
}

func (p Parameter) validate() *Error {
	if p.Values != nil {
		return p.validateValues()
	}
	switch {
	case p.Min == nil && p.Max == nil && p.Count == 0:
		return fault("", "has no values; give values: [...], or min, max and count")
	case p.Min == nil:
		return fault("", "min is missing; a range needs min, max and count")
	case p.Max == nil:
		return fault("", "max is missing; a range needs min, max and count")
	}
	return p.validateRange()
}

func (p Parameter) validateValues() *Error {
	for _, given := range []struct {
		field string
		set   bool
	}{{"min", p.Min != nil}, {"max", p.Max != nil}, {"count", p.Count != 0}, {"scale", p.Scale != ""}} {
		if given.set {
			return fault(given.field, "values and a range (min, max, scale, count) exclude each other; remove one of them")
		}
	}
	if len(p.Values) == 0 {
		return fault("values", "the list is empty, so the grid would be; give at least one value, or remove the parameter")
	}
	if len(p.Values) > MaxCount {
		return fault("values", "%d values; a parameter has at most %d", len(p.Values), MaxCount)
	}
	for i, v := range p.Values {
		if x, ok := v.(float64); ok && (math.IsNaN(x) || math.IsInf(x, 0)) {
			return &Error{Field: "values", Index: i, Message: "must be a finite number"}
		}
	}
	return nil
}

func (p Parameter) validateRange() *Error {
	for _, end := range []struct {
		field string
		x     float64
	}{{"min", *p.Min}, {"max", *p.Max}} {
		if math.IsNaN(end.x) || math.IsInf(end.x, 0) {
			return fault(end.field, "must be a finite number")
		}
		if math.Abs(end.x) > maxMagnitude {
			return fault(end.field, "must be between -1e100 and 1e100")
		}
	}
	lo, hi := *p.Min, *p.Max
	switch p.Scale {
	case "", Linear:
	case Log:
		if lo <= 0 {
			return fault("min", "is %s, and a log scale cannot go through zero or below; use a min above 0, or scale: linear", Format(lo))
		}
		if lo < 1/maxMagnitude {
			return fault("min", "must be at least 1e-100 on a log scale")
		}
	default:
		return fault("scale", "unknown scale %.40q; use linear or log", p.Scale)
	}
	switch {
	case lo >= hi:
		return fault("min", "is %s, which is not below max (%s); for a single value write values: [%s]", Format(lo), Format(hi), Format(lo))
	case p.Count < 2:
		return fault("count", "is %d, and a range has at least 2 values, min and max; for a single one write values: [%s]", p.Count, Format(lo))
	case p.Count > MaxCount:
		return fault("count", "is %d; a parameter has at most %d values", p.Count, MaxCount)
	}
	if p.Count > 2 && p.step() < 2e-11 { // rounding moves a value by at most 5e-12 of it
		return fault("count", "is %d, too many for so narrow a range: neighbouring values would be equal (12 digits count)", p.Count)
	}
	return nil
}

// step is the distance of neighbours, relative to the largest value.
func (p Parameter) step() float64 {
	lo, hi, n := *p.Min, *p.Max, float64(p.Count-1)
	if p.Scale == Log {
		return (ln(hi) - ln(lo)) / n
	}
	return (hi/n - lo/n) / max(math.Abs(lo), math.Abs(hi))
}

// Format writes a number as short as it can be, without an exponent where that
// is readable.
func Format(x float64) string {
	if a := math.Abs(x); x == 0 || (a >= 1e-4 && a < 1e15) {
		return strconv.FormatFloat(x, 'f', -1, 64)
	}
	return strconv.FormatFloat(x, 'g', -1, 64)
}
