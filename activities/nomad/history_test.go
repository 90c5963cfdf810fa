package nomad

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/tenfold-ml/tenfold/activities"
)

// story is what Nomad tells of a job, in order.
type story []any // jobRecord or allocation

// taskEvent is the event of a trainer's end.
func taskEvent(code, signal string) *api.TaskState {
	return &api.TaskState{State: taskDead, StartedAt: time.Unix(1, 0), Events: []*api.TaskEvent{
		{Type: api.TaskStarted}, {Type: api.TaskTerminated, Details: map[string]string{"exit_code": code, "signal": signal}}, {Type: api.TaskKilled},
	}}
}

func states(t *api.TaskState) map[string]*api.TaskState {
	return map[string]*api.TaskState{taskName: t}
}

var up = states(&api.TaskState{State: "running", StartedAt: time.Unix(1, 0)})

func TestStories(t *testing.T) {
	t.Parallel()
	job := func(index uint64, status string, stop bool) jobRecord {
		return jobRecord{ID: "j", Status: status, Stop: stop, CreateIndex: 1, ModifyIndex: index}
	}
	alloc := func(id string, created, index uint64, desired, client string, tasks map[string]*api.TaskState) allocation {
		return allocation{ID: id, JobID: "j", NodeName: "n1", DesiredStatus: desired, ClientStatus: client, CreateIndex: created, ModifyIndex: index, TaskStates: tasks}
	}
	moved := func(a allocation) allocation {
		a.DesiredTransition.Migrate = ref(true)
		return a
	}
	described := func(a allocation, why string) allocation { a.DesiredDescription = why; return a }
	for name, tc := range map[string]struct {
		story      story
		stopped    bool
		want       activities.Exit
		ends       bool
		unknown    bool
		deregister bool // somebody has to, at some time
	}{
		"queued":  {story: story{job(1, "pending", false)}},
		"running": {story: story{job(1, "running", false), alloc("a", 2, 2, "run", "running", up)}},
		"ends": {
			story: story{job(1, "running", false), alloc("a", 2, 2, "run", "running", up), alloc("a", 2, 3, "run", "failed", states(taskEvent("64", "0"))), job(4, "dead", false)},
			ends:  true, want: activities.Exit{Code: 64},
		},
		"killed": {
			story: story{job(1, "running", false), alloc("a", 2, 3, "run", "failed", states(taskEvent("137", "9")))},
			ends:  true, want: activities.Exit{Code: -1, Signal: 9},
		},
		"stopped by somebody": {
			story: story{job(1, "running", false), alloc("a", 2, 2, "run", "running", up), job(3, "running", true),
				described(alloc("a", 2, 4, "stop", "running", up), "alloc not needed due to job update"),
				described(alloc("a", 2, 5, "stop", "complete", states(taskEvent("75", "0"))), "alloc not needed due to job update"), job(6, "dead", true)},
			ends: true, want: activities.Exit{Code: 75, Stopped: true},
		},
		"stopped and still going": {
			story: story{job(1, "running", false), alloc("a", 2, 2, "run", "running", up), job(3, "dead", true), alloc("a", 2, 4, "stop", "running", up)},
		},
		"stopped while queued": {
			story: story{job(1, "pending", false), job(2, "dead", true)}, ends: true,
			want: activities.Exit{Code: -1, Stopped: true},
		},
		"drained": {
			story: story{job(1, "running", false), alloc("a", 2, 2, "run", "running", up),
				moved(alloc("a", 2, 3, "stop", "running", up)), alloc("b", 3, 3, "run", "pending", nil),
				moved(alloc("a", 2, 4, "stop", "complete", states(taskEvent("75", "0")))), alloc("b", 3, 5, "run", "running", up),
				job(6, "dead", true), alloc("b", 3, 7, "stop", "complete", states(taskEvent("0", "0")))},
			ends: true, want: activities.Exit{Code: 75}, deregister: true,
		},
		"preempted": {
			story: story{job(1, "running", false), alloc("a", 2, 2, "run", "running", up), alloc("a", 2, 3, "evict", "running", up),
				alloc("a", 2, 4, "evict", "complete", states(taskEvent("75", "0"))), job(5, "dead", true)},
			ends: true, want: activities.Exit{Code: 75}, deregister: true,
		},
		"preempted, and what may follow it not yet called off": {
			story:      story{job(1, "running", false), alloc("a", 2, 4, "evict", "complete", states(taskEvent("75", "0")))},
			deregister: true,
		},
		"away": {story: story{job(1, "running", false), alloc("a", 2, 2, "run", "unknown", up)}},
		"away and back": {
			story: story{job(1, "running", false), alloc("a", 2, 2, "run", "unknown", up), alloc("a", 2, 3, "run", "running", up), alloc("a", 2, 4, "run", "complete", states(taskEvent("0", "0")))},
			ends:  true, want: activities.Exit{},
		},
		"lost": {
			story: story{job(1, "running", false), alloc("a", 2, 2, "run", "unknown", up), alloc("a", 2, 3, "stop", "lost", up), job(4, "dead", true)},
			ends:  true, want: activities.Exit{Code: -1}, deregister: true,
		},
		"stopped while away": {
			story:   story{job(1, "running", false), alloc("a", 2, 2, "run", "unknown", up), job(3, "dead", true), alloc("a", 2, 4, "stop", "unknown", up)},
			stopped: true, ends: true, want: activities.Exit{Code: -1, Stopped: true},
		},
		"collected before anybody looked": {story: story{job(1, "dead", false)}, ends: true, unknown: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(200) {
				h := history{attempt: 3, stopped: tc.stopped}
				asked := false
				tell := func(what any) {
					switch v := what.(type) {
					case jobRecord:
						h.record(v)
					case allocation:
						h.allocated(&v)
					}
					asked = asked || h.deregister() && !tc.stopped
				}
				// In order, as events come; then in any order and again, as lists and
				// replays do.
				for _, what := range tc.story {
					tell(what)
				}
				first, firstKnown, firstEnds := h.ended()
				r := rand.New(rand.NewPCG(seed, 1))
				for range 2 * len(tc.story) {
					tell(tc.story[r.IntN(len(tc.story))])
				}
				shuffled := history{attempt: 3, stopped: tc.stopped}
				for _, i := range r.Perm(len(tc.story)) {
					switch v := tc.story[i].(type) {
					case jobRecord:
						shuffled.record(v)
					case allocation:
						shuffled.allocated(&v)
					}
				}
				for _, other := range []*history{&h, &shuffled} {
					exit, known, ends := other.ended()
					if exit != first || known != firstKnown || ends != firstEnds {
						t.Fatalf("seed %d: told again %+v, %v, %v; first %+v, %v, %v", seed, exit, known, ends, first, firstKnown, firstEnds)
					}
				}
				if firstEnds != tc.ends || firstEnds && firstKnown == tc.unknown {
					t.Fatalf("ends %v, known %v; want ends %v, known %v", firstEnds, firstKnown, tc.ends, !tc.unknown)
				}
				if asked != tc.deregister {
					t.Fatalf("asked to deregister: %v, want %v", asked, tc.deregister)
				}
				if !tc.ends || tc.unknown {
					continue
				}
				if (first.Code == -1 && first.Signal == 0) != (first.Reason != "") {
					t.Errorf("exit %+v: a reason stands for code and signal", first)
				}
				first.Reason = ""
				tc.want.Attempt = 3
				if first != tc.want {
					t.Fatalf("exit %+v, want %+v", first, tc.want)
				}
			}
		})
	}
}

func TestForgottenJob(t *testing.T) {
	t.Parallel()
	h := history{attempt: 1}
	h.record(jobRecord{ID: "j", Status: "running", ModifyIndex: 1})
	h.allocated(&allocation{ID: "a", DesiredStatus: "run", ClientStatus: "running", ModifyIndex: 2, TaskStates: up})
	h.vanished()
	if _, known, ended := h.ended(); known || !ended {
		t.Errorf("known %v, ended %v; want an end that nobody knows", known, ended)
	}
}

func TestExits(t *testing.T) {
	t.Parallel()
	event := func(kind string, e api.TaskEvent) *allocation {
		e.Type = kind
		return &allocation{NodeName: "n1", ClientStatus: "failed", TaskStates: states(&api.TaskState{State: taskDead, Events: []*api.TaskEvent{{Type: api.TaskReceived}, &e}})}
	}
	for name, tc := range map[string]struct {
		a          *allocation
		reason     string
		code, sig  int
		notStarted bool
	}{
		"code":            {a: event(api.TaskTerminated, api.TaskEvent{Details: map[string]string{"exit_code": "65", "signal": "0"}}), code: 65},
		"code of old":     {a: event(api.TaskTerminated, api.TaskEvent{ExitCode: 65}), code: 65},
		"out of memory":   {a: event(api.TaskTerminated, api.TaskEvent{Details: map[string]string{"exit_code": "137", "signal": "9", "oom_killed": "true"}}), code: -1, reason: "memory"},
		"executor killed": {a: event(api.TaskTerminated, api.TaskEvent{Details: map[string]string{"exit_code": "-1", "signal": "0", "exit_message": "executor: plugin shut down"}}), code: -1, reason: "plugin shut down"},
		"no command":      {a: event(api.TaskDriverFailure, api.TaskEvent{DisplayMessage: `binary "x" could not be found`}), code: -1, reason: "could not be found", notStarted: true},
		"driver trouble":  {a: event(api.TaskDriverFailure, api.TaskEvent{DisplayMessage: "the daemon is away"}), code: -1, reason: "the daemon is away"},
		"no artifact":     {a: event(api.TaskArtifactDownloadFailed, api.TaskEvent{DisplayMessage: "checksums did not match"}), code: -1, reason: "checksums did not match"},
		"never started":   {a: event("Killing", api.TaskEvent{DisplayMessage: "Sent interrupt"}), code: -1, reason: "sent interrupt"},
		"nothing":         {a: &allocation{ClientStatus: "failed"}, code: -1, reason: "before it was started"},
		"lost":            {a: &allocation{ClientStatus: "lost", NodeName: "n7"}, code: -1, reason: "n7"},
	} {
		got := exitOf(tc.a)
		if got.Code != tc.code || got.Signal != tc.sig || got.NotStarted != tc.notStarted ||
			(tc.reason == "") != (got.Reason == "") || !strings.Contains(got.Reason, tc.reason) {
			t.Errorf("%s: %+v, want code %d and a reason with %q", name, got, tc.code, tc.reason)
		}
	}
}
