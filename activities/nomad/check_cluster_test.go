//go:build cluster

package nomad

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/tenfold-ml/tenfold/activities"
	"github.com/tenfold-ml/tenfold/internal/testcluster"
	"github.com/tenfold-ml/tenfold/internal/testcluster/clustertest"
	"github.com/tenfold-ml/tenfold/sweeps"
)

func touch(t *testing.T, file string) {
	t.Helper()
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

func lines(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(text))
}

// TestPlacement is about GPUs and the like that are there, taken or missing.
func TestPlacement(t *testing.T) {
	t.Parallel()
	n := clustertest.Nomad(t, testcluster.NomadOptions{Clients: []testcluster.ClientOptions{
		{GPUs: []testcluster.GPU{{Model: "H100", Count: 2, MemoryMiB: 81559}}},
		{MemoryMiB: 2048, Datacenter: "dc2"},
	}})
	constraint := func(attribute, operator, value string) []sweeps.NomadConstraint {
		return []sweeps.NomadConstraint{{Attribute: attribute, Operator: operator, Value: value}}
	}
	for name, tc := range map[string]struct {
		change func(*sweeps.Nomad, *activities.Job)
		want   []string // in the message; none for a job that fits
	}{
		"plain":    {func(*sweeps.Nomad, *activities.Job) {}, nil},
		"two gpus": {func(_ *sweeps.Nomad, j *activities.Job) { j.GPUs = 2 }, nil},
		"three gpus": {
			func(_ *sweeps.Nomad, j *activities.Job) { j.GPUs = 3 }, []string{"3 × nvidia/gpu on one node", "2 nodes"},
		},
		"gpu memory": {func(s *sweeps.Nomad, j *activities.Job) {
			j.GPUs, s.GPU.Constraints = 1, constraint("${device.attr.memory}", ">=", "40 GiB")
		}, nil},
		"more gpu memory": {func(s *sweeps.Nomad, j *activities.Job) {
			j.GPUs, s.GPU.Constraints = 1, constraint("${device.attr.memory}", ">=", "100 GiB")
		}, []string{"nvidia/gpu with ${device.attr.memory} >= 100 GiB"}},
		"gpu model": {func(s *sweeps.Nomad, j *activities.Job) {
			j.GPUs, s.GPU.Name = 1, "nvidia/gpu/B200"
		}, []string{"no nvidia/gpu/B200"}},
		"driver": {func(s *sweeps.Nomad, _ *activities.Job) { s.Driver = "docker" }, []string{"driver docker is missing"}},
		"constraint": {func(s *sweeps.Nomad, _ *activities.Job) {
			s.Constraints = constraint("${attr.kernel.name}", "=", "plan9")
		}, []string{"kernel.name", "plan9"}},
		"node pool":  {func(s *sweeps.Nomad, _ *activities.Job) { s.NodePool = "nowhere" }, []string{"nowhere"}},
		"datacenter": {func(s *sweeps.Nomad, _ *activities.Job) { s.Datacenters = []string{"mars"} }, []string{"mars"}},
		"namespace":  {func(s *sweeps.Nomad, _ *activities.Job) { s.Namespace = "nowhere" }, []string{"nowhere"}},
		"memory":     {func(_ *sweeps.Nomad, j *activities.Job) { j.MemoryBytes = 1 << 40 }, []string{"1048576 MiB of memory", "16384"}},
		"jobspec":    {func(s *sweeps.Nomad, _ *activities.Job) { s.Jobspec = map[string]any{"NoSuchField": 1} }, []string{"NoSuchField"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec, job := specIn(t, n), suiteJob(t)
			job.Key = key("a")
			tc.change(&spec, &job)
			if spec.Driver == "docker" {
				spec.Image = "python:3"
			}
			err := open(t, n, Options{}).Launcher(spec).Check(t.Context(), job)
			if len(tc.want) == 0 {
				if err != nil {
					t.Errorf("check: %v, want that it fits", err)
				}
				return
			}
			if !errors.Is(err, activities.ErrUnplaceable) {
				t.Fatalf("check: %v, want ErrUnplaceable", err)
			}
			for _, part := range tc.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("check: %v, want %q in it", err, part)
				}
			}
		})
	}
	t.Run("queue", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, n, func(s *sweeps.Nomad) { s.GPU.Name = "nvidia/gpu" })
		launch := func(name string, gpus int, words ...string) {
			j := b.job(name, 1, words...)
			j.GPUs = gpus
			if _, err := b.Launch(t.Context(), j); err != nil {
				t.Fatal(err)
			}
		}
		launch("one", 1, "env:NVIDIA_VISIBLE_DEVICES", "print:up", "wait:"+b.file("go"))
		b.printed("one", "up")
		launch("both", 2, "env:NVIDIA_VISIBLE_DEVICES", "exit:3")
		b.until("both", func(u activities.JobUpdate) bool { return u.State == activities.JobQueued })
		j := b.job("both", 1)
		j.GPUs = 2
		if err := b.Check(t.Context(), j); err != nil {
			t.Errorf("check of what has to wait: %v", err)
		}
		touch(t, b.file("go"))
		b.printed("both", "NVIDIA_VISIBLE_DEVICES=0,1")
		if exit := b.end("both"); exit.Code != 3 {
			t.Errorf("exit %+v, want code 3", exit)
		}
	})
}

// TestTokens is about ACLs.
func TestTokens(t *testing.T) {
	t.Parallel()
	n := clustertest.Nomad(t, testcluster.NomadOptions{ACL: true, Clients: make([]testcluster.ClientOptions, 1)})
	b := newBench(t, n, nil)
	if _, err := n.API().ACLPolicies().Upsert(&api.ACLPolicy{Name: "sweeps", Rules: fmt.Sprintf(`
		namespace %q { capabilities = ["submit-job", "list-jobs", "read-job", "read-fs", "read-logs"] }
		node { policy = "read" }`, b.spec.Namespace)}, nil); err != nil {
		t.Fatal(err)
	}
	token := func(ttl time.Duration) *api.ACLToken {
		made, _, err := n.API().ACLTokens().Create(&api.ACLToken{Type: "client", Policies: []string{"sweeps"}, ExpirationTTL: ttl}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
	with := func(secret string) *bench {
		other := *b
		other.Launcher = open(t, n, Options{Nomad: &api.Config{Address: n.Address(), SecretID: secret}}).Launcher(b.spec)
		return &other
	}
	t.Run("a token of few capabilities is enough", func(t *testing.T) {
		w := with(token(0).SecretID)
		if err := w.Check(t.Context(), w.job("few", 1)); err != nil {
			t.Errorf("check: %v", err)
		}
		w.launch("few", 1, "print:hello", "error:dear me", "on-term:75", "wait:"+b.file("never"))
		w.printed("few", "hello")
		if err := w.Stop(t.Context(), key("few")); err != nil {
			t.Errorf("stop: %v", err)
		}
		if exit := w.end("few"); exit.Code != 75 || exit.Stderr != "dear me\n" {
			t.Errorf("exit %+v, want code 75", exit)
		}
	})
	t.Run("none", func(t *testing.T) {
		w := with("")
		_, err := w.Launch(t.Context(), w.job("none", 1))
		if !errors.Is(err, activities.ErrDenied) || !strings.Contains(err.Error(), "NOMAD_TOKEN") {
			t.Errorf("launch: %v, want ErrDenied that names NOMAD_TOKEN", err)
		}
		if err := w.Stop(t.Context(), key("none")); !errors.Is(err, activities.ErrDenied) {
			t.Errorf("stop: %v, want ErrDenied", err)
		}
		if _, err := w.Watch(t.Context(), key("none"), nil); !errors.Is(err, activities.ErrDenied) {
			t.Errorf("watch: %v, want ErrDenied", err)
		}
		if err := w.Check(t.Context(), w.job("none", 1)); !errors.Is(err, activities.ErrDenied) {
			t.Errorf("check: %v, want ErrDenied", err)
		}
	})
	t.Run("one that is taken away", func(t *testing.T) {
		made := token(0)
		w := with(made.SecretID)
		w.launch("away", 1, "print:up", "wait:"+b.file("go"), "exit:3")
		w.printed("away", "up")
		ended := make(chan error, 1)
		go func() {
			_, err := w.Watch(t.Context(), key("away"), nil)
			ended <- err
		}()
		if _, err := n.API().ACLTokens().Delete(made.AccessorID, nil); err != nil {
			t.Fatal(err)
		}
		err := <-ended
		if !errors.Is(err, activities.ErrDenied) {
			t.Errorf("watch: %v, want ErrDenied", err)
		}
		if strings.Contains(err.Error(), made.SecretID) {
			t.Error("the error holds the token")
		}
		// With a new one it goes on as if nothing had been.
		w = with(token(0).SecretID)
		if got := w.launch("away", 2, "exit:9"); got != 1 {
			t.Errorf("attempt %d, want 1", got)
		}
		touch(t, b.file("go"))
		if exit := w.end("away"); exit.Code != 3 {
			t.Errorf("exit %+v, want code 3", exit)
		}
	})
}

// TestRequests counts what running trials cost.
func TestRequests(t *testing.T) {
	t.Parallel()
	n := clustertest.Nomad(t, testcluster.NomadOptions{Clients: make([]testcluster.ClientOptions, 1)})
	spec := specIn(t, n)
	var sent requests
	c := open(t, n, Options{LogRate: 5, LogEvery: 100 * time.Millisecond, Transport: sent.wrap})
	l := c.Launcher(spec)
	dir := t.TempDir()
	const trials = 12
	ctx := t.Context()
	alive := make(chan string, 1024)
	for i := range trials {
		j := suiteJob(t, "print:up", "wait:"+dir+"/go")
		j.Key, j.Attempt = key(fmt.Sprintf("t%d", i)), 1
		if _, err := l.Launch(ctx, j); err != nil {
			t.Fatal(err)
		}
		c.tasks.Go(func() {
			exit, err := l.Watch(ctx, j.Key, func(u activities.JobUpdate) {
				if u.Line == "up" {
					alive <- string(j.Key.Trial)
				}
			})
			if err != nil || exit.Code != 0 {
				t.Errorf("watch: %+v, %v", exit, err)
			}
			alive <- "ended"
		})
	}
	for range trials {
		<-alive
	}
	const span = 4 * time.Second
	before := sent.n.Load()
	<-time.After(span)
	// The rate, and room for a resync.
	if got, most := sent.n.Load()-before, int64(5*span/time.Second+4); got > most {
		t.Errorf("%d running trials cost %d requests in %s, want %d at most", trials, got, span, most)
	}
	touch(t, dir+"/go")
	for range trials {
		<-alive
	}
	t.Logf("%d requests for %d trials in all", sent.n.Load(), trials)
}

var _ http.RoundTripper = roundTripper(nil)
