//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/tenfold-ml/tenfold/activities"
	"github.com/tenfold-ml/tenfold/activities/nomad"
	"github.com/tenfold-ml/tenfold/internal/testcluster"
	"github.com/tenfold-ml/tenfold/sweeps"
)

// crowd is what became of jobs that are watched, by their numbers.
type crowd struct {
	mu                      sync.Mutex
	launched, running, over []time.Time
	left                    int // of those that do not run yet
	all                     chan struct{}
}

// watching launches jobs that end when all have run together for a while, and watches
// them meanwhile.
func (o options) watching(ctx context.Context, c *testcluster.Cluster) error {
	// Nomad believes that there is room for all of them.
	clients := make([]testcluster.ClientOptions, o.nodes)
	for i := range clients {
		clients[i] = testcluster.ClientOptions{CPU: 1e6, MemoryMiB: 1 << 20, DiskMiB: 1 << 20, KeepAllocs: 2 * o.watch}
	}
	n, err := c.StartNomad(ctx, testcluster.NomadOptions{Clients: clients, DownAfter: time.Minute})
	if err != nil {
		return err
	}
	if err := spread(ctx, n.API()); err != nil {
		return err
	}
	forgetPeak()
	idle := resident(os.Getpid())
	counted := newRequests()
	begun := time.Now()
	end := begun.Add(o.end)
	cluster, err := nomad.Open(nomad.Options{
		Nomad: &api.Config{Address: n.Address()}, Log: o.log,
		Transport: func(inner http.RoundTripper) http.RoundTripper { return counted.transport(mocked(inner, end)) },
	})
	if err != nil {
		return err
	}
	defer cluster.Close()
	stop := keepOutputs(c, o.log.Warn)
	ended, finished := o.launch(ctx, cluster.Launcher(sweeps.Nomad{Datacenters: []string{"*"}}))
	select {
	case <-ended.all:
	case <-time.After(time.Until(end) - o.end/8): // some will not be there in time
	case <-ctx.Done():
	}
	stop()
	filled, sent := time.Now(), counted.count()
	atOnce := ended.alive()
	select {
	case <-time.After(time.Until(end)):
	case <-ctx.Done():
	}
	window, held := time.Since(filled), counted.count()-sent
	busiest := counted.busiest(filled.Add(time.Second), end.Add(-time.Second))
	memory := resident(os.Getpid())
	if err := <-finished; err != nil {
		return err
	}
	within, lags, err := ended.lags(ctx, n.API())
	if err != nil {
		return err
	}
	o.table("%d jobs watched, %d at once", o.watch, atOnce)
	o.row("launched and running", "all after %s, %s", filled.Sub(begun).Round(time.Second/10), perSecond(atOnce, filled.Sub(begun)))
	o.row("from launch until it is known to run", "p50 %s, p95 %s", quantile(ended.waits(), 0.5), quantile(ended.waits(), 0.95))
	o.row("requests while they run", "%s over %s, at most %d in a second", perSecond(held, window), window.Round(time.Second), busiest)
	o.row("ends, in the course of "+within.Round(time.Second/10).String(), "each known after p50 %s, p95 %s, all after %s", quantile(lags, 0.5), quantile(lags, 0.95), quantile(lags, 1))
	o.row("requests in all", "%d (%s)", counted.count(), counted)
	o.row("memory of the watching process", "%d MiB with none, %d MiB with all, %d MiB at most", idle, memory, peak(os.Getpid()))
	o.row("of Nomad's server; of its clients", "%d MiB; %s", peak(n.Server.Pid()), peaks(n.Clients()))
	o.row("load at the end", "%s", load())
	return nil
}

// launch launches and watches all jobs at once, as Train does. The channel has what went
// wrong when all have ended.
func (o options) launch(ctx context.Context, l activities.Launcher) (*crowd, <-chan error) {
	times := func() []time.Time { return make([]time.Time, o.watch) }
	w := &crowd{launched: times(), running: times(), over: times(), left: o.watch, all: make(chan struct{})}
	failures, finished := make([]error, o.watch), make(chan error, 1)
	var group sync.WaitGroup
	for i := range o.watch {
		group.Go(func() { failures[i] = w.watch(ctx, l, i) })
	}
	go func() {
		group.Wait()
		finished <- errors.Join(failures...)
	}()
	return w, finished
}

func keyOf(i int) activities.JobKey {
	return activities.JobKey{Sweep: "crowd-00000000", Trial: sweeps.TrialID(fmt.Sprintf("%016x", i)), Epochs: 1}
}

// watch launches one job and waits for its end.
func (w *crowd) watch(ctx context.Context, l activities.Launcher, i int) error {
	key := keyOf(i)
	w.launched[i] = time.Now()
	if _, err := l.Launch(ctx, activities.Job{Key: key, Attempt: 1, Command: []string{"nothing"}, MemoryBytes: 16 << 20}); err != nil {
		return err
	}
	exit, err := l.Watch(ctx, key, func(u activities.JobUpdate) {
		if u.State != activities.JobRunning {
			return
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		if !w.running[i].IsZero() {
			return
		}
		w.running[i] = time.Now()
		if w.left--; w.left == 0 {
			close(w.all)
		}
	})
	if err != nil {
		return err
	}
	w.mu.Lock()
	w.over[i] = time.Now()
	w.mu.Unlock()
	if exit.Code != 0 {
		return fmt.Errorf("job %d ended as %+v", i, exit)
	}
	return nil
}

// alive is how many run now.
func (w *crowd) alive() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for i := range w.running {
		if !w.running[i].IsZero() && w.over[i].IsZero() {
			n++
		}
	}
	return n
}

// waits are the times from launch until a job was known to run, once all have ended.
func (w *crowd) waits() []time.Duration {
	var all []time.Duration
	for i, at := range w.running {
		if !at.IsZero() {
			all = append(all, at.Sub(w.launched[i]))
		}
	}
	return all
}

// lags are the times from the ends of tasks, by Nomad's records, until they were known;
// within is the time from the first end to the last.
func (w *crowd) lags(ctx context.Context, client *api.Client) (within time.Duration, lags []time.Duration, err error) {
	list, _, err := client.Allocations().List((&api.QueryOptions{Namespace: "*"}).WithContext(ctx))
	if err != nil {
		return 0, nil, fmt.Errorf("listing allocations: %w", err)
	}
	ends := map[string]time.Time{}
	for _, a := range list {
		for _, task := range a.TaskStates {
			ends[a.JobID] = task.FinishedAt
		}
	}
	var first, last time.Time
	for i, known := range w.over {
		key := keyOf(i)
		at, ok := ends[fmt.Sprintf("tenfold-%s-%s-%d-a1", key.Sweep, key.Trial, key.Epochs)]
		if !ok || at.IsZero() {
			continue
		}
		if first.IsZero() || at.Before(first) {
			first = at
		}
		if at.After(last) {
			last = at
		}
		lags = append(lags, known.Sub(at))
	}
	return last.Sub(first), lags, nil
}

// spread has Nomad place jobs on all nodes alike, where it would fill one after the other.
func spread(ctx context.Context, client *api.Client) error {
	answer, _, err := client.Operator().SchedulerGetConfiguration((&api.QueryOptions{}).WithContext(ctx))
	if err != nil {
		return fmt.Errorf("reading how Nomad places jobs: %w", err)
	}
	answer.SchedulerConfig.SchedulerAlgorithm = api.SchedulerAlgorithmSpread
	if _, _, err := client.Operator().SchedulerSetConfiguration(answer.SchedulerConfig, (&api.WriteOptions{}).WithContext(ctx)); err != nil {
		return fmt.Errorf("setting how Nomad places jobs: %w", err)
	}
	return nil
}

// mocked puts Nomad's mock_driver into every job that is registered: a task that is
// no process, and ends by itself. It does so not before end, and later by as much as it
// was started after its registration. With its output collected there would be a process
// for each that does that, so it is not.
func mocked(inner http.RoundTripper, end time.Time) http.RoundTripper {
	return roundTripper(func(q *http.Request) (*http.Response, error) {
		if !registers(q) {
			return inner.RoundTrip(q)
		}
		var request api.JobRegisterRequest
		if err := json.NewDecoder(q.Body).Decode(&request); err != nil {
			return nil, fmt.Errorf("a job to be registered: %w", err)
		}
		task := request.Job.TaskGroups[0].Tasks[0]
		task.Driver = "mock_driver"
		task.Config = map[string]any{"run_for": time.Until(end).String()}
		disabled := true
		task.LogConfig.Disabled = &disabled
		body, err := json.Marshal(request)
		if err != nil {
			return nil, err
		}
		q = q.Clone(q.Context())
		q.Body, q.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		return inner.RoundTrip(q)
	})
}

// keepOutputs writes what no task does: a line of output for each, so that reading it
// costs what it costs of a trainer. It goes on until stop is called, and then once more.
func keepOutputs(c *testcluster.Cluster, warn func(string, ...any)) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	write := func() {
		folders, err := filepath.Glob(filepath.Join(c.Dir(), "*", "alloc", "*", "alloc", "logs"))
		if err != nil {
			warn("looking for allocations", "error", err)
		}
		for _, folder := range folders {
			f, err := os.OpenFile(filepath.Join(folder, "train.stdout.0"), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
			if err != nil {
				continue // it is there
			}
			_, err = f.WriteString(`{"event":"epoch","epoch":1,"validation_error":0.5}` + "\n")
			if err := errors.Join(err, f.Close()); err != nil {
				warn("writing output", "error", err)
			}
		}
	}
	go func() {
		defer close(done)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			write()
			select {
			case <-tick.C:
			case <-ctx.Done():
				write()
				return
			}
		}
	}()
	return func() { cancel(); <-done }
}
