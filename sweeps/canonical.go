package sweeps

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/gowebpki/jcs"
)

// MaxSafeInteger is the largest whole number up to which every one has a float64
// of its own, 2^53-1. Canonical JSON knows no other numbers (RFC 8785 builds on
// RFC 7493), so nothing that is hashed may hold a larger one.
const MaxSafeInteger = 1<<53 - 1

// CanonicalJSON is v as JSON in the one form that RFC 8785 gives it: sorted keys,
// no white space, numbers as ECMAScript writes them. It refuses what would lose
// its value on the way: numbers that are not finite, and whole numbers beyond
// [MaxSafeInteger] that no float64 equals.
func CanonicalJSON(v any) ([]byte, error) {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return nil, fmt.Errorf("encode canonical JSON: %w", err)
	}
	plain := bytes.TrimSuffix(buffer.Bytes(), []byte("\n"))
	if err := checkIntegers(plain); err != nil {
		return nil, fmt.Errorf("encode canonical JSON: %w", err)
	}
	canonical, err := jcs.Transform(plain)
	if err != nil {
		return nil, fmt.Errorf("encode canonical JSON: %w", err)
	}
	return canonical, nil
}

// checkIntegers scans valid JSON for whole numbers that a float64 would change.
func checkIntegers(raw []byte) error {
	const safeDigits = 15 // every number of 15 digits is safe
	inString := false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case !inString && c >= '0' && c <= '9':
			end := i
			for end < len(raw) && bytes.IndexByte([]byte("0123456789.eE+-"), raw[end]) >= 0 {
				end++
			}
			literal := raw[i:end]
			i = end - 1
			if len(literal) <= safeDigits || bytes.ContainsAny(literal, ".eE") {
				continue
			}
			x, err := strconv.ParseFloat(string(literal), 64)
			if err != nil || strconv.FormatFloat(x, 'f', -1, 64) != string(literal) {
				return fmt.Errorf("the number %s is too large to be kept exactly", literal)
			}
		}
	}
	return nil
}

// hashHex is the first n hex digits of the SHA-256 of v's canonical JSON.
func hashHex(v any, n int) (string, error) {
	canonical, err := CanonicalJSON(v)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:])[:n], nil
}

// SweepID names a sweep: its name, a dash, and the first 8 hex digits of the
// SHA-256 of its spec's canonical JSON, defaults filled in. So the same file
// gives the same sweep wherever it is submitted, and a changed one another. A
// spec that did not come from [Parse] and has no canonical JSON (a NaN in it)
// has zeros for digits.
func SweepID(spec Spec) string {
	digits, err := hashHex(spec, 8)
	if err != nil {
		digits = "00000000"
	}
	return spec.Name + "-" + digits
}
