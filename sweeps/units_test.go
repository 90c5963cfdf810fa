package sweeps

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"pgregory.net/rapid"
)

func TestParseBytes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Bytes{
		"0": 0, "1537": 1537, "2GiB": 2 << 30, "500MB": 500e6, "1.5 GB": 1.5e9, " 3 kib ": 3 << 10, "7b": 7, "4TiB": 4 << 40, "8EB": 0,
		"0.5KiB": 512, "9223372036854775807": math.MaxInt64, "": 0, "GiB": 0, "-1": 0, "1.5": 0, "9223372036854775808": 0, "8388608TiB": 0, "1e3": 0,
	} {
		got, err := ParseBytes(text)
		wantError := strings.Contains(" 8EB GiB -1 1.5 9223372036854775808 8388608TiB 1e3 ", " "+text+" ") || text == ""
		if (err != nil) != wantError || got != want {
			t.Errorf("ParseBytes(%q) = %d, %v; want %d, error %v", text, got, err, want, wantError)
		}
	}
}

func TestUnitsAsText(t *testing.T) {
	t.Parallel()
	for want, b := range map[string]Bytes{"0": 0, "1537": 1537, "2GiB": 2 << 30, "500MB": 500e6, "1KiB": 1024, "1kB": 1000, "512MB": 512e6, "-5": -5} {
		if got := b.String(); got != want {
			t.Errorf("%d bytes: got %s, want %s", int64(b), got, want)
		}
	}
	for want, d := range map[string]time.Duration{"0s": 0, "10m": 10 * time.Minute, "1h": time.Hour, "1h30m": 90 * time.Minute, "1m30s": 90 * time.Second, "10s": 10 * time.Second, "20h": 20 * time.Hour, "1h0m10s": time.Hour + 10*time.Second} {
		if got := Duration(d).String(); got != want {
			t.Errorf("%v: got %s, want %s", d, got, want)
		}
	}
}

func TestUnitsRoundTrip(t *testing.T) {
	t.Parallel()
	type both struct {
		B Bytes    `json:"b" yaml:"b"`
		D Duration `json:"d" yaml:"d"`
	}
	rapid.Check(t, func(t *rapid.T) {
		want := both{Bytes(rapid.Int64Range(0, math.MaxInt64).Draw(t, "bytes")), Duration(rapid.Int64().Draw(t, "duration"))}
		var fromJSON, fromYAML both
		raw, err := json.Marshal(want)
		if err == nil {
			err = json.Unmarshal(raw, &fromJSON)
		}
		if err != nil || fromJSON != want {
			t.Fatalf("JSON %s gives %v, %v", raw, fromJSON, err)
		}
		text, err := yaml.Marshal(want)
		if err == nil {
			err = yaml.Unmarshal(text, &fromYAML)
		}
		if err != nil || fromYAML != want {
			t.Fatalf("YAML %s gives %v, %v", text, fromYAML, err)
		}
	})
}

func TestUnitsFromNumbersAndRubbish(t *testing.T) {
	t.Parallel()
	var b Bytes
	if err := json.Unmarshal([]byte("1024"), &b); err != nil || b != 1024 {
		t.Errorf("JSON number: %v, %v", b, err)
	}
	if err := yaml.Unmarshal([]byte("2048"), &b); err != nil || b != 2048 {
		t.Errorf("YAML number: %v, %v", b, err)
	}
	var d Duration
	for _, rubbish := range []string{`"x"`, `1.5`, `true`, `[1]`, `{}`} {
		if err := json.Unmarshal([]byte(rubbish), &b); err == nil {
			t.Errorf("JSON %s is taken for %v bytes", rubbish, b)
		}
		if err := json.Unmarshal([]byte(rubbish), &d); err == nil {
			t.Errorf("JSON %s is taken for the duration %v", rubbish, d)
		}
		if err := yaml.Unmarshal([]byte(rubbish), &b); err == nil {
			t.Errorf("YAML %s is taken for %v bytes", rubbish, b)
		}
		if err := yaml.Unmarshal([]byte(rubbish), &d); err == nil {
			t.Errorf("YAML %s is taken for the duration %v", rubbish, d)
		}
	}
}
