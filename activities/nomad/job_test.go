package nomad

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/nomad/api"

	"github.com/tenfold-ml/tenfold/activities"
	"github.com/tenfold-ml/tenfold/sweeps"
)

func wholeSpec() sweeps.Nomad {
	return sweeps.Nomad{
		Driver: "raw_exec", Region: "global", Namespace: "ml", Datacenters: []string{"*"}, NodePool: "gpu", Priority: 40,
		Constraints: []sweeps.NomadConstraint{{Attribute: "${attr.cpu.arch}", Operator: "=", Value: "amd64"}},
		Affinities:  []sweeps.NomadAffinity{{Attribute: "${meta.rack}", Operator: "=", Value: "r1", Weight: 30}},
		Spread:      []sweeps.NomadSpread{{Attribute: "${node.datacenter}", Weight: 50}},
		GPU:         sweeps.NomadGPU{Name: "nvidia/gpu", Constraints: []sweeps.NomadConstraint{{Attribute: "${device.attr.memory}", Operator: ">=", Value: "40 GiB"}}},
		KillTimeout: sweeps.Duration(45 * time.Second), LostAfter: sweeps.Duration(time.Minute),
		Env:      map[string]string{"MODE": "fast", "TENFOLD_TRIAL": "overruled"},
		Vault:    sweeps.NomadVault{Role: "trainer"},
		Identity: sweeps.NomadIdentity{Name: "aws", Audience: []string{"sts"}, File: true, TTL: sweeps.Duration(time.Hour)},
		Disk:     200 << 20,
	}
}

func wholeJob() activities.Job {
	return activities.Job{
		Key:     activities.JobKey{Sweep: "mnist-0123abcd", Trial: "0123456789abcdef", Epochs: 20},
		Attempt: 3, Command: []string{"/opt/trainer", "train"}, Cores: 2, MemoryBytes: 3<<30 - 1, GPUs: 2,
		Env: map[string]string{"TENFOLD_STORE": "s3://b/p", "TENFOLD_TRIAL": "0123456789abcdef"},
	}
}

func described(t *testing.T, spec sweeps.Nomad, j activities.Job) *api.Job {
	t.Helper()
	job, err := jobOf(spec, j, program{command: j.Command})
	if err != nil {
		t.Fatal(err)
	}
	return job
}

func TestJobIsTheSameToTheByte(t *testing.T) {
	t.Parallel()
	var first string
	for range 20 {
		text, err := json.Marshal(described(t, wholeSpec(), wholeJob()))
		if err != nil {
			t.Fatal(err)
		}
		if first == "" {
			first = string(text)
		}
		if string(text) != first {
			t.Fatalf("jobs differ:\n%s\n%s", first, text)
		}
	}
	if strings.Contains(first, workerSecret) {
		t.Errorf("the job holds a secret of this process: %s", first)
	}
}

func TestJob(t *testing.T) {
	t.Parallel()
	job := described(t, wholeSpec(), wholeJob())
	g, task := job.TaskGroups[0], job.TaskGroups[0].Tasks[0]
	for what, pair := range map[string][2]any{
		"id":         {*job.ID, "tenfold-mnist-0123abcd-0123456789abcdef-20-a3"},
		"type":       {*job.Type, "batch"},
		"meta":       {job.Meta, map[string]string{"sweep": "mnist-0123abcd", "trial": "0123456789abcdef", "epochs": "20", "attempt": "3"}},
		"restart":    {*g.RestartPolicy.Attempts, 0},
		"reschedule": {[]any{*g.ReschedulePolicy.Attempts, *g.ReschedulePolicy.Unlimited}, []any{0, false}},
		"disconnect": {[]any{*g.Disconnect.LostAfter, *g.Disconnect.Replace, *g.Disconnect.Reconcile}, []any{time.Minute, false, api.ReconcileOptionKeepOriginal}},
		"signal":     {task.KillSignal, "SIGTERM"},
		"timeout":    {*task.KillTimeout, 45 * time.Second},
		"command":    {task.Config, map[string]any{"command": "/opt/trainer", "args": []string{"train"}}},
		"cores":      {*task.Resources.Cores, 2},
		"memory":     {*task.Resources.MemoryMB, 3072},
		"gpus":       {*task.Resources.Devices[0].Count, uint64(2)},
		"disk":       {*g.EphemeralDisk.SizeMB, 200},
		"env": {task.Env, map[string]string{
			"MODE": "fast", "TENFOLD_STORE": "s3://b/p", "TENFOLD_TRIAL": "0123456789abcdef", "TENFOLD_THREADS": "2",
			"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2", "TENFOLD_SCRATCH": "${NOMAD_ALLOC_DIR}/tmp",
		}},
	} {
		if diff := cmp.Diff(pair[1], pair[0]); diff != "" {
			t.Errorf("%s: %s", what, diff)
		}
	}
}

func TestAttempts(t *testing.T) {
	t.Parallel()
	k := wholeJob().Key
	for _, n := range []int{1, 7, 12345} {
		if got, ok := attemptOf(jobID(k, n), k); !ok || got != n {
			t.Errorf("attempt of %s: %d, %v", jobID(k, n), got, ok)
		}
	}
	for _, id := range []string{"", jobPrefix(k), jobPrefix(k) + "x", jobPrefix(k) + "+1", jobPrefix(k) + "01", jobPrefix(k) + "1-b", "x" + jobID(k, 1)} {
		if n, ok := attemptOf(id, k); ok {
			t.Errorf("%q is taken for attempt %d", id, n)
		}
	}
}

func TestJobspecIsMergedUnder(t *testing.T) {
	t.Parallel()
	spec := wholeSpec()
	spec.Jobspec = map[string]any{"Job": map[string]any{
		"Type": "service", "Priority": 99, "Meta": map[string]any{"team": "vision", "trial": "theirs"},
		"Constraints": []any{map[string]any{"LTarget": "${attr.kernel.name}", "Operand": "=", "RTarget": "linux"}},
		"TaskGroups": []any{map[string]any{
			"Count": 5, "RestartPolicy": map[string]any{"Attempts": 9, "RenderTemplates": true},
			"Tasks": []any{
				map[string]any{"User": "nobody", "Env": map[string]any{"MODE": "slow", "EXTRA": "1"}, "Resources": map[string]any{"CPU": 500, "MemoryMaxMB": 9000}},
				map[string]any{"Name": "sidecar", "Driver": "raw_exec", "Config": map[string]any{"command": "/bin/log"}},
			},
		}},
	}}
	job := described(t, spec, wholeJob())
	if len(job.TaskGroups) != 1 || len(job.TaskGroups[0].Tasks) != 2 {
		t.Fatalf("groups %+v, want one with two tasks", job.TaskGroups)
	}
	g := job.TaskGroups[0]
	i := slices.IndexFunc(g.Tasks, func(t *api.Task) bool { return t.Name == taskName })
	task := g.Tasks[i]
	for what, pair := range map[string][2]any{
		"ours":       {[]any{*job.Type, *job.Priority, *g.Count, *g.RestartPolicy.Attempts, *task.Resources.MemoryMB}, []any{"batch", 40, 1, 0, 3072}},
		"theirs":     {[]any{task.User, *task.Resources.CPU, *task.Resources.MemoryMaxMB, *g.RestartPolicy.RenderTemplates}, []any{"nobody", 500, 9000, true}},
		"meta":       {[]any{job.Meta["team"], job.Meta["trial"]}, []any{"vision", "0123456789abcdef"}},
		"env":        {[]any{task.Env["MODE"], task.Env["EXTRA"]}, []any{"fast", "1"}},
		"conditions": {len(job.Constraints), 2},
		"leader":     {task.Leader, true},
	} {
		if diff := cmp.Diff(pair[1], pair[0]); diff != "" {
			t.Errorf("%s: %s", what, diff)
		}
	}
	for name, own := range map[string]map[string]any{
		"unknown field": {"Prioritee": 1},
		"two groups":    {"TaskGroups": []any{map[string]any{"Name": "a"}, map[string]any{"Name": "b"}}},
		"wrong type":    {"Priority": "high"},
	} {
		spec.Jobspec = own
		if _, err := jobOf(spec, wholeJob(), program{command: []string{"x"}}); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want an error of one line", name, err)
		}
	}
}

func TestMergeOfNothingIsOurs(t *testing.T) {
	t.Parallel()
	plainly := described(t, wholeSpec(), wholeJob())
	spec := wholeSpec()
	spec.Jobspec = map[string]any{"Name": "whatever"}
	want, err := json.Marshal(plainly)
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(described(t, spec, wholeJob()))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("merging changed the job: %s", diff)
	}
}

func TestSources(t *testing.T) {
	t.Setenv("AWS_REGION", "")
	t.Setenv("AWS_DEFAULT_REGION", "")
	for store, want := range map[string]string{
		"s3://bucket/a/b?endpoint=http://127.0.0.1:9000&region=eu-1": "s3::http://127.0.0.1:9000/bucket/a/b/trainers/t-1?region=eu-1",
		"s3://bucket":                    "s3::https://s3.amazonaws.com/bucket/trainers/t-1",
		"s3://bucket/p?region=eu-west-1": "s3::https://bucket.s3.eu-west-1.amazonaws.com/p/trainers/t-1",
	} {
		got, err := sourceOf(store, "trainers/t-1")
		if err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", store, got, err, want)
		}
	}
}

func TestPolicy(t *testing.T) {
	t.Parallel()
	text, err := policyFor("s3://bucket/p", "0123456789abcdef")
	if err != nil {
		t.Fatal(err)
	}
	if !json.Valid([]byte(text)) || !strings.Contains(text, "arn:aws:s3:::bucket/p/trials/0123456789abcdef/*") || strings.Contains(text, `"arn:aws:s3:::bucket/*"`) {
		t.Errorf("policy %s", text)
	}
	if _, err := policyFor("file:///tmp/x", "0123456789abcdef"); err == nil {
		t.Error("credentials for a store of files")
	}
}
