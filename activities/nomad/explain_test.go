package nomad

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/hashicorp/nomad/api"

	"github.com/tenfold-ml/tenfold/activities"
)

func TestMisfits(t *testing.T) {
	t.Parallel()
	job := described(t, wholeSpec(), wholeJob())
	for name, tc := range map[string]struct {
		metric *api.AllocationMetric
		never  bool
		want   string
	}{
		"no such gpu":  {&api.AllocationMetric{NodesEvaluated: 3, NodesFiltered: 3, ConstraintFiltered: map[string]int{"missing devices": 3}}, true, "of 3 nodes, 3 nodes: no 2 × nvidia/gpu on one node with ${device.attr.memory} >= 40 GiB"},
		"gpus taken":   {&api.AllocationMetric{NodesEvaluated: 3, NodesFiltered: 2, NodesExhausted: 1, ConstraintFiltered: map[string]int{"missing devices": 2}, DimensionExhausted: map[string]int{"devices: no devices match request": 1}}, false, "all 2 × nvidia/gpu"},
		"memory taken": {&api.AllocationMetric{NodesEvaluated: 1, NodesExhausted: 1, DimensionExhausted: map[string]int{"memory": 1}}, false, "all memory taken"},
		"quota":        {&api.AllocationMetric{NodesEvaluated: 1, NodesFiltered: 1, QuotaExhausted: []string{"gpu"}}, false, "quota gpu"},
		"driver":       {&api.AllocationMetric{NodesEvaluated: 1, NodesFiltered: 1, ConstraintFiltered: map[string]int{"missing drivers": 1}}, true, "driver raw_exec"},
		"no node":      {&api.AllocationMetric{NodePool: "gpu"}, false, "no node in pool gpu"},
		"nothing":      {nil, false, "does not say"},
	} {
		reason, never := misfit(tc.metric, job)
		if never != tc.never || !strings.Contains(reason, tc.want) || strings.Contains(reason, "\n") {
			t.Errorf("%s: %q, %v; want %q, %v", name, reason, never, tc.want, tc.never)
		}
	}
}

func TestTooLarge(t *testing.T) {
	t.Parallel()
	job := described(t, wholeSpec(), wholeJob()) // 3072 MiB, 2 cores
	node := func(memory int64, cores int) (n capacity) {
		n.NodeResources.Memory.MemoryMB = memory
		n.NodeResources.Cpu.ReservableCpuCores = make([]uint16, cores)
		return n
	}
	all := &api.AllocationMetric{DimensionExhausted: map[string]int{"memory": 1, "cores": 1}}
	if reason, never := tooLarge(job, []capacity{node(4096, 1), node(1024, 4)}, all); never {
		t.Errorf("each fits somewhere: %q", reason)
	}
	if reason, never := tooLarge(job, []capacity{node(2048, 1), node(1024, 4)}, all); !never || !strings.Contains(reason, "3072 MiB of memory, and the largest node has 2048") {
		t.Errorf("%q, %v", reason, never)
	}
}

// TestErrors asks a server that only refuses.
func TestErrors(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		code            int
		body            string
		passing, denied bool
	}{
		"no leader":      {500, "No cluster leader", true, false},
		"rpc":            {500, "rpc error: failed to get conn: dial tcp: connection refused", true, false},
		"too many":       {429, "", true, false},
		"gateway":        {502, "", true, false},
		"bad job":        {500, "1 error occurred: * Task group trial validation failed", false, false},
		"bad request":    {400, "Request body is empty", false, false},
		"no such thing":  {404, "job not found", false, false},
		"no permission":  {403, "Permission denied", false, true},
		"no such region": {500, "No path to region", true, false},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(tc.code)
			fmt.Fprint(w, tc.body)
		}))
		client, err := api.NewClient(&api.Config{Address: server.URL})
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = client.Jobs().List(nil)
		client.Close()
		server.Close()
		err = denied(err, server.URL)
		if passing(err) != tc.passing || errors.Is(err, activities.ErrDenied) != tc.denied {
			t.Errorf("%s: passing %v, denied %v; want %v, %v", name, passing(err), errors.Is(err, activities.ErrDenied), tc.passing, tc.denied)
		}
		if tc.denied && !strings.Contains(err.Error(), "NOMAD_TOKEN") {
			t.Errorf("%v: what is to be done?", err)
		}
	}
	if !passing(errors.New("dial tcp: connection refused")) {
		t.Error("nobody answers, and that is for good")
	}
}
