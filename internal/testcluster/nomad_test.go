//go:build linux && cluster

package testcluster_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/tenfold-ml/tenfold/internal/testcluster"
	"github.com/tenfold-ml/tenfold/internal/testcluster/clustertest"
)

// patience bounds every wait for something that happens within seconds.
const patience = time.Minute

// waiter is a script that says who it is in $dir/pid and ends with 7 when $dir/end is
// there, or with 75 on SIGTERM.
const waiter = `trap 'exit 75' TERM; echo $$ > $dir/pid; while [ ! -e $dir/end ]; do sleep 0.05; done; exit 7`

// TestTasksOutliveAgents kills the client below a task, and then the server, and finds
// the same task running, and its exit code.
func TestTasksOutliveAgents(t *testing.T) {
	t.Parallel()
	n := clustertest.Nomad(t, testcluster.NomadOptions{})
	if len(n.Clients()) != 2 || n.Clients()[0].ID == n.Clients()[1].ID {
		t.Fatalf("not two nodes: %v", n.Clients())
	}
	dir := t.TempDir()
	register(t, n, script("outlive", waiter, dir))
	alloc := waitAlloc(t, n, "outlive", api.AllocClientStatusRunning)
	pid := readPid(t, dir)
	client := clientOf(t, n, alloc)

	before := client.Pid()
	if err := client.Kill(); err != nil {
		t.Fatal(err)
	}
	if client.Running() || !runs(pid) {
		t.Fatalf("after the kill the client runs: %v, its task: %v", client.Running(), runs(pid))
	}
	if err := client.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if client.Pid() == before {
		t.Error("the client was not restarted")
	}
	if err := n.Server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := waitAlloc(t, n, "outlive", api.AllocClientStatusRunning); got.ID != alloc.ID || !runs(pid) {
		t.Errorf("the task was not attached again: allocation %s, then %s; pid %d runs: %v", alloc.ID, got.ID, pid, runs(pid))
	}
	touch(t, filepath.Join(dir, "end"))
	got := waitAlloc(t, n, "outlive", api.AllocClientStatusFailed)
	if code := exitCode(got); code != 7 {
		t.Errorf("the exit code is %d, want 7", code)
	}
}

// TestDrain ends a task by SIGTERM and places none on a node that is drained.
func TestDrain(t *testing.T) {
	t.Parallel()
	n := clustertest.Nomad(t, testcluster.NomadOptions{})
	dirs := []string{t.TempDir(), t.TempDir()}
	register(t, n, script("drained", waiter, dirs[0]))
	first := waitAlloc(t, n, "drained", api.AllocClientStatusRunning)
	readPid(t, dirs[0])
	from := clientOf(t, n, first)
	if err := from.Drain(time.Second); err != nil {
		t.Fatal(err)
	}
	ended := wait(t, n, "drained", func(a *api.AllocationListStub) bool { return a.ID == first.ID && a.ClientStatus != "running" })
	if code := exitCode(ended); code != 75 {
		t.Errorf("the task on the drained node ended with %d, want 75", code)
	}
	register(t, n, script("later", waiter, dirs[1]))
	if second := waitAlloc(t, n, "later", api.AllocClientStatusRunning); second.NodeID == first.NodeID {
		t.Errorf("a task was placed on the drained node %s", first.NodeName)
	}
	if err := from.Enable(); err != nil {
		t.Fatal(err)
	}
	node, _, err := n.API().Nodes().Info(from.ID, nil)
	if err != nil || node.SchedulingEligibility != api.NodeSchedulingEligible || node.Drain {
		t.Errorf("after the drain: %v, %v", node, err)
	}
}

// TestPartition cuts a client off, by its port and by freezing it, and finds the task
// unknown, running, and known again.
func TestPartition(t *testing.T) {
	t.Parallel()
	n := clustertest.Nomad(t, testcluster.NomadOptions{DownAfter: 5 * time.Second})
	dir := t.TempDir()
	register(t, n, script("apart", waiter, dir))
	alloc := waitAlloc(t, n, "apart", api.AllocClientStatusRunning)
	pid := readPid(t, dir)
	client := clientOf(t, n, alloc)
	for _, way := range []struct {
		name        string
		apart, back func() error
	}{
		{"cut", func() error { client.Cut(); return nil }, func() error { client.Mend(); return nil }},
		{"frozen", client.Freeze, client.Thaw},
	} {
		if err := way.apart(); err != nil {
			t.Fatal(err)
		}
		waitNode(t, client, api.NodeStatusDisconnected)
		if got := waitAlloc(t, n, "apart", api.AllocClientStatusUnknown); got.ID != alloc.ID || !runs(pid) {
			t.Errorf("%s: allocation %s, then %s; its task runs: %v", way.name, alloc.ID, got.ID, runs(pid))
		}
		if err := way.back(); err != nil {
			t.Fatal(err)
		}
		waitNode(t, client, api.NodeStatusReady)
		if got := waitAlloc(t, n, "apart", api.AllocClientStatusRunning); got.ID != alloc.ID || !runs(pid) {
			t.Errorf("%s and back: allocation %s, then %s; its task runs: %v", way.name, alloc.ID, got.ID, runs(pid))
		}
	}
	if all := allocs(t, n, "apart"); len(all) != 1 {
		t.Errorf("%d allocations, want the one", len(all))
	}
}

// TestGPUs places jobs on GPUs that do not exist: they queue for them, get different
// ones, and what can never fit is told from what has to wait.
func TestGPUs(t *testing.T) {
	t.Parallel()
	n := clustertest.Nomad(t, testcluster.NomadOptions{Clients: []testcluster.ClientOptions{
		{}, {GPUs: []testcluster.GPU{{Model: "H100", Count: 2, MemoryMiB: 81559}, {Model: "T4", Count: 1, MemoryMiB: 15360}}},
	}})
	onGPU := func(name, dir string, count uint64, constraints ...*api.Constraint) *api.Job {
		job := script(name, `echo $NVIDIA_VISIBLE_DEVICES > $dir/gpu; `+waiter, dir)
		job.TaskGroups[0].Tasks[0].Resources.Devices = []*api.RequestedDevice{{Name: "nvidia/gpu", Count: &count, Constraints: constraints}}
		return job
	}
	large := api.NewConstraint("${device.attr.memory}", ">=", "40 GiB")
	dirs := map[string]string{"gpu-1": t.TempDir(), "gpu-2": t.TempDir(), "gpu-3": t.TempDir()}
	seen := map[string]bool{}
	for _, name := range []string{"gpu-1", "gpu-2"} {
		register(t, n, onGPU(name, dirs[name], 1, large))
		waitAlloc(t, n, name, api.AllocClientStatusRunning)
		readPid(t, dirs[name])
		b, err := os.ReadFile(filepath.Join(dirs[name], "gpu"))
		if err != nil {
			t.Fatal(err)
		}
		seen[strings.TrimSpace(string(b))] = true
	}
	if !seen["0"] || !seen["1"] {
		t.Errorf("the tasks see the GPUs %v, want 0 and 1", seen)
	}
	if m := plan(t, n, onGPU("gpu-3", dirs["gpu-3"], 1, large)); m == nil || m.NodesExhausted == 0 {
		t.Errorf("a third has to wait, and the plan says %+v", m)
	}
	register(t, n, onGPU("gpu-3", dirs["gpu-3"], 1, large))
	touch(t, filepath.Join(dirs["gpu-1"], "end"))
	waitAlloc(t, n, "gpu-3", api.AllocClientStatusRunning)

	for _, never := range []struct {
		name string
		job  *api.Job
	}{
		{"four of a kind", onGPU("never", dirs["gpu-3"], 4)},
		{"another model", onGPU("never", dirs["gpu-3"], 1, api.NewConstraint("${device.model}", "=", "B200"))},
		{"more memory", onGPU("never", dirs["gpu-3"], 1, api.NewConstraint("${device.attr.memory}", ">=", "100 GiB"))},
	} {
		m := plan(t, n, never.job)
		if m == nil || m.NodesExhausted != 0 || m.NodesFiltered != m.NodesEvaluated {
			t.Errorf("%s can never be, and the plan says %+v", never.name, m)
		}
	}
	if m := plan(t, n, onGPU("small", dirs["gpu-3"], 1)); m != nil {
		t.Errorf("the small GPU is free, and the plan says %+v", m)
	}
}

// TestCollectGarbage forgets a job that has just ended.
func TestCollectGarbage(t *testing.T) {
	t.Parallel()
	n := clustertest.Nomad(t, testcluster.NomadOptions{})
	register(t, n, script("brief", "exit 0", t.TempDir()))
	waitAlloc(t, n, "brief", api.AllocClientStatusComplete)
	for end := time.Now().Add(patience); ; {
		if err := n.CollectGarbage(); err != nil {
			t.Fatal(err)
		}
		_, _, err := n.API().Jobs().Info("brief", nil)
		if response := (api.UnexpectedResponseError{}); errors.As(err, &response) && response.StatusCode() == 404 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the job is still there: %v", err)
		}
		time.Sleep(50 * time.Millisecond) // a collection has no end to wait for
	}
}

// TestACL refuses who has no token and serves who has.
func TestACL(t *testing.T) {
	t.Parallel()
	n := clustertest.Nomad(t, testcluster.NomadOptions{ACL: true, Clients: []testcluster.ClientOptions{{NodePool: "gold", Meta: map[string]string{"rack": "r1"}}}})
	stranger, err := api.NewClient(&api.Config{Address: n.Address()})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := stranger.Jobs().List(nil); err == nil || !strings.Contains(err.Error(), "403") {
		t.Errorf("without a token: %v, want a 403", err)
	}
	node, _, err := n.API().Nodes().Info(n.Clients()[0].ID, nil)
	if err != nil || node.NodePool != "gold" || node.Meta["rack"] != "r1" {
		t.Errorf("the node is %v, %v", node, err)
	}
	if !slices.Contains(n.Env(), "NOMAD_TOKEN="+n.Token) || n.Token == "" {
		t.Error("the environment lacks the token")
	}
}

// TestNothingIsLeft ends a cluster with a task whose client is dead, one that ignores
// SIGTERM, and one that left a child in a session of its own.
func TestNothingIsLeft(t *testing.T) {
	t.Parallel()
	dirs := []string{t.TempDir(), t.TempDir()}
	var dir string
	var pids []int
	t.Run("cluster", func(t *testing.T) {
		c := clustertest.Start(t, testcluster.Options{})
		dir = c.Dir()
		n, err := c.StartNomad(t.Context(), testcluster.NomadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		orphan := script("orphan", waiter, dirs[0])
		deaf := script("deaf", `setsid sh -c 'echo $$ > $dir/child; sleep 1000' > /dev/null 2>&1 & trap '' TERM; `+strings.Replace(waiter, "exit 75", "", 1), dirs[1])
		for i, job := range []*api.Job{orphan, deaf} {
			register(t, n, job.Constrain(api.NewConstraint("${node.unique.name}", "=", n.Clients()[i].Name)))
			waitAlloc(t, n, *job.ID, api.AllocClientStatusRunning)
		}
		pids = append(pids, readPid(t, dirs[0]), readPid(t, dirs[1]), readPidFile(t, filepath.Join(dirs[1], "child")))
		if err := n.Clients()[0].Kill(); err != nil {
			t.Fatal(err)
		}
		if mounts, err := testcluster.Mounts(dir); err != nil || os.Getuid() == 0 && len(mounts) == 0 {
			t.Errorf("the test tests little: there are no mounts, %v", err)
		}
	})
	nothingLeft(t, dir, pids)
}

// ownerVariable makes the test's binary the owner of a cluster that is killed.
const ownerVariable = "TENFOLD_TEST_OWNER"

// TestOwnerKilled kills the process that owns a cluster: its agents die with it, and
// its tasks at the next start.
func TestOwnerKilled(t *testing.T) {
	if dir := os.Getenv(ownerVariable); dir != "" {
		ownUntilKilled(t, dir)
	}
	t.Parallel()
	dir := t.TempDir()
	c := clustertest.Start(t, testcluster.Options{})
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	work, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	owner, err := c.Start(t.Context(), testcluster.Command{
		Name: "owner", Path: self, Args: []string{"-test.run", "^TestOwnerKilled$"}, Dir: work, Env: []string{ownerVariable + "=" + dir},
		Ready: func(context.Context, *testcluster.Process) error {
			_, err := os.Stat(filepath.Join(dir, "ready"))
			return err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, name := range []string{"pid", "server", "client"} {
		pids = append(pids, readPidFile(t, filepath.Join(dir, name)))
	}
	b, err := os.ReadFile(filepath.Join(dir, "ready"))
	if err != nil {
		t.Fatal(err)
	}
	if err := owner.Kill(); err != nil {
		t.Fatal(err)
	}
	for _, agent := range pids[1:] {
		until(t, "the agents to die with their owner", func() bool { return !runs(agent) })
	}
	until(t, "the sweeping up", func() bool {
		if err := testcluster.SweepUp(slog.New(slog.DiscardHandler)); err != nil {
			t.Fatal(err)
		}
		_, err := os.Stat(string(b))
		return err != nil // another test's start may be at it, too
	})
	nothingLeft(t, string(b), pids)
}

func ownUntilKilled(t *testing.T, dir string) {
	c := clustertest.Start(t, testcluster.Options{})
	n, err := c.StartNomad(t.Context(), testcluster.NomadOptions{Clients: []testcluster.ClientOptions{{}}})
	if err != nil {
		t.Fatal(err)
	}
	register(t, n, script("left", waiter, dir))
	waitAlloc(t, n, "left", api.AllocClientStatusRunning)
	readPid(t, dir)
	for name, pid := range map[string]int{"server": n.Server.Pid(), "client": n.Clients()[0].Pid()} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(strconv.Itoa(pid)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "new"), []byte(c.Dir()), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(dir, "new"), filepath.Join(dir, "ready")); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Hour) // until it is killed
}

// nothingLeft checks what a cluster has left.
func nothingLeft(t *testing.T, dir string, pids []int) {
	t.Helper()
	for _, pid := range pids {
		until(t, "processes to be reaped", func() bool { return !runs(pid) })
	}
	if left, err := testcluster.Running(dir); err != nil || len(left) > 0 {
		t.Errorf("processes are left: %v, %v", left, err)
	}
	if left, err := testcluster.Mounts(dir); err != nil || len(left) > 0 {
		t.Errorf("mounts are left: %v, %v", left, err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder is left: %v", err)
	}
}

// script makes a batch job with one task, which is not started again but by us, and
// comes back after a partition. It finds a folder of its own in $dir.
func script(name, text, dir string) *api.Job {
	task := api.NewTask("task", "raw_exec").SetConfig("command", "/bin/sh").SetConfig("args", []string{"-c", text})
	task.Env = map[string]string{"dir": dir}
	timeout := time.Second
	task.KillSignal, task.KillTimeout = "SIGTERM", &timeout
	cpu, memory := 50, 32
	task.Resources = &api.Resources{CPU: &cpu, MemoryMB: &memory}
	attempts, never, lostAfter, reconcile := 0, false, 5*time.Minute, "keep_original"
	mode := "fail"
	group := api.NewTaskGroup("group", 1).AddTask(task)
	group.RestartPolicy = &api.RestartPolicy{Attempts: &attempts, Mode: &mode}
	group.ReschedulePolicy = &api.ReschedulePolicy{Attempts: &attempts, Unlimited: &never}
	group.Disconnect = &api.DisconnectStrategy{LostAfter: &lostAfter, Replace: &never, Reconcile: &reconcile}
	job := api.NewBatchJob(name, name, "global", 50).AddTaskGroup(group)
	job.Datacenters = []string{"*"}
	return job
}

func register(t *testing.T, n *testcluster.Nomad, job *api.Job) {
	t.Helper()
	if _, _, err := n.API().Jobs().Register(job, nil); err != nil {
		t.Fatalf("registering %s: %v", *job.ID, err)
	}
}

// plan returns why a job cannot be placed now, or nil.
func plan(t *testing.T, n *testcluster.Nomad, job *api.Job) *api.AllocationMetric {
	t.Helper()
	response, _, err := n.API().Jobs().Plan(job, false, nil)
	if err != nil {
		t.Fatalf("planning %s: %v", *job.ID, err)
	}
	return response.FailedTGAllocs["group"]
}

func allocs(t *testing.T, n *testcluster.Nomad, job string) []*api.AllocationListStub {
	t.Helper()
	all, _, err := n.API().Jobs().Allocations(job, true, nil)
	if err != nil {
		t.Fatalf("allocations of %s: %v", job, err)
	}
	return all
}

// wait waits for an allocation of a job that is as wanted.
func wait(t *testing.T, n *testcluster.Nomad, job string, wanted func(*api.AllocationListStub) bool) *api.AllocationListStub {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	query := (&api.QueryOptions{WaitTime: time.Second}).WithContext(ctx)
	var last string
	for {
		all, meta, err := n.API().Jobs().Allocations(job, true, query)
		if err != nil {
			t.Fatalf("waiting for an allocation of %s: %v; there are:%s", job, err, last)
		}
		last = ""
		for _, a := range all {
			if wanted(a) {
				return a
			}
			last += fmt.Sprintf("\n%s on %s: %s, %s", a.ID, a.NodeName, a.ClientStatus, a.ClientDescription)
			for _, state := range a.TaskStates {
				for _, event := range state.Events {
					last += "\n    " + event.DisplayMessage
				}
			}
		}
		query.WaitIndex = meta.LastIndex
	}
}

func waitAlloc(t *testing.T, n *testcluster.Nomad, job, status string) *api.AllocationListStub {
	t.Helper()
	return wait(t, n, job, func(a *api.AllocationListStub) bool { return a.ClientStatus == status })
}

func waitNode(t *testing.T, c *testcluster.Client, status string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := c.WaitStatus(ctx, status); err != nil {
		t.Fatal(err)
	}
}

func clientOf(t *testing.T, n *testcluster.Nomad, alloc *api.AllocationListStub) *testcluster.Client {
	t.Helper()
	for _, c := range n.Clients() {
		if c.ID == alloc.NodeID {
			return c
		}
	}
	t.Fatalf("no client is node %s", alloc.NodeID)
	return nil
}

// exitCode returns the code of an allocation's task, or -1.
func exitCode(alloc *api.AllocationListStub) int {
	for _, event := range alloc.TaskStates["task"].Events {
		if event.Type == api.TaskTerminated {
			return event.ExitCode
		}
	}
	return -1
}

func readPid(t *testing.T, dir string) int {
	t.Helper()
	return readPidFile(t, filepath.Join(dir, "pid"))
}

// readPidFile waits for a process to say its number.
func readPidFile(t *testing.T, file string) int {
	t.Helper()
	pid := 0
	until(t, "the process to say its number in "+filepath.Base(file), func() bool {
		b, err := os.ReadFile(file)
		if err == nil {
			pid, err = strconv.Atoi(strings.TrimSpace(string(b)))
		}
		return err == nil
	})
	return pid
}

// until asks again and again: files and other processes' children cannot be waited for.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited %s for %s", patience, what)
		}
	}
}

// runs says whether a process runs; one that nobody has reaped does not.
func runs(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	return !strings.HasPrefix(rest, "Z")
}

func touch(t *testing.T, file string) {
	t.Helper()
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
}
