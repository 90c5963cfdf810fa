package sweeps

import (
	"fmt"
	"math"
	"regexp"
	"strconv"

	"github.com/goccy/go-yaml/token"
)

// Plain scalars as YAML 1.2's core schema resolves them. The parser's own
// resolution differs: 1e-5 is text to it, 010 is 8 and 1_000 is a number.
var (
	decimalPattern = regexp.MustCompile(`^[-+]?[0-9]+$`)
	zeroPattern    = regexp.MustCompile(`^[-+]?0[0-9]+$`)
	radixPattern   = regexp.MustCompile(`^0(x[0-9a-fA-F]+|o[0-7]+)$`)
	floatPattern   = regexp.MustCompile(`^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`)
	infPattern     = regexp.MustCompile(`^[-+]?\.(inf|Inf|INF)$`)
	nanPattern     = regexp.MustCompile(`^\.(nan|NaN|NAN)$`)
)

// scalar is the value of a scalar, or why JSON has none for it.
func scalar(t *token.Token) (value any, fault string) {
	text := t.Value
	if t.Type == token.SingleQuoteType || t.Type == token.DoubleQuoteType {
		return text, ""
	}
	switch text {
	case "", "~", "null", "Null", "NULL":
		return nil, ""
	case "true", "True", "TRUE":
		return true, ""
	case "false", "False", "FALSE":
		return false, ""
	}
	switch {
	case nanPattern.MatchString(text), infPattern.MatchString(text):
		return nil, fmt.Sprintf("is %s, but has to be a finite number", text)
	case zeroPattern.MatchString(text):
		return nil, fmt.Sprintf("is %.40s, which some read as octal; remove the leading zeros, or put text in quotes", text)
	case radixPattern.MatchString(text):
		x, err := strconv.ParseUint(text, 0, 64)
		if err != nil || x > MaxSafeInteger {
			return nil, tooLarge(text)
		}
		return float64(x), ""
	case decimalPattern.MatchString(text):
		x, err := strconv.ParseInt(text, 10, 64)
		if err != nil || x > MaxSafeInteger || x < -MaxSafeInteger {
			return nil, tooLarge(text)
		}
		return float64(x), ""
	case floatPattern.MatchString(text):
		x, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsInf(x, 0) {
			return nil, fmt.Sprintf("is %.40s, which is too large for a number; put text in quotes", text)
		}
		if x == 0 {
			return 0.0, "" // not -0, which is the same number
		}
		return x, ""
	}
	return text, ""
}

func tooLarge(text string) string {
	return fmt.Sprintf("is %.40s, but whole numbers go up to %d; choose a smaller one, or put text in quotes", text, int64(MaxSafeInteger))
}
