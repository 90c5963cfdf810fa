package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tenfold-ml/tenfold/internal/terminal"
	"github.com/tenfold-ml/tenfold/sweeps"
)

// format is the value of -o.
type format string

const (
	formatTable format = "table"
	formatJSON  format = "json"
)

func (f *format) String() string { return string(*f) }
func (f *format) Type() string   { return "table|json" }

// Set implements pflag.Value.
func (f *format) Set(s string) error {
	switch format(s) {
	case formatTable, formatJSON:
		*f = format(s)
		return nil
	}
	return fmt.Errorf("want table or json")
}

// addFormat gives a command the flag -o.
func addFormat(cmd *cobra.Command, f *format) {
	*f = formatTable
	cmd.Flags().VarP(f, "output", "o", "output as a table or as JSON")
	must(cmd.RegisterFlagCompletionFunc("output",
		cobra.FixedCompletions([]string{"table", "json"}, cobra.ShellCompDirectiveNoFileComp)))
}

// writeJSON writes one document, indented.
func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// writeLine writes one line of an event stream.
func writeLine(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// percent writes a share as the error rates are quoted: "1.52%".
func percent(share float64) string {
	if math.IsNaN(share) || math.IsInf(share, 0) {
		return "–"
	}
	return strconv.FormatFloat(100*share, 'f', 2, 64) + "%"
}

// settingValue writes a swept value: numbers short, the rest as JSON.
func settingValue(v any) string {
	switch v := v.(type) {
	case float64:
		return strconv.FormatFloat(v, 'g', 4, 64)
	case string:
		return terminal.Clean(v)
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return terminal.Clean(string(b))
}

// settingNames shortens each path to what tells it from the others: its last part
// unless two paths share it.
func settingNames(paths []string) map[string]string {
	count := map[string]int{}
	last := func(p string) string { return p[strings.LastIndexByte(p, '.')+1:] }
	for _, p := range paths {
		count[last(p)]++
	}
	names := make(map[string]string, len(paths))
	for _, p := range paths {
		names[p] = p
		if count[last(p)] == 1 {
			names[p] = last(p)
		}
	}
	return names
}

// settingsLine writes settings on one line: "learning_rate=0.1 hidden=0.5".
func settingsLine(settings []sweeps.Setting) string {
	paths := make([]string, len(settings))
	for i, s := range settings {
		paths[i] = s.Path
	}
	names := settingNames(paths)
	parts := make([]string, len(settings))
	for i, s := range settings {
		parts[i] = names[s.Path] + "=" + settingValue(s.Value)
	}
	return strings.Join(parts, " ")
}

// spell writes a duration as one reads it: "0.4s", "45s", "3m10s", "2h05m".
func spell(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%.1fs", max(0, d.Seconds()))
	}
	d = d.Round(time.Second)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	default:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
}

// plural writes a count of things.
func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return strconv.Itoa(n) + " " + thing + "s"
}
