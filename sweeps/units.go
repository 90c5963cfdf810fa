package sweeps

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Bytes is a size; in YAML and JSON a whole number or a string such as "2GiB" or
// "500MB". It is written as a string.
type Bytes int64

// byteUnits in the order in which String prefers them. "B" alone is a byte;
// units are powers of 1024 with an i, of 1000 without.
var byteUnits = []struct {
	name string
	size int64
}{
	{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
	{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"B", 1},
}

var bytesPattern = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)$`)

// ParseBytes reads "2GiB", "1.5 GB" or "1024". Case does not matter.
func ParseBytes(text string) (Bytes, error) {
	match := bytesPattern.FindStringSubmatch(strings.TrimSpace(text))
	if match == nil {
		return 0, fmt.Errorf("%.40q is no size; write one such as 2GiB or 500MB", text)
	}
	size := int64(1)
	if match[2] != "" {
		size = 0
		for _, unit := range byteUnits {
			if strings.EqualFold(unit.name, match[2]) {
				size = unit.size
			}
		}
	}
	if size == 0 {
		return 0, fmt.Errorf("%.40q has an unknown unit; use B, kB, MB, GB, TB, KiB, MiB, GiB or TiB", text)
	}
	if whole, err := strconv.ParseInt(match[1], 10, 64); err == nil && whole <= math.MaxInt64/size {
		return Bytes(whole * size), nil
	}
	x, err := strconv.ParseFloat(match[1], 64)
	product := x * float64(size)
	if err != nil || product >= math.MaxInt64 {
		return 0, fmt.Errorf("%.40q is too large for a size", text)
	}
	if product != math.Trunc(product) {
		return 0, fmt.Errorf("%.40q is not a whole number of bytes", text)
	}
	return Bytes(product), nil
}

// String is the shortest exact form: "2GiB", "500MB", "1537".
func (b Bytes) String() string {
	plain := strconv.FormatInt(int64(b), 10)
	if b <= 0 {
		return plain
	}
	shortest := plain
	for _, unit := range byteUnits {
		if unit.size == 1 || int64(b)%unit.size != 0 {
			continue
		}
		if text := strconv.FormatInt(int64(b)/unit.size, 10) + unit.name; len(text) < len(shortest) || (shortest == plain && len(text) == len(plain)) {
			shortest = text
		}
	}
	return shortest
}

// MarshalText makes a Bytes a string in JSON and YAML.
func (b Bytes) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// UnmarshalText reads what ParseBytes does.
func (b *Bytes) UnmarshalText(text []byte) (err error) {
	*b, err = ParseBytes(string(text))
	return err
}

// UnmarshalJSON accepts a string or a whole number.
func (b *Bytes) UnmarshalJSON(raw []byte) error {
	var text string
	if err := json.Unmarshal(raw, &text); err == nil {
		return b.UnmarshalText([]byte(text))
	}
	var number int64
	if err := json.Unmarshal(raw, &number); err != nil {
		return fmt.Errorf("%.40s is no size; write a string such as \"2GiB\" or a whole number", raw)
	}
	*b = Bytes(number)
	return nil
}

// MarshalYAML writes what String does.
func (b Bytes) MarshalYAML() (any, error) { return b.String(), nil }

// UnmarshalYAML accepts a string or a whole number.
func (b *Bytes) UnmarshalYAML(unmarshal func(any) error) error {
	var text string
	if err := unmarshal(&text); err != nil {
		return err
	}
	return b.UnmarshalText([]byte(text))
}

// Duration is a time.Duration that reads and writes as "10m" in YAML and JSON.
type Duration time.Duration

// ParseDuration reads what [time.ParseDuration] does.
func ParseDuration(text string) (Duration, error) {
	d, err := time.ParseDuration(strings.TrimSpace(text))
	if err != nil {
		return 0, fmt.Errorf("%.40q is no duration; write one such as 10m, 90s or 1h30m", text)
	}
	return Duration(d), nil
}

// Std is d as the standard library's type.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// String is the standard library's form without trailing zero parts: "10m".
func (d Duration) String() string {
	text := time.Duration(d).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// MarshalText makes a Duration a string in JSON and YAML.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what ParseDuration does.
func (d *Duration) UnmarshalText(text []byte) (err error) {
	*d, err = ParseDuration(string(text))
	return err
}

// MarshalYAML writes what String does.
func (d Duration) MarshalYAML() (any, error) { return d.String(), nil }

// UnmarshalYAML reads what ParseDuration does.
func (d *Duration) UnmarshalYAML(unmarshal func(any) error) error {
	var text string
	if err := unmarshal(&text); err != nil {
		return err
	}
	return d.UnmarshalText([]byte(text))
}
