//go:build cluster

package main

import (
	"bufio"
	"bytes"
	"context"
	"log/slog"
	"math/rand/v2"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tenfold-ml/tenfold/internal/testcluster"
	"github.com/tenfold-ml/tenfold/internal/testcluster/faultproxy"
	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/trainer"
	"github.com/tenfold-ml/tenfold/trainer/data"
	"github.com/tenfold-ml/tenfold/trainer/data/datatest"
)

// trialAt is newFixture on a store that is there: it imports data from dir and puts a trial.
func trialAt(t *testing.T, storeURL, dir string, cfg sweeps.Config) fixture {
	t.Helper()
	f := fixture{url: storeURL, epochs: cfg.Train.Epochs}
	var err error
	if f.store, err = storage.Open(t.Context(), storeURL); err != nil {
		t.Fatal(err)
	}
	digest, err := data.Import(t.Context(), f.store, sweeps.Data{Name: dir}, data.Source{})
	if err != nil {
		t.Fatal(err)
	}
	trial := sweeps.Trial{Config: cfg, Dataset: digest, Trainer: trainer.Identity}
	if f.id, err = trial.ID(); err != nil {
		t.Fatal(err)
	}
	if err := f.store.PutTrial(t.Context(), f.id, trial); err != nil {
		t.Fatal(err)
	}
	return f
}

// TestOnS3 trains on an S3 server, undisturbed, and then through a proxy that makes one
// request of ten fail, killed by SIGKILL again and again: the results are the same, and
// the same as in a folder.
func TestOnS3(t *testing.T) {
	cluster, err := testcluster.New(testcluster.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cluster.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	const key, secret = "AKIDFORTESTS", "secret-of-the-tests"
	server, err := cluster.StartS3(t.Context(), testcluster.S3Options{AccessKey: key, SecretKey: secret})
	if err != nil {
		t.Fatal(err)
	}
	if err := server.CreateBucket(t.Context(), "trained"); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_ACCESS_KEY_ID", key)
	t.Setenv("AWS_SECRET_ACCESS_KEY", secret)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	proxy, err := faultproxy.Start(server.Endpoint(), seed, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = proxy.Close() })

	cfg := config(60)
	cfg.Model.Hidden, cfg.Train.BatchSize = []int{256, 256}, 8 // slow enough to be killed
	dir := datatest.Write(t, datatest.Size{Train: 2400, Test: 200, Side: 8, Classes: 4})
	var want sweeps.Result
	for i, url := range []string{"file:" + t.TempDir(), testcluster.StoreURL(server.Endpoint(), "trained", "calm")} {
		f := trialAt(t, url, dir, cfg)
		if code, _, stderr := run(t, f.command(1, "train")); code != 0 {
			t.Fatalf("%s: exit code %d: %s", url, code, stderr)
		}
		got := essence(t, f)
		if i == 0 {
			want = got
		} else if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("on S3 it is another result: (-file +s3)\n%s", diff)
		}
	}

	proxy.Set(faultproxy.Even(0.1, time.Second))
	rough := trialAt(t, testcluster.StoreURL(proxy.URL(), "trained", "rough"), dir, cfg)
	random := rand.New(rand.NewPCG(seed, 1))
	kills := 0
	for attempt := 1; ; attempt++ {
		after := time.Duration(random.Int64N(int64(2 * time.Second)))
		if attempt > 12 {
			after = time.Hour // enough
		}
		if !killSoon(t, rough.command(attempt, "train", "--checkpoint-every", "0s"), after) {
			break
		}
		kills++
	}
	if kills == 0 {
		t.Error("the run was not hit once")
	}
	if diff := cmp.Diff(want, essence(t, rough)); diff != "" {
		t.Errorf("killed and beside faults it is another result: (-want +got)\n%s", diff)
	}
	if _, bad, err := rough.store.Checkpoints(t.Context(), rough.id); err != nil || len(bad) > 0 {
		t.Errorf("checkpoints that cannot be used: %v, %v", bad, err)
	}
	faults := 0
	for fault, n := range proxy.Counts() {
		if fault != faultproxy.None {
			faults += n
		}
	}
	t.Logf("killed %d times; requests by fault: %v", kills, proxy.Counts())
	if faults < 3 {
		t.Errorf("only %d requests met a fault", faults)
	}
}

// killSoon starts a trainer, kills it some time after its first line, and says whether that
// was before it had ended.
func killSoon(t *testing.T, cmd *exec.Cmd, after time.Duration) bool {
	t.Helper()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(stdout)
	if _, err := lines.ReadString('\n'); err != nil {
		t.Errorf("the trainer printed nothing: %v; %s", err, stderr.String())
	}
	timer := time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
	_, _ = lines.WriteTo(discard{})
	err = cmd.Wait()
	timer.Stop()
	if err == nil {
		return false
	}
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !status.Signaled() {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	return true
}
