package devserver

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/log/tag"
)

// TestLogLeavesOutWhatAlwaysComes logs what every start and every stop would, and
// what must not be lost with it.
func TestLogLeavesOutWhatAlwaysComes(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	var l log.Logger = newLogger(slog.New(slog.NewTextHandler(&b, nil)))
	closed := fmt.Errorf("load the workflow: %w", errors.New("shard closed"))
	l.Warn("network dial error", tag.Error(errors.New("connection refused")))
	l.Warn("HTTP API port has not been set. Nexus HTTP endpoints will not be available.")
	l.Error("Persistent fetch operation Failure", tag.Error(closed))
	l.Warn("Fail to process task", tag.Error(closed))
	l.Error("Operation failed with internal error.", tag.String("error", "shard closed"))
	if b.Len() > 0 {
		t.Errorf("logged:\n%s", &b)
	}
	for _, kept := range []func(){
		func() { l.Error("network dial error") },
		func() { l.Warn("Fail to process task", tag.Error(errors.New("disk I/O error"))) },
	} {
		b.Reset()
		kept()
		if strings.Count(b.String(), "\n") != 1 {
			t.Errorf("logged %q", &b)
		}
	}
}
