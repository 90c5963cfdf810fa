//go:build linux && cluster

package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/tenfold-ml/tenfold/internal/testcluster"
	"github.com/tenfold-ml/tenfold/internal/testcluster/clustertest"
	"github.com/tenfold-ml/tenfold/internal/testcluster/faultproxy"
	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/sweeps"
)

// bucket is where the clusters of these tests have their store.
const bucket = "tenfold"

// ground is a whole cluster of our own: what a sweep runs on in production, on one
// machine.
type ground struct {
	*testcluster.Cluster
	bin      string
	temporal *testcluster.Temporal
	nomad    *testcluster.Nomad
	s3       *testcluster.S3
	proxy    *faultproxy.Proxy
	workers  []*testcluster.Process
	// url is the store as workers and trainers see it, through the proxy.
	url string
	env []string
	// store is the same one as the test sees it, past the proxy.
	store *storage.Store
}

// newGround starts one with three Nomad clients and two workers.
func newGround(t *testing.T, seed uint64) *ground {
	t.Helper()
	bin, err := filepath.Abs("../../bin")
	if err != nil {
		t.Fatal(err)
	}
	g := &ground{Cluster: clustertest.Start(t, testcluster.Options{Bin: bin}), bin: bin}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx := t.Context()
	g.s3, err = g.StartS3(ctx, testcluster.S3Options{})
	must(err)
	must(g.s3.CreateBucket(ctx, bucket))
	g.proxy, err = faultproxy.Start(g.s3.Endpoint(), seed, slog.New(slog.DiscardHandler))
	must(err)
	t.Cleanup(func() { _ = g.proxy.Close() })
	g.url = testcluster.StoreURL(g.proxy.URL(), bucket, "store")
	g.nomad, err = g.StartNomad(ctx, testcluster.NomadOptions{
		DownAfter: 10 * time.Second,
		Clients:   []testcluster.ClientOptions{{Env: g.s3.Env()}, {Env: g.s3.Env()}, {Env: g.s3.Env()}},
	})
	must(err)
	g.temporal, err = g.StartTemporal(ctx)
	must(err)
	g.env = append(append(g.temporal.Env(), g.nomad.Env()...), g.s3.Env()...)
	for _, name := range []string{"1", "2"} {
		w, err := g.StartWorker(ctx, testcluster.WorkerOptions{Name: name, Store: g.url, Env: g.env})
		must(err)
		g.workers = append(g.workers, w)
	}
	g.store = openPast(t, g.s3)
	return g
}

// openPast opens the store without the proxy, with the server's own credentials.
func openPast(t *testing.T, server *testcluster.S3) *storage.Store {
	t.Helper()
	for _, variable := range server.Env() {
		name, value, _ := strings.Cut(variable, "=")
		t.Setenv(name, value)
	}
	store, err := storage.Open(t.Context(), testcluster.StoreURL(server.Endpoint(), bucket, "store"))
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// sweep runs the command against the cluster and returns what it printed.
func (g *ground) sweep(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(g.bin, "sweep"), append([]string{"--dir", filepath.Join(g.Dir(), "user"), "--store", g.url}, args...)...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + g.Dir()}, g.env...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// follow watches a sweep to its end, over as many servers as it takes.
func (g *ground) follow(t *testing.T, spec string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	for {
		out, err := g.sweep(ctx, "run", spec)
		if err == nil {
			return
		}
		if ctx.Err() != nil || strings.Contains(out, "failed:") {
			t.Fatalf("sweep run: %v\n%s", err, out)
		}
		t.Logf("watching anew: %v: %s", err, lastLine(out))
		time.Sleep(time.Second) // its server is on its way up
	}
}

func lastLine(s string) string {
	s = strings.TrimSpace(s)
	return s[strings.LastIndexByte(s, '\n')+1:]
}

// manifest is the manifest of a sweep, without what says how it was run.
func manifest(t *testing.T, b []byte) string {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	delete(m, "sweep") // the launcher is part of the spec, and so of its ID
	delete(m, "spec_sha256")
	b, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// check demands of a finished sweep what an undisturbed one leaves on a laptop.
func (g *ground) check(t *testing.T, id string, want reference) {
	t.Helper()
	ctx := t.Context()
	b, err := g.store.ReadAll(ctx, storage.ManifestKey(id))
	if err != nil {
		t.Fatal(err)
	}
	if got := manifest(t, b); got != want.manifest {
		t.Errorf("the manifests differ:\n%s\n--- embedded:\n%s", got, want.manifest)
	}
	found := map[string]string{}
	for object, err := range g.store.Backend().List(ctx, "trials") {
		if err != nil {
			t.Fatal(err)
		}
		parts := strings.Split(object.Key, "/")
		if len(parts) != 4 || parts[2] != "results" {
			continue
		}
		if found[parts[1]] != "" {
			t.Errorf("trial %s has a second result: %s", parts[1], object.Key)
		}
		b, err := g.store.ReadAll(ctx, object.Key)
		if err != nil {
			t.Fatal(err)
		}
		var r sweeps.Result
		if err := json.Unmarshal(b, &r); err != nil {
			t.Fatal(err)
		}
		found[parts[1]] = r.Checkpoint.SHA256
	}
	if len(found) != len(want.weights) {
		t.Errorf("%d trials have results, embedded %d", len(found), len(want.weights))
	}
	for trial, weights := range want.weights {
		if found[trial] != weights {
			t.Errorf("trial %s ended in the weights %.12s, embedded %.12s", trial, found[trial], weights)
		}
	}
	g.checkNoJob(t, id)
}

// checkNoJob demands that nothing of a sweep is left on Nomad.
func (g *ground) checkNoJob(t *testing.T, id string) {
	t.Helper()
	jobs, _, err := g.nomad.API().Jobs().List(&api.QueryOptions{Prefix: "tenfold-" + id, Namespace: "*"})
	if err != nil {
		t.Fatal(err)
	}
	for _, j := range jobs {
		if j.Status != "dead" {
			t.Errorf("job %s is left, %s", j.ID, j.Status)
		}
	}
}

// reference is what a spec came to without a cluster.
type reference struct {
	manifest string
	weights  map[string]string // of each trial, their SHA-256
}

// embedded runs a spec in one process, with trainers as its children.
func embedded(t *testing.T, spec string) reference {
	t.Helper()
	bin, err := filepath.Abs("../../bin")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "sweep"), "--dir", dir, "run", spec)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("sweep run: %v\n%s", err, out)
	}
	r := reference{manifest: manifest(t, one(t, dir, "store/sweeps/*/ensemble/manifest.json")), weights: map[string]string{}}
	for trial, sums := range results(t, dir) {
		r.weights[trial] = sums[0]
	}
	return r
}

// writeSpec writes the spec for a launcher and returns its file and the sweep's ID.
func writeSpec(t *testing.T, text, launcher string) (file, id string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "cluster.yaml")
	b := bytes.TrimSpace(fmt.Appendf(nil, text, launcher))
	if err := os.WriteFile(file, b, 0o644); err != nil {
		t.Fatal(err)
	}
	spec, err := sweeps.Parse(file, b)
	if err != nil {
		t.Fatal(err)
	}
	return file, sweeps.SweepID(spec)
}
