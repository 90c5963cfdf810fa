package metrics_test

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tenfold-ml/tenfold/activities"
	"github.com/tenfold-ml/tenfold/internal/metrics"
	"github.com/tenfold-ml/tenfold/storage/backend"
	"github.com/tenfold-ml/tenfold/storage/mem"
	"github.com/tenfold-ml/tenfold/storage/storagetest"
	"github.com/tenfold-ml/tenfold/sweeps"
)

// scrape is what Prometheus would read, by series.
func scrape(t *testing.T, m *metrics.Metrics) map[string]string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	series := map[string]string{}
	for line := range strings.Lines(w.Body.String()) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "} "); ok && !strings.HasPrefix(line, "#") {
			series[name+"}"] = value
		}
	}
	return series
}

func expect(t *testing.T, m *metrics.Metrics, want map[string]string) {
	t.Helper()
	got := scrape(t, m)
	for _, series := range slices.Sorted(maps.Keys(want)) {
		if got[series] != want[series] {
			t.Errorf("%s is %q, want %q", series, got[series], want[series])
		}
	}
}

// step is a launcher whose jobs take the steps that a test wants.
type step struct {
	activities.Launcher
	attempt int
	err     error
	updates []activities.JobState
	see     func()
}

func (s *step) Launch(context.Context, activities.Job) (int, error) { return s.attempt, s.err }

func (s *step) Watch(_ context.Context, _ activities.JobKey, update func(activities.JobUpdate)) (activities.Exit, error) {
	for _, state := range s.updates {
		update(activities.JobUpdate{State: state})
		s.see()
	}
	return activities.Exit{}, nil
}

func (s *step) Check(context.Context, activities.Job) error { return activities.ErrUnplaceable }

func TestLaunchers(t *testing.T) {
	t.Parallel()
	m := metrics.New(metrics.Build{Version: "v1", Deployment: "d", BuildID: "b"})
	inner := &step{attempt: 1}
	all := m.Launchers(activities.One(inner))
	l, err := all.For(sweeps.Launcher{Kind: sweeps.NomadLauncher})
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := all.For(sweeps.Launcher{Kind: sweeps.NomadLauncher}); again != l {
		t.Error("another launcher for the same section")
	}
	job := activities.Job{Key: activities.JobKey{Sweep: "s", Trial: "t", Epochs: 1}, Attempt: 1}
	if _, err := l.Launch(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	inner.updates = []activities.JobState{activities.JobQueued, activities.JobRunning}
	seen := []map[string]string{
		{`tenfold_runs{launcher="nomad",state="queued"}`: "1", `tenfold_runs{launcher="nomad",state="running"}`: "0"},
		{`tenfold_runs{launcher="nomad",state="queued"}`: "0", `tenfold_runs{launcher="nomad",state="running"}`: "1"},
	}
	inner.see = func() {
		expect(t, m, seen[0])
		seen = seen[1:]
	}
	if _, err := l.Watch(t.Context(), job.Key, func(activities.JobUpdate) {}); err != nil || len(seen) != 0 {
		t.Fatal(err, seen)
	}
	inner.see = func() {}
	job.Attempt = 2 // what runs is of attempt 1
	if _, err := l.Launch(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Watch(t.Context(), job.Key, func(activities.JobUpdate) {}); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{activities.ErrDenied, errors.New("no room")} {
		inner.err = err
		if _, got := l.Launch(t.Context(), job); !errors.Is(got, err) {
			t.Errorf("launch: %v, want %v", got, err)
		}
	}
	m.Ended("lost")
	m.Ended(metrics.EndDenied)
	expect(t, m, map[string]string{
		`tenfold_launches_total{launcher="nomad",result="launched"}`:   "1",
		`tenfold_launches_total{launcher="nomad",result="attached"}`:   "1",
		`tenfold_launches_total{launcher="nomad",result="denied"}`:     "1",
		`tenfold_launches_total{launcher="nomad",result="failed"}`:     "1",
		`tenfold_queue_seconds_count{launcher="nomad"}`:                "1",
		`tenfold_trial_seconds_count{launcher="nomad"}`:                "1",
		`tenfold_runs{launcher="nomad",state="queued"}`:                "0",
		`tenfold_runs{launcher="nomad",state="running"}`:               "0",
		`tenfold_runs_ended_total{outcome="completed"}`:                "0",
		`tenfold_runs_ended_total{outcome="lost"}`:                     "1",
		`tenfold_runs_ended_total{outcome="denied"}`:                   "1",
		`tenfold_build_info{build_id="b",deployment="d",version="v1"}`: "1",
		`promhttp_metric_handler_errors_total{cause="gathering"}`:      "0",
	})
	if err := l.(activities.Checker).Check(t.Context(), job); !errors.Is(err, activities.ErrUnplaceable) {
		t.Errorf("check: %v", err)
	}
	if c, err := l.(activities.Locator).Locate(t.Context(), "s", []string{"x"}); err != nil || c[0] != "x" {
		t.Errorf("locate: %v %v", c, err)
	}
}

func TestBackendConforms(t *testing.T) {
	t.Parallel()
	m := metrics.New(metrics.Build{})
	storagetest.Run(t, func(*testing.T) backend.Backend { return m.Backend(mem.New()) })
}

// broken is a backend that has no room.
type broken struct{ backend.Backend }

func (broken) Put(context.Context, string, io.Reader) error { return backend.ErrFull }

func TestBackend(t *testing.T) {
	t.Parallel()
	m := metrics.New(metrics.Build{})
	ctx := t.Context()
	b := m.Backend(mem.New())
	if err := b.Put(ctx, "a/b", strings.NewReader("12345")); err != nil {
		t.Fatal(err)
	}
	r, err := b.Get(ctx, "a/b")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(r); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Get(ctx, "a/c"); !errors.Is(err, backend.ErrNotFound) {
		t.Fatal(err)
	}
	if err := b.PutIfAbsent(ctx, "a/b", strings.NewReader("x")); !errors.Is(err, backend.ErrExists) {
		t.Fatal(err)
	}
	for _, err := range b.List(ctx, "a") {
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Backend(broken{b}).Put(ctx, "c", strings.NewReader("x")); !errors.Is(err, backend.ErrFull) {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	_ = b.Put(gone, "d", strings.NewReader("x")) // given up: neither timed nor counted
	expect(t, m, map[string]string{
		`tenfold_store_seconds_count{operation="get"}`:                        "2",
		`tenfold_store_seconds_count{operation="put"}`:                        "2",
		`tenfold_store_seconds_count{operation="put_if_absent"}`:              "1",
		`tenfold_store_seconds_count{operation="list"}`:                       "1",
		`tenfold_store_bytes_total{operation="get"}`:                          "5",
		`tenfold_store_bytes_total{operation="put"}`:                          "5",
		`tenfold_store_errors_total{class="full",operation="put"}`:            "1",
		`tenfold_store_errors_total{class="other",operation="get"}`:           "",
		`tenfold_store_errors_total{class="other",operation="put_if_absent"}`: "",
	})
}

func TestTemporal(t *testing.T) {
	t.Parallel()
	m := metrics.New(metrics.Build{})
	h := m.Temporal().WithTags(map[string]string{"namespace": "default"})
	h.Counter("temporal_request").Inc(2)
	// The same name with other tags, as the SDK does it.
	more := h.WithTags(map[string]string{"task-queue": "q", "namespace": "other"})
	more.Counter("temporal_request").Inc(3)
	more.Counter("temporal_request").Inc(1)
	more.Gauge("temporal_worker_task_slots_available").Update(7)
	more.Timer("temporal_request_latency").Record(3 * time.Millisecond)
	expect(t, m, map[string]string{
		`temporal_request_total{namespace="default"}`:                                          "2",
		`temporal_request_total{namespace="other",task_queue="q"}`:                             "4",
		`temporal_worker_task_slots_available{namespace="other",task_queue="q"}`:               "7",
		`temporal_request_latency_seconds_count{namespace="other",task_queue="q"}`:             "1",
		`temporal_request_latency_seconds_bucket{namespace="other",task_queue="q",le="0.002"}`: "0",
		`temporal_request_latency_seconds_bucket{namespace="other",task_queue="q",le="0.008"}`: "1",
	})
}
