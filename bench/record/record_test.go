package record

import (
	"bytes"
	"compress/gzip"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/api/temporalproto"

	"github.com/tenfold-ml/tenfold/activities"
	"github.com/tenfold-ml/tenfold/activities/simulated"
	"github.com/tenfold-ml/tenfold/bench/internal/rig"
	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/workflows"
)

var record = flag.Bool("record", false, "record the histories that workflows/testdata lacks")

// scenario is a sweep to be recorded.
type scenario struct {
	name  string
	input workflows.SweepInput
	// train is what the trainers do; it returns an exit code. denied stands for a
	// launch that is refused.
	train func(ctx context.Context, seed uint64, attempt int) int
	// act does something to the sweep once it runs; nil does nothing.
	act func(t *testing.T, r *rig.Rig)
	// executions is how many histories there must be at least.
	executions int
}

// denied is no exit code.
const denied = -2

// denying is a launcher whose watchers hear that they are refused of runs that
// ended with denied.
type denying struct{ activities.Launcher }

// Watch implements activities.Launcher.
func (d denying) Watch(ctx context.Context, key activities.JobKey, update func(activities.JobUpdate)) (activities.Exit, error) {
	exit, err := d.Launcher.Watch(ctx, key, update)
	if err == nil && exit.Code == denied {
		err = fmt.Errorf("%w: the token has expired", activities.ErrDenied)
	}
	return exit, err
}

func scenarios() []scenario {
	quick := func(context.Context, uint64, int) int { return 0 }
	patient := func(ctx context.Context, _ uint64, _ int) int {
		<-ctx.Done()
		return 75
	}
	spec := func(n, parallelism int) sweeps.Spec { return rig.Spec("recorded", n, parallelism) }
	happy := spec(9, 3)
	happy.Ensemble = sweeps.Ensemble{Size: 2, Strategy: "top_k"}
	failing := spec(8, 3)
	failing.MaxFailedTrials = 1
	return []scenario{
		{name: "happy", input: workflows.SweepInput{Spec: happy}, train: quick, executions: 1},
		{
			// Two trials fail at first, two never end, and people interfere.
			name: "control", input: workflows.SweepInput{Spec: spec(7, 4)}, executions: 1,
			train: func(ctx context.Context, seed uint64, attempt int) int {
				switch {
				case seed > 5:
					return patient(ctx, seed, attempt)
				case seed > 3 && attempt < 3:
					return 1
				}
				return 0
			},
			act: func(t *testing.T, r *rig.Rig) {
				control(t, r, workflows.PauseUpdate)
				control(t, r, workflows.ResumeUpdate)
				until(t, r, func(s workflows.Status) bool { return s.Counts.Completed == 5 && s.Counts.Running == 2 })
				control(t, r, workflows.CancelUpdate)
			},
		},
		{
			// The worker goes away in good order with runs in flight.
			name: "lost", input: workflows.SweepInput{Spec: spec(4, 2)}, executions: 1,
			train: func(ctx context.Context, _ uint64, _ int) int {
				select {
				case <-time.After(time.Second):
				case <-ctx.Done():
				}
				return 0
			},
			act: func(t *testing.T, r *rig.Rig) {
				until(t, r, func(s workflows.Status) bool { return s.Counts.Running == 2 })
				if err := r.RestartWorker(); err != nil {
					t.Fatal(err)
				}
			},
		},
		{
			name: "failed", input: workflows.SweepInput{Spec: failing}, executions: 1,
			train: func(ctx context.Context, seed uint64, attempt int) int {
				if seed < 3 {
					return 64
				}
				return patient(ctx, seed, attempt)
			},
		},
		{
			// The launcher refuses two runs, and the sweep pauses until it is resumed.
			name: "denied", input: workflows.SweepInput{Spec: spec(4, 2)}, executions: 1,
			train: func(_ context.Context, seed uint64, attempt int) int {
				if seed < 3 && attempt == 1 {
					return denied
				}
				return 0
			},
			act: func(t *testing.T, r *rig.Rig) {
				until(t, r, func(s workflows.Status) bool { return s.Phase == workflows.PhasePaused && s.Counts.Running == 0 })
				if _, err := r.Control(t.Context(), "denied", workflows.ResumeUpdate); err != nil {
					t.Fatal(err)
				}
			},
		},
		{name: "continued", input: workflows.SweepInput{Spec: spec(20, 4), ContinueAfter: 6}, train: quick, executions: 3},
	}
}

func TestRecord(t *testing.T) {
	if !*record {
		t.Skip("records histories with -record")
	}
	for _, sc := range scenarios() {
		t.Run(sc.name, func(t *testing.T) {
			file := func(i int) string {
				return filepath.Join("..", "..", "workflows", "testdata", fmt.Sprintf("%s-%d.json.gz", sc.name, i))
			}
			if _, err := os.Stat(file(1)); err == nil {
				t.Skip("recorded already; histories are kept")
			}
			histories := sc.run(t)
			if len(histories) < sc.executions {
				t.Fatalf("%d executions, want %d", len(histories), sc.executions)
			}
			for i, h := range histories {
				write(t, file(i+1), h)
			}
		})
	}
}

// run runs the sweep and returns the history of each of its executions.
func (sc scenario) run(t *testing.T) []*history.History {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var store *storage.Store
	var mu sync.Mutex
	r, err := rig.Start(ctx, rig.Options{Dir: t.TempDir(), Launcher: func(s *storage.Store) (activities.Launcher, error) {
		store = s
		return denying{simulated.New(func(ctx context.Context, run *simulated.Run) activities.Exit {
			trial, err := store.Trial(ctx, run.Key.Trial)
			if err != nil {
				return activities.Exit{Code: 1, Stderr: err.Error()}
			}
			code := sc.train(ctx, trial.Config.Seed, run.Attempt)
			if code == 0 {
				mu.Lock()
				defer mu.Unlock()
				if _, _, err := store.CommitResult(context.WithoutCancel(ctx), rig.Result(trial, run.Key.Trial, run.Attempt)); err != nil {
					return activities.Exit{Code: 1, Stderr: err.Error()}
				}
			}
			return activities.Exit{Code: code}
		}, simulated.Options{Cores: 100})}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := r.Stop(context.WithoutCancel(ctx)); err != nil {
			t.Error(err)
		}
	}()
	in := sc.input
	in.Sweep = sc.name
	run, err := r.Submit(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	first := run.GetRunID()
	if sc.act != nil {
		sc.act(t, r)
	}
	if err := run.Get(ctx, nil); err != nil {
		t.Fatal(err)
	}
	var all []*history.History
	for id := first; id != ""; {
		h := &history.History{}
		events := r.Client.GetWorkflowHistory(ctx, sc.name, id, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		for events.HasNext() {
			e, err := events.Next()
			if err != nil {
				t.Fatal(err)
			}
			h.Events = append(h.Events, e)
		}
		all = append(all, h)
		id = h.Events[len(h.Events)-1].GetWorkflowExecutionContinuedAsNewEventAttributes().GetNewExecutionRunId()
	}
	return all
}

func control(t *testing.T, r *rig.Rig, update string) {
	t.Helper()
	if _, err := r.Control(t.Context(), "control", update); err != nil {
		t.Fatal(err)
	}
}

// until polls the one sweep that there is.
func until(t *testing.T, r *rig.Rig, condition func(workflows.Status) bool) {
	t.Helper()
	for range 1000 {
		for _, sweep := range []string{"control", "lost", "denied"} {
			if s, err := r.Status(t.Context(), sweep); err == nil && condition(s) {
				return
			}
		}
		time.Sleep(10 * time.Millisecond) // polls
	}
	t.Fatal("waited in vain")
}

func write(t *testing.T, file string, h *history.History) {
	t.Helper()
	content, err := temporalproto.CustomJSONMarshalOptions{Indent: ""}.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	// The names of sticky queues begin with the host's.
	if host, err := os.Hostname(); err == nil {
		content = bytes.ReplaceAll(content, []byte(`"`+host+`:`), []byte(`"recorder:`))
	}
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := z.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Logf("%s: %d events, %d bytes", file, len(h.Events), b.Len())
}
