//go:build linux && cluster

package testcluster_test

import (
	"context"
	"testing"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/tenfold-ml/tenfold/internal/testcluster"
	"github.com/tenfold-ml/tenfold/internal/testcluster/clustertest"
)

// TestTemporalAndWorkers kills the server and the workers and starts them again: the
// server has its database and its address, and the workers work.
func TestTemporalAndWorkers(t *testing.T) {
	t.Parallel()
	c := clustertest.Start(t, testcluster.Options{})
	server, err := c.StartTemporal(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	store := "file://" + t.TempDir()
	var workers []*testcluster.Process
	for _, name := range []string{"1", "2"} {
		w, err := c.StartWorker(t.Context(), testcluster.WorkerOptions{Name: name, Store: store, Env: server.Env()})
		if err != nil {
			t.Fatal(err)
		}
		workers = append(workers, w)
	}
	begin(t, server.Address)
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := executions(t, server.Address); got != 1 {
		t.Errorf("after kill -9 the server knows %d workflows, want the 1 that was started", got)
	}
	for _, w := range workers {
		if !w.Running() {
			t.Errorf("%s ended with the server:\n%s", w.Name(), w.Tail(1000))
		}
		if err := w.Restart(t.Context()); err != nil { // by SIGKILL
			t.Fatal(err)
		}
	}
	if err := workers[0].Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

func dial(t *testing.T, address string) client.Client {
	t.Helper()
	conn, err := client.Dial(client.Options{HostPort: address})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

// begin starts a workflow that nobody works on.
func begin(t *testing.T, address string) {
	t.Helper()
	_, err := dial(t, address).ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: "kept", TaskQueue: "nobody"}, "Kept")
	if err != nil {
		t.Fatal(err)
	}
}

// executions counts the workflows. The server answers a moment after it listens.
func executions(t *testing.T, address string) int64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	response, err := dial(t, address).CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{Namespace: "default"})
	if err != nil {
		t.Fatal(err)
	}
	return response.Count
}
