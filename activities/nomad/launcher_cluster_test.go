//go:build cluster

package nomad

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/tenfold-ml/tenfold/activities"
	"github.com/tenfold-ml/tenfold/activities/launchertest"
	"github.com/tenfold-ml/tenfold/internal/testcluster"
	"github.com/tenfold-ml/tenfold/internal/testcluster/clustertest"
	"github.com/tenfold-ml/tenfold/sweeps"
)

// slots are devices that stand for the cores of one of the suite's launchers, so
// that the suite's jobs wait for each other.
type slots struct {
	models map[int][]string
	next   map[int]*atomic.Int64
}

func newSlots(counts map[int]int) (s slots, gpus []testcluster.GPU) {
	s = slots{models: map[int][]string{}, next: map[int]*atomic.Int64{}}
	for cores, n := range counts {
		s.next[cores] = &atomic.Int64{}
		for i := range n {
			model := fmt.Sprintf("slots-%d-%d", cores, i)
			s.models[cores] = append(s.models[cores], model)
			gpus = append(gpus, testcluster.GPU{Model: model, Count: cores, MemoryMiB: 1})
		}
	}
	return s, gpus
}

// take returns the name of devices that nobody else has.
func (s slots) take(t *testing.T, cores int) string {
	i := int(s.next[cores].Add(1)) - 1
	if i >= len(s.models[cores]) {
		t.Fatalf("the test's cluster has no more than %d sets of %d slots", i, cores)
	}
	return "nvidia/gpu/" + s.models[cores][i]
}

// slotted asks for slots instead of cores: nodes that share a machine cannot reserve
// its cores, since they know nothing of each other.
type slotted struct{ *Launcher }

func (s slotted) Launch(ctx context.Context, job activities.Job) (int, error) {
	job.GPUs, job.Cores = job.Cores, 0
	return s.Launcher.Launch(ctx, job)
}

func TestLauncher(t *testing.T) {
	t.Parallel()
	slots, gpus := newSlots(map[int]int{1: 16, 2: 4, 4: 2})
	n := clustertest.Nomad(t, testcluster.NomadOptions{Clients: []testcluster.ClientOptions{{GPUs: gpus}}})
	launchertest.Run(t, launchertest.Harness{
		Cluster: true,
		New: func(t *testing.T, c launchertest.Config) activities.Launcher {
			spec := specIn(t, n)
			spec.GPU.Name = slots.take(t, c.Cores)
			spec.KillTimeout = sweeps.Duration(c.Grace)
			return slotted{open(t, n, Options{Remember: c.Remember}).Launcher(spec)}
		},
		Job: func(t *testing.T, words ...string) activities.Job { return suiteJob(t, words...) },
	})
}

// suiteJob is a job that carries out a program of the suite.
func suiteJob(t *testing.T, words ...string) activities.Job {
	t.Helper()
	command, err := launchertest.Command(words...)
	if err != nil {
		t.Fatal(err)
	}
	return activities.Job{Command: command, Env: launchertest.Environment()}
}

var notInNames = regexp.MustCompile(`[^a-zA-Z0-9]+`)

// specIn is a spec whose jobs are in a namespace of their own.
func specIn(t *testing.T, n *testcluster.Nomad) sweeps.Nomad {
	t.Helper()
	name := strings.ToLower(notInNames.ReplaceAllString(t.Name(), "-"))
	if _, err := n.API().Namespaces().Register(&api.Namespace{Name: name}, nil); err != nil {
		t.Fatal(err)
	}
	return sweeps.Nomad{
		Namespace: name, Datacenters: []string{"*"},
		KillTimeout: sweeps.Duration(20 * time.Second), LostAfter: sweeps.Duration(time.Minute),
	}
}

// open makes a cluster that ends with the test.
func open(t *testing.T, n *testcluster.Nomad, o Options) *Cluster {
	t.Helper()
	if o.Nomad == nil {
		o.Nomad = &api.Config{Address: n.Address(), SecretID: n.Token}
	}
	if o.LogEvery == 0 {
		o.LogRate, o.LogEvery = 50, 100*time.Millisecond
	}
	if o.Log == nil {
		o.Log = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	c, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// requests counts what is sent.
type requests struct{ n atomic.Int64 }

func (r *requests) wrap(inner http.RoundTripper) http.RoundTripper {
	return roundTripper(func(q *http.Request) (*http.Response, error) {
		r.n.Add(1)
		return inner.RoundTrip(q)
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(q *http.Request) (*http.Response, error) { return f(q) }
