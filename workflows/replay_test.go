package workflows_test

import (
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/tenfold-ml/tenfold/workflows"
)

// TestReplay runs every recorded history against today's code. When it fails,
// sweeps that are open now would be stuck on the new version: gate the change, as
// the package's documentation says.
func TestReplay(t *testing.T) {
	t.Parallel()
	var files []string
	for _, pattern := range []string{"*.json", "*.json.gz"} {
		found, err := filepath.Glob(filepath.Join("testdata", pattern))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	for _, scenario := range []string{"happy", "control", "lost", "failed", "continued", "denied"} {
		if !strings.Contains(strings.Join(files, " "), scenario+"-1.json") {
			t.Errorf("no history of the scenario %q in testdata", scenario)
		}
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			replayer := worker.NewWorkflowReplayer()
			workflows.Register(replayer)
			if err := replayer.ReplayWorkflowHistory(quiet{}, read(t, file)); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestReplayNotices makes sure that a different workflow would not pass.
func TestReplayNotices(t *testing.T) {
	t.Parallel()
	replayer := worker.NewWorkflowReplayer()
	replayer.RegisterWorkflowWithOptions(func(ctx workflow.Context, in workflows.SweepInput) (workflows.SweepOutput, error) {
		in.Spec.Parallelism++ // one launch too many
		return workflows.Sweep(ctx, in)
	}, workflow.RegisterOptions{Name: workflows.SweepWorkflow})
	if err := replayer.ReplayWorkflowHistory(quiet{}, read(t, filepath.Join("testdata", "happy-1.json.gz"))); err == nil {
		t.Error("a history of parallelism 3 was replayed with parallelism 4")
	}
}

func read(t *testing.T, file string) *history.History {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var r io.Reader = f
	if strings.HasSuffix(file, ".gz") {
		if r, err = gzip.NewReader(f); err != nil {
			t.Fatal(err)
		}
	}
	h, err := client.HistoryFromJSON(r, client.HistoryJSONOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return h
}
