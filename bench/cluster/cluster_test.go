//go:build linux && cluster

package main

import (
	"bytes"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// TestRun makes all measurements with a few trials: they have to work, and say something.
func TestRun(t *testing.T) {
	var out bytes.Buffer
	o := options{
		bin: "../../bin", trials: 6, local: 6, places: 4, watch: 20, end: 20 * time.Second, nodes: 2,
		out: io.MultiWriter(&out, t.Output()), log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
	if err := run(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| 6 one-second trials on Nomad, 4 at a time |",
		"| 6 one-second trials as children of ",
		"| 20 jobs watched, 20 at once |",
		"register 6", "register 20",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("it does not say %q", want)
		}
	}
	if strings.Contains(out.String(), "| 0s on average |") {
		t.Error("a worker's metrics were not found")
	}
}
