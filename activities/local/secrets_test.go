//go:build unix

package local_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/tenfold-ml/tenfold/activities"
	"github.com/tenfold-ml/tenfold/activities/local"
)

// TestATrainerThatTellsItsSecrets prints its environment on both of its outputs.
func TestATrainerThatTellsItsSecrets(t *testing.T) {
	t.Parallel()
	l := newLauncher(t, local.Options{Env: []string{
		"PATH=/usr/bin:/bin", "MODEL_HUB_TOKEN=hunter22-hunter22", "TEMPORAL_API_KEY=key-of-the-cluster", "TEMPORAL_ADDRESS=cluster.example:7233", "PLAIN=in the open",
	}})
	var lines []string
	exit := run(t, l, "a", func(u activities.JobUpdate) { lines = append(lines, u.Line) },
		"sh", "-c", `env; env >&2; echo "again $MODEL_HUB_TOKEN key-of-the-cluster" >&2; exit 1`)
	var logs bytes.Buffer
	if err := l.Logs(t.Context(), key("a"), &logs); err != nil {
		t.Fatal(err)
	}
	for where, text := range map[string]string{"standard output": strings.Join(lines, "\n"), "the exit": exit.Stderr + exit.Reason, "the log": logs.String()} {
		for _, hidden := range []string{"hunter22", "TEMPORAL_", "key-of-the-cluster", "cluster.example"} {
			if strings.Contains(text, hidden) {
				t.Errorf("%s has %q: %s", where, hidden, text)
			}
		}
		if !strings.Contains(text, "MODEL_HUB_TOKEN=***") || !strings.Contains(text, "PLAIN=in the open") {
			t.Errorf("%s lacks what may be in it: %s", where, text)
		}
	}
	if !strings.HasSuffix(exit.Stderr, "again *** ***\n") {
		t.Errorf("the last line is in %q", exit.Stderr)
	}
}
