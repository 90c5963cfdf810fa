//go:build cluster

package nomad

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/tenfold-ml/tenfold/activities"
	"github.com/tenfold-ml/tenfold/internal/testcluster"
	"github.com/tenfold-ml/tenfold/internal/testcluster/clustertest"
	"github.com/tenfold-ml/tenfold/sweeps"
)

// bench is a launcher in a namespace of its own, and a folder for its jobs' files.
type bench struct {
	t    *testing.T
	n    *testcluster.Nomad
	spec sweeps.Nomad
	dir  string
	*Launcher
}

func newBench(t *testing.T, n *testcluster.Nomad, change func(*sweeps.Nomad)) *bench {
	t.Helper()
	b := &bench{t: t, n: n, spec: specIn(t, n), dir: t.TempDir()}
	if change != nil {
		change(&b.spec)
	}
	b.Launcher = open(t, n, Options{}).Launcher(b.spec)
	return b
}

// again is the same from another worker.
func (b *bench) again() *bench {
	other := *b
	other.Launcher = open(b.t, b.n, Options{}).Launcher(b.spec)
	return &other
}

func (b *bench) file(name string) string { return filepath.Join(b.dir, name) }

func (b *bench) launch(name string, attempt int, words ...string) int {
	b.t.Helper()
	got, err := b.Launch(b.t.Context(), b.job(name, attempt, words...))
	if err != nil {
		b.t.Fatalf("launch %s: %v", name, err)
	}
	return got
}

func (b *bench) job(name string, attempt int, words ...string) activities.Job {
	j := suiteJob(b.t, words...)
	j.Key, j.Attempt = key(name), attempt
	return j
}

func key(name string) activities.JobKey {
	return activities.JobKey{Sweep: "s", Trial: sweeps.TrialID(name), Epochs: 2}
}

// until follows a job until an update is as wanted.
func (b *bench) until(name string, wanted func(activities.JobUpdate) bool) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), time.Minute)
	defer cancel()
	found := false
	_, err := b.Watch(ctx, key(name), func(u activities.JobUpdate) {
		if wanted(u) {
			found = true
			cancel()
		}
	})
	if !found {
		b.t.Fatalf("job %s never was as wanted: %v", name, err)
	}
}

func (b *bench) printed(name, line string) {
	b.t.Helper()
	b.until(name, func(u activities.JobUpdate) bool { return u.Line == line })
}

func (b *bench) end(name string) activities.Exit {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 90*time.Second)
	defer cancel()
	exit, err := b.Watch(ctx, key(name), nil)
	if err != nil {
		b.t.Fatalf("watch %s: %v", name, err)
	}
	return exit
}

// allocation is the first one of a job.
func (b *bench) allocation(name string, attempt int) *api.AllocationListStub {
	b.t.Helper()
	list, _, err := b.n.API().Jobs().Allocations(jobID(key(name), attempt), true, &api.QueryOptions{Namespace: b.spec.Namespace})
	if err != nil || len(list) == 0 {
		b.t.Fatalf("allocations of %s: %v, %v", name, list, err)
	}
	slices.SortFunc(list, func(x, y *api.AllocationListStub) int { return int(x.CreateIndex) - int(y.CreateIndex) })
	return list[0]
}

// unknown waits until Nomad has lost touch with a job's first allocation.
func (b *bench) unknown(name string, attempt int) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), time.Minute)
	defer cancel()
	id, index := b.allocation(name, attempt).ID, uint64(0)
	for {
		a, meta, err := b.n.API().Allocations().Info(id, (&api.QueryOptions{Namespace: b.spec.Namespace, WaitIndex: index, WaitTime: 5 * time.Second}).WithContext(ctx))
		switch {
		case err != nil:
			node, _, e := b.n.API().Nodes().Info(b.node(name, attempt).ID, nil)
			b.t.Fatalf("waiting for Nomad to miss %s: %v; its node: %+v, %v", name, err, node.Status, e)
		case a.ClientStatus == clientUnknown:
			return
		}
		index = meta.LastIndex
	}
}

// left are the allocations in the namespace that may still run.
func (b *bench) left() (names []string) {
	b.t.Helper()
	list, _, err := b.n.API().Allocations().List(&api.QueryOptions{Namespace: b.spec.Namespace})
	if err != nil {
		b.t.Fatal(err)
	}
	for _, a := range list {
		if a.ClientStatus == "running" || a.ClientStatus == "pending" {
			names = append(names, a.JobID+" "+a.ClientStatus)
		}
	}
	return names
}

// node is the client that a job's first allocation is on.
func (b *bench) node(name string, attempt int) *testcluster.Client {
	b.t.Helper()
	id := b.allocation(name, attempt).NodeID
	for _, c := range b.n.Clients() {
		if c.ID == id {
			return c
		}
	}
	b.t.Fatalf("no client has the node %s", id)
	return nil
}

// TestWorkers is about workers that come, go and do the same.
func TestWorkers(t *testing.T) {
	t.Parallel()
	n := clustertest.Nomad(t, testcluster.NomadOptions{Clients: make([]testcluster.ClientOptions, 1)})

	t.Run("a new worker attaches", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, n, nil)
		b.launch("a", 3, "print:one", "print:two", "wait:"+b.file("go"), "print:three", "exit:7")
		b.printed("a", "two")
		b.cluster.Close()
		other := b.again()
		if got := other.launch("a", 4, "exit:9"); got != 3 {
			t.Errorf("launch by another worker: attempt %d, want that of the running job, 3", got)
		}
		other.printed("a", "two")
		// And one that only watches.
		third := b.again()
		third.printed("a", "two")
		touch(t, b.file("go"))
		for _, w := range []*bench{other, third} {
			if exit := w.end("a"); exit.Code != 7 || exit.Attempt != 3 {
				t.Errorf("exit %+v, want code 7 of attempt 3", exit)
			}
		}
		// And one that comes when all is over.
		if exit := b.again().end("a"); exit.Code != 7 || exit.Attempt != 3 {
			t.Errorf("late exit %+v, want code 7 of attempt 3", exit)
		}
	})

	t.Run("two workers launch the same", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, n, nil)
		other := b.again()
		for i := range 5 {
			name := fmt.Sprintf("same%d", i)
			runs := b.file(name)
			var group sync.WaitGroup
			for _, w := range []*bench{b, other} {
				group.Go(func() { w.launch(name, 1, "append:"+runs+"=run", "exit:3") })
			}
			group.Wait()
			for _, w := range []*bench{b, other} {
				if exit := w.end(name); exit.Code != 3 || exit.Attempt != 1 {
					t.Errorf("exit %+v, want code 3 of attempt 1", exit)
				}
			}
			if got := lines(t, runs); len(got) != 1 {
				t.Errorf("%d runs, want 1", len(got))
			}
		}
	})

	t.Run("two workers launch different attempts", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, n, nil)
		other := b.again()
		for i := range 5 {
			name := fmt.Sprintf("differ%d", i)
			got := make([]int, 2)
			var group sync.WaitGroup
			for j, w := range []*bench{b, other} {
				group.Go(func() { got[j] = w.launch(name, j+1, "on-term:75", "wait:"+b.file("go")) })
			}
			group.Wait()
			if got[0] != got[1] {
				t.Errorf("launches returned attempts %v, want the same", got)
			}
		}
		touch(t, b.file("go"))
		for i := range 5 {
			b.end(fmt.Sprintf("differ%d", i))
		}
	})

	t.Run("an attempt that has run is not run again", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, n, nil)
		b.launch("a", 1, "append:"+b.file("runs")+"=run", "exit:5")
		b.end("a")
		other := b.again()
		if got := other.launch("a", 1, "append:"+b.file("runs")+"=run", "exit:5"); got != 1 {
			t.Errorf("attempt %d, want 1", got)
		}
		if exit := other.end("a"); exit.Code != 5 {
			t.Errorf("exit %+v, want code 5", exit)
		}
		if got := lines(t, b.file("runs")); len(got) != 1 {
			t.Errorf("%d runs, want 1", len(got))
		}
	})

	t.Run("another worker stops it", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, n, nil)
		b.launch("a", 1, "on-term:75", "print:up", "wait:"+b.file("never"))
		b.printed("a", "up")
		if err := b.again().Stop(t.Context(), key("a")); err != nil {
			t.Errorf("stop: %v", err)
		}
		if exit := b.end("a"); exit.Code != 75 || !exit.Stopped {
			t.Errorf("exit %+v, want code 75, stopped", exit)
		}
		if left := b.left(); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
	})

	t.Run("no such command", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, n, nil)
		j := b.job("a", 1)
		j.Command = []string{"/no/such/trainer", "x"}
		if _, err := b.Launch(t.Context(), j); err != nil {
			t.Fatal(err)
		}
		if exit := b.end("a"); !exit.NotStarted || exit.Reason == "" {
			t.Errorf("exit %+v, want not started, with a reason", exit)
		}
	})

	t.Run("nothing of the worker's environment is in a job", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, n, nil)
		b.launch("a", 1, "env:AWS_SECRET_ACCESS_KEY")
		b.end("a")
		job, _, err := n.API().Jobs().Info(jobID(key("a"), 1), &api.QueryOptions{Namespace: b.spec.Namespace})
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(job)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), workerSecret) {
			t.Errorf("the job holds a secret: %s", text)
		}
	})

	t.Run("much output", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, n, nil)
		var words []string
		long := strings.Repeat("x", 100<<10)
		for i := range 60 { // three times what Nomad keeps in a file
			words = append(words, fmt.Sprintf("print:%d %s", i, long))
		}
		// Arguments have a limit of their own, so each program prints a part.
		for i, part := range slices.Collect(slices.Chunk(words, 15)) {
			b.launch("a", i+1, append(part, fmt.Sprintf("print:end %d", i))...)
			last := ""
			exit, err := b.Watch(t.Context(), key("a"), func(u activities.JobUpdate) { last = or(u.Line, last) })
			if err != nil || exit.Code != 0 || last != fmt.Sprintf("end %d", i) {
				t.Errorf("exit %+v, %v; last line %.40q, want \"end %d\"", exit, err, last, i)
			}
		}
	})
}

// TestForgotten collects garbage, which concerns every job of a cluster.
func TestForgotten(t *testing.T) {
	t.Parallel()
	n := clustertest.Nomad(t, testcluster.NomadOptions{Clients: make([]testcluster.ClientOptions, 1)})
	b := newBench(t, n, nil)
	b.launch("ended", 1, "exit:4")
	b.end("ended")
	b.launch("running", 1, "print:up", "wait:"+b.file("go"), "exit:6")
	b.printed("running", "up")
	if err := n.CollectGarbage(); err != nil {
		t.Fatal(err)
	}
	other := b.again()
	var err error
	for { // collecting is only asked for
		_, err = other.Watch(t.Context(), key("ended"), nil)
		if err != nil || t.Context().Err() != nil {
			break
		}
		other.cluster.Close()
		other = b.again()
	}
	if !errors.Is(err, activities.ErrNoJob) {
		t.Errorf("watch of a collected job: %v, want ErrNoJob", err)
	}
	if exit := b.end("ended"); exit.Code != 4 {
		t.Errorf("the worker that saw it end: %+v, want code 4", exit)
	}
	touch(t, b.file("go"))
	if exit := other.end("running"); exit.Code != 6 {
		t.Errorf("the running job: %+v, want code 6", exit)
	}
}

// TestServerRestarts kills the server in the middle of everything.
func TestServerRestarts(t *testing.T) {
	t.Parallel()
	n := clustertest.Nomad(t, testcluster.NomadOptions{Clients: make([]testcluster.ClientOptions, 1)})
	b := newBench(t, n, nil)
	b.launch("over", 1, "print:up", "wait:"+b.file("over"), "exit:3")
	b.launch("after", 1, "print:up", "wait:"+b.file("after"), "exit:4")
	b.printed("over", "up")
	b.printed("after", "up")
	var group sync.WaitGroup
	exits := map[string]*activities.Exit{"over": {}, "after": {}, "during": {}}
	for name, exit := range exits {
		if name != "during" {
			group.Go(func() { *exit = b.end(name) })
		}
	}
	if err := n.Server.Kill(); err != nil {
		t.Fatal(err)
	}
	touch(t, b.file("over")) // it ends while nobody can tell
	group.Go(func() {
		b.launch("during", 1, "exit:5")
		*exits["during"] = b.end("during")
	})
	if err := n.Server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	touch(t, b.file("after"))
	group.Wait()
	for name, code := range map[string]int{"over": 3, "after": 4, "during": 5} {
		if exits[name].Code != code {
			t.Errorf("%s: exit %+v, want code %d", name, *exits[name], code)
		}
	}
}

// TestNodes loses, drains and gives away nodes.
func TestNodes(t *testing.T) {
	t.Parallel()
	n := clustertest.Nomad(t, testcluster.NomadOptions{Clients: make([]testcluster.ClientOptions, 2), DownAfter: 6 * time.Second})
	b := newBench(t, n, nil)

	t.Run("a client dies and comes back", func(t *testing.T) {
		b.launch("back", 1, "print:up", "wait:"+b.file("back"), "print:still", "exit:3")
		b.printed("back", "up")
		c := b.node("back", 1)
		if err := c.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := c.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		touch(t, b.file("back"))
		if exit := b.end("back"); exit.Code != 3 {
			t.Errorf("exit %+v, want code 3", exit)
		}
	})

	t.Run("a client is cut off and comes back", func(t *testing.T) {
		b.launch("cut", 1, "append:"+b.file("cutruns")+"=run", "print:up", "wait:"+b.file("cut"), "exit:4")
		b.printed("cut", "up")
		c := b.node("cut", 1)
		c.Cut()
		b.unknown("cut", 1)
		// It counts as running and alive.
		alive := 0
		b.until("cut", func(u activities.JobUpdate) bool {
			if u.State == activities.JobRunning && u.Line == "" {
				alive++
			}
			return alive >= 3
		})
		touch(t, b.file("cut")) // it ends over there
		c.Mend()
		if exit := b.end("cut"); exit.Code != 4 {
			t.Errorf("exit %+v, want code 4", exit)
		}
		if runs := lines(t, b.file("cutruns")); len(runs) != 1 {
			t.Errorf("%d runs, want 1", len(runs))
		}
	})

	t.Run("stop while its client is cut off", func(t *testing.T) {
		b.launch("cutstop", 1, "on-term:75", "print:up", "wait:"+b.file("never"))
		b.printed("cutstop", "up")
		c := b.node("cutstop", 1)
		c.Cut()
		defer c.Mend()
		if err := b.Stop(t.Context(), key("cutstop")); err != nil {
			t.Errorf("stop: %v", err)
		}
		if exit := b.end("cutstop"); !exit.Stopped {
			t.Errorf("exit %+v, want stopped", exit)
		}
		c.Mend()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := c.WaitStatus(ctx, "ready"); err != nil {
			t.Fatal(err)
		}
	})

	t.Run("drain", func(t *testing.T) {
		b.launch("drain", 1, "append:"+b.file("drainruns")+"=run", "on-term:75", "print:up", "wait:"+b.file("never"))
		b.printed("drain", "up")
		c := b.node("drain", 1)
		if err := c.Drain(time.Second); err != nil {
			t.Fatal(err)
		}
		if exit := b.end("drain"); exit.Code != 75 || exit.Stopped {
			t.Errorf("exit %+v, want code 75, and not stopped", exit)
		}
		if left := b.left(); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
		// The next attempt goes to the other node.
		if got := b.launch("drain", 2, "exit:0"); got != 2 {
			t.Errorf("attempt %d, want 2", got)
		}
		if exit := b.end("drain"); exit.Code != 0 || exit.Attempt != 2 {
			t.Errorf("exit %+v, want code 0 of attempt 2", exit)
		}
		if err := c.Enable(); err != nil {
			t.Fatal(err)
		}
	})

	t.Run("an operator moves the allocation", func(t *testing.T) {
		b.launch("move", 1, "on-term:75", "print:up", "wait:"+b.file("never"))
		b.printed("move", "up")
		a := b.allocation("move", 1)
		if _, err := n.API().Allocations().Stop(&api.Allocation{ID: a.ID}, &api.QueryOptions{Namespace: b.spec.Namespace}); err != nil {
			t.Fatal(err)
		}
		if exit := b.end("move"); exit.Code != 75 || exit.Stopped {
			t.Errorf("exit %+v, want code 75, and not stopped", exit)
		}
		if left := b.left(); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
	})

	t.Run("a task is killed", func(t *testing.T) {
		b.launch("kill", 1, "print:up", "wait:"+b.file("never"))
		b.printed("kill", "up")
		a := b.allocation("kill", 1)
		if err := n.API().Allocations().Signal(&api.Allocation{ID: a.ID, NodeID: a.NodeID}, &api.QueryOptions{Namespace: b.spec.Namespace}, taskName, "SIGKILL"); err != nil {
			t.Fatal(err)
		}
		if exit := b.end("kill"); exit.Signal != 9 || exit.Code != -1 || exit.Stopped {
			t.Errorf("exit %+v, want signal 9", exit)
		}
	})

	t.Run("a client is lost", func(t *testing.T) {
		short := newBench(t, n, func(s *sweeps.Nomad) { s.LostAfter = sweeps.Duration(3 * time.Second) })
		short.launch("lost", 1, "print:up", "wait:"+b.file("never"))
		short.printed("lost", "up")
		c := short.node("lost", 1)
		c.Cut()
		defer c.Mend()
		if exit := short.end("lost"); exit.Code != -1 || exit.Stopped || !strings.Contains(exit.Reason, c.Name) {
			t.Errorf("exit %+v, want none, and a reason with the node's name", exit)
		}
		// Its successor is the only one that counts.
		if got := short.launch("lost", 2, "exit:0"); got != 2 {
			t.Errorf("attempt %d, want 2", got)
		}
		if exit := short.end("lost"); exit.Code != 0 {
			t.Errorf("exit %+v, want code 0", exit)
		}
	})
}

// TestPreemption has a job of higher priority take another one's place.
func TestPreemption(t *testing.T) {
	t.Parallel()
	n := clustertest.Nomad(t, testcluster.NomadOptions{Clients: []testcluster.ClientOptions{{MemoryMiB: 1024}}})
	if _, _, err := n.API().Operator().SchedulerSetConfiguration(&api.SchedulerConfiguration{
		PreemptionConfig: api.PreemptionConfig{BatchSchedulerEnabled: true},
	}, nil); err != nil {
		t.Fatal(err)
	}
	low := newBench(t, n, func(s *sweeps.Nomad) { s.Priority = 10 })
	j := low.job("low", 1, "on-term:75", "print:up", "wait:"+low.file("never"))
	j.MemoryBytes = 700 << 20
	if _, err := low.Launch(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	low.printed("low", "up")
	high := *low
	high.spec.Priority = 90
	high.Launcher = low.cluster.Launcher(high.spec)
	j = high.job("high", 1, "print:up", "wait:"+low.file("go"))
	j.MemoryBytes = 700 << 20
	if _, err := high.Launch(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	if exit := low.end("low"); exit.Code != 75 || exit.Stopped {
		t.Errorf("exit %+v, want code 75, and not stopped", exit)
	}
	high.printed("high", "up")
	// The preempted one waits now, and is shown to.
	j = low.job("low", 2, "exit:0")
	j.MemoryBytes = 700 << 20
	if err := low.Check(t.Context(), j); err != nil {
		t.Errorf("check of a job that has to wait: %v", err)
	}
	if _, err := low.Launch(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	low.until("low", func(u activities.JobUpdate) bool { return u.State == activities.JobQueued })
	touch(t, low.file("go"))
	if exit := low.end("low"); exit.Code != 0 || exit.Attempt != 2 {
		t.Errorf("exit %+v, want code 0 of attempt 2", exit)
	}
}
