//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/tenfold-ml/tenfold/internal/testcluster"
)

const (
	bucket   = "tenfold"
	oneTrial = time.Second
)

// spec is a sweep of trials that sleep.
const spec = `
version: 1
name: sleepers
trainer: {command: [%q, -sleep, %s]}
parameters: {seed: {min: 1, max: %d, count: %[3]d}}
parallelism: %[4]d
launcher: {kind: %[5]s}
`

// ground is what both launchers need.
type ground struct {
	*testcluster.Cluster
	bin, trainer, url string
	env               []string
}

// newGround starts a store and Temporal.
func newGround(ctx context.Context, c *testcluster.Cluster, o options) (*ground, *testcluster.S3, error) {
	bin, err := filepath.Abs(o.bin)
	if err != nil {
		return nil, nil, err
	}
	g := &ground{Cluster: c, bin: bin, trainer: filepath.Join(c.Dir(), "nooptrainer")}
	build := exec.CommandContext(ctx, "go", "build", "-o", g.trainer, "github.com/tenfold-ml/tenfold/bench/nooptrainer")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, nil, fmt.Errorf("building the trainer: %w\n%s", err, out)
	}
	server, err := c.StartS3(ctx, testcluster.S3Options{})
	if err != nil {
		return nil, nil, err
	}
	if err := server.CreateBucket(ctx, bucket); err != nil {
		return nil, nil, err
	}
	temporal, err := c.StartTemporal(ctx)
	if err != nil {
		return nil, nil, err
	}
	g.url = testcluster.StoreURL(server.Endpoint(), bucket, "store")
	g.env = append(temporal.Env(), server.Env()...)
	return g, server, nil
}

// worker starts a worker that can be asked for its metrics.
func (g *ground) worker(ctx context.Context, name string, env []string, args ...string) (*testcluster.Process, error) {
	return g.StartWorker(ctx, testcluster.WorkerOptions{
		Name: name, Store: g.url, Env: append(env, g.env...), Args: append(args, "--listen", "0"),
	})
}

// sweep runs n trials and returns how long that took, from the command to its end.
func (g *ground) sweep(ctx context.Context, launcher string, n, places int, env []string) (time.Duration, error) {
	file := filepath.Join(g.Dir(), "sleepers.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, spec, g.trainer, oneTrial, n, places, launcher), 0o600); err != nil {
		return 0, err
	}
	cmd := exec.CommandContext(ctx, filepath.Join(g.bin, "sweep"), "--dir", filepath.Join(g.Dir(), "user"), "--store", g.url, "run", file)
	cmd.Env = append(append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + g.Dir()}, env...), g.env...)
	begun := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("sweep run: %w\n%s", err, out)
	}
	took := time.Since(begun)
	results, err := filepath.Glob(filepath.Join(data(g.Cluster, bucket), "store/trials/*/results/*.json"))
	if err != nil {
		return 0, err
	}
	if len(results) != n {
		return 0, fmt.Errorf("%d results of %d trials", len(results), n)
	}
	return took, nil
}

// onNomad measures the sweep with trainers that are jobs.
func (o options) onNomad(ctx context.Context, c *testcluster.Cluster) error {
	g, server, err := newGround(ctx, c, o)
	if err != nil {
		return err
	}
	clients := make([]testcluster.ClientOptions, o.nodes)
	for i := range clients {
		clients[i].Env = server.Env()
	}
	n, err := c.StartNomad(ctx, testcluster.NomadOptions{Clients: clients})
	if err != nil {
		return err
	}
	counted := newRequests()
	address, shut, err := counted.proxy(ctx, n.Address())
	if err != nil {
		return err
	}
	defer shut()
	env := append(n.Env(), "NOMAD_ADDR="+address) // the last one counts
	w, err := g.worker(ctx, "1", env)
	if err != nil {
		return err
	}
	took, err := g.sweep(ctx, "nomad", o.trials, o.places, n.Env())
	if err != nil {
		return err
	}
	sent := counted.count()
	until, err := untilRunning(ctx, n.API(), counted)
	if err != nil {
		return err
	}
	if len(until) != o.trials {
		return fmt.Errorf("%d trials were started, of %d", len(until), o.trials)
	}
	m, err := scrape(ctx, w)
	if err != nil {
		return err
	}
	o.table("%d one-second trials on Nomad, %d at a time", o.trials, o.places)
	o.row("whole sweep", "%s, %s", took.Round(time.Second/10), perSecond(o.trials, took))
	o.row("from launch until it runs", "p50 %s, p95 %s", quantile(until, 0.5), quantile(until, 0.95))
	o.row("until the worker knows that it runs", "%s on average", m.mean("tenfold_queue_seconds"))
	o.row("from then until it knows the end", "%s on average", m.mean("tenfold_trial_seconds"))
	o.row("requests to Nomad", "%.1f a trial, %s (%s)", float64(sent)/float64(o.trials), perSecond(sent, took), counted)
	o.row("peak memory of the worker", "%d MiB", peak(w.Pid()))
	o.row("of Nomad's server; of its clients", "%d MiB; %s", peak(n.Server.Pid()), peaks(n.Clients()))
	o.row("load at the end", "%s", load())
	return nil
}

// untilRunning is, of every trial, the time from the request that registered its job until
// its trainer was started, by Nomad's records.
func untilRunning(ctx context.Context, client *api.Client, counted *requests) ([]time.Duration, error) {
	list, _, err := client.Allocations().List((&api.QueryOptions{Namespace: "*"}).WithContext(ctx))
	if err != nil {
		return nil, fmt.Errorf("listing allocations: %w", err)
	}
	var times []time.Duration
	for _, a := range list {
		registered, ok := counted.when(a.JobID)
		for _, task := range a.TaskStates {
			if ok && !task.StartedAt.IsZero() {
				times = append(times, task.StartedAt.Sub(registered))
			}
		}
	}
	return times, nil
}

// peaks lists the peak memory of each client.
func peaks(clients []*testcluster.Client) string {
	var parts []string
	for _, c := range clients {
		parts = append(parts, strconv.FormatInt(peak(c.Pid()), 10))
	}
	return strings.Join(parts, ", ") + " MiB"
}

// onWorkers measures the same with trainers that are children of workers: as many of them
// as it takes for the same number of places, since each has one for each core.
func (o options) onWorkers(ctx context.Context, c *testcluster.Cluster) error {
	g, _, err := newGround(ctx, c, o)
	if err != nil {
		return err
	}
	each := runtime.NumCPU()
	var workers []*testcluster.Process
	for i := range (o.places + each - 1) / each {
		w, err := g.worker(ctx, strconv.Itoa(i+1), nil, "--max-runs", strconv.Itoa(each))
		if err != nil {
			return err
		}
		workers = append(workers, w)
	}
	took, err := g.sweep(ctx, "local", o.local, o.places, nil)
	if err != nil {
		return err
	}
	var most int64
	all := measures{}
	for _, w := range workers {
		m, err := scrape(ctx, w)
		if err != nil {
			return err
		}
		for name, value := range m {
			all[name] += value
		}
		most = max(most, peak(w.Pid()))
	}
	o.table("%d one-second trials as children of %d workers, %d at a time", o.local, len(workers), o.places)
	o.row("whole sweep", "%s, %s", took.Round(time.Second/10), perSecond(o.local, took))
	o.row("until the worker knows that it runs", "%s on average", all.mean("tenfold_queue_seconds"))
	o.row("from then until it knows the end", "%s on average", all.mean("tenfold_trial_seconds"))
	o.row("peak memory of a worker", "%d MiB", most)
	o.row("load at the end", "%s", load())
	return nil
}

// measures are a worker's metrics without their labels: sums over all of them.
type measures map[string]float64

// mean of a histogram of seconds.
func (m measures) mean(histogram string) time.Duration {
	count := m[histogram+"_count"]
	if count == 0 {
		return 0
	}
	return time.Duration(m[histogram+"_sum"] / count * float64(time.Second)).Round(time.Millisecond)
}

var (
	metricsAddress = regexp.MustCompile(`metrics at (\S+),`)
	sample         = regexp.MustCompile(`^(tenfold_\w+)(?:\{.*\})? (\S+)$`)
)

// scrape asks a worker for its metrics.
func scrape(ctx context.Context, w *testcluster.Process) (_ measures, err error) {
	log, err := os.ReadFile(w.LogFile())
	if err != nil {
		return nil, err
	}
	address := metricsAddress.FindSubmatch(log)
	if address == nil {
		return nil, fmt.Errorf("%s does not say where its metrics are", w.Name())
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, string(address[1]), http.NoBody)
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(q)
	if err != nil {
		return nil, fmt.Errorf("asking %s for its metrics: %w", w.Name(), err)
	}
	defer func() { err = errors.Join(err, answer.Body.Close()) }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, fmt.Errorf("asking %s for its metrics: %w", w.Name(), err)
	}
	m := measures{}
	for line := range strings.Lines(string(text)) {
		if found := sample.FindStringSubmatch(strings.TrimSpace(line)); found != nil {
			value, err := strconv.ParseFloat(found[2], 64)
			if err != nil {
				return nil, fmt.Errorf("a metric of %s: %w", w.Name(), err)
			}
			m[found[1]] += value
		}
	}
	return m, nil
}
