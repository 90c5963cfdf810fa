//go:build linux

// Package clustertest gives tests a cluster of package testcluster: it ends with the
// test, must leave nothing, and its logs are shown when the test fails.
package clustertest

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tenfold-ml/tenfold/internal/testcluster"
)

// logsVariable names a folder to which the logs of failed tests are copied.
const logsVariable = "TENFOLD_CLUSTER_LOGS"

// Start makes a cluster for a test, in which nothing runs yet. Set TENFOLD_CLUSTER_LOGS
// to a folder to have the servers' logs of failed tests copied there.
func Start(t *testing.T, o testcluster.Options) *testcluster.Cluster {
	t.Helper()
	if o.Log == nil {
		o.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	c, err := testcluster.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			keepLogs(t, c)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := c.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return c
}

// Nomad makes a cluster with a running Nomad for a test.
func Nomad(t *testing.T, o testcluster.NomadOptions) *testcluster.Nomad {
	t.Helper()
	n, err := Start(t, testcluster.Options{}).StartNomad(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func keepLogs(t *testing.T, c *testcluster.Cluster) {
	from := filepath.Join(c.Dir(), "logs")
	to := os.Getenv(logsVariable)
	if to == "" {
		t.Logf("set %s to a folder to keep the servers' logs", logsVariable)
		return
	}
	to = filepath.Join(to, filepath.FromSlash(t.Name()))
	if err := os.RemoveAll(to); err != nil {
		t.Logf("keeping the logs: %v", err)
	}
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Logf("keeping the logs: %v", err)
		return
	}
	t.Logf("the servers' logs are in %s", to)
}
