package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"

	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/workflows"
)

// known is a sweep that the server knows: the latest execution of its workflow.
type known struct {
	id   string
	info *workflowpb.WorkflowExecutionInfo
	// started is the start of the first of the executions that continue each other.
	started time.Time
}

func (k known) open() bool {
	return k.info.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING
}

// store is the URL of the store that the sweep was started with, if that was said.
func (k known) store() string { return memoValue[string](k.info, memoStore) }

// strange says that the sweep has another store than the one at a URL.
func (k known) strange(u string) bool { return k.store() != "" && k.store() != u }

// knownSweeps lists the sweeps of the server, those that go on first, and then
// the latest first.
func knownSweeps(ctx context.Context, conn *connection) ([]known, error) {
	infos, err := listSweeps(ctx, conn, fmt.Sprintf("WorkflowType = %q", workflows.SweepWorkflow))
	if err != nil {
		return nil, err
	}
	all, err := verify(ctx, conn, latest(infos))
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(all, func(a, b known) int {
		if a.open() == b.open() {
			return 0
		}
		if a.open() {
			return -1
		}
		return 1
	})
	return all, nil
}

// openSweeps lists the sweeps that have not ended.
func openSweeps(ctx context.Context, conn *connection) ([]known, error) {
	infos, err := listSweeps(ctx, conn, fmt.Sprintf("WorkflowType = %q AND ExecutionStatus = \"Running\"", workflows.SweepWorkflow))
	if err != nil {
		return nil, err
	}
	all, err := verify(ctx, conn, latest(infos))
	return slices.DeleteFunc(all, func(k known) bool { return !k.open() }), err
}

// strangers lists the unfinished sweeps of a queue that have another store than the
// one at a URL.
func strangers(ctx context.Context, conn *connection, queue, u string) ([]known, error) {
	all, err := openSweeps(ctx, conn)
	return slices.DeleteFunc(all, func(k known) bool { return k.info.GetTaskQueue() != queue || !k.strange(u) }), err
}

// latest makes sweeps of executions, the latest first: an execution that continues
// another one belongs to the same sweep.
func latest(infos []*workflowpb.WorkflowExecutionInfo) []known {
	slices.SortStableFunc(infos, func(a, b *workflowpb.WorkflowExecutionInfo) int {
		return b.GetStartTime().AsTime().Compare(a.GetStartTime().AsTime())
	})
	var all []known
	at := map[string]int{}     // in all
	begun := map[string]bool{} // the first of the sweep's executions was met
	for _, i := range infos {
		id := i.GetExecution().GetWorkflowId()
		continued := i.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW
		n, met := at[id]
		switch {
		case !met:
			at[id] = len(all)
			all = append(all, known{id, i, i.GetStartTime().AsTime()})
		case begun[id]:
		case continued:
			all[n].started = i.GetStartTime().AsTime()
		default: // ended before: that was another time
			begun[id] = true
		}
	}
	return all
}

// verify asks anew for those of the sweeps that have not ended by the list: they may
// have since.
func verify(ctx context.Context, conn *connection, listed []known) ([]known, error) {
	all := listed[:0]
	for _, k := range listed {
		if k.open() || k.info.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW {
			d, err := conn.client.DescribeWorkflowExecution(ctx, k.id, "")
			if gone(err) {
				continue
			}
			if err != nil {
				return nil, fmt.Errorf("look for sweep %s: %w", k.id, err)
			}
			k.info = d.GetWorkflowExecutionInfo()
		}
		all = append(all, k)
	}
	return all, nil
}

// awaitVisible waits a moment until the list knows that a sweep has ended: the server
// writes it there a little later, if it still runs.
func awaitVisible(ctx context.Context, conn *connection, id string) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	query := fmt.Sprintf("WorkflowId = %q AND ExecutionStatus = \"Running\"", id)
	for {
		if open, err := listSweeps(ctx, conn, query); err != nil || len(open) == 0 {
			return // nothing depends on it: see verify
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// listSweeps lists executions by Temporal's query language. The list lags behind what
// is, a little while the server runs, and for good while it does not.
func listSweeps(ctx context.Context, conn *connection, query string) ([]*workflowpb.WorkflowExecutionInfo, error) {
	var all []*workflowpb.WorkflowExecutionInfo
	var page []byte
	for {
		r, err := conn.client.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
			Namespace: conn.namespace, Query: query, PageSize: 200, NextPageToken: page,
		})
		if err != nil {
			return nil, fmt.Errorf("list the sweeps: %w", err)
		}
		all = append(all, r.GetExecutions()...)
		if page = r.GetNextPageToken(); len(page) == 0 {
			return all, nil
		}
	}
}

// findSweep finds the sweep that an argument means: its ID, or its name before the
// dash and the digits, or, for no argument, the one that goes on or was the last.
func findSweep(ctx context.Context, conn *connection, arg string) (string, error) {
	if id, err := exactly(ctx, conn, arg); id != "" || err != nil {
		return id, err
	}
	all, err := knownSweeps(ctx, conn)
	if err != nil {
		return "", err
	}
	return pick(arg, idsOf(all))
}

// findToControl is findSweep for commands that change something, so that it does not
// choose among unfinished sweeps of one name.
func findToControl(ctx context.Context, conn *connection, arg string) (string, error) {
	if id, err := exactly(ctx, conn, arg); id != "" || err != nil {
		return id, err
	}
	all, err := knownSweeps(ctx, conn)
	if err != nil {
		return "", err
	}
	var open []known
	for _, k := range all {
		if k.open() && nameOf(k.id) == arg {
			open = append(open, k)
		}
	}
	if len(open) > 1 {
		return "", userErrorf("%q may be %s; say which", arg, strings.Join(idsOf(open), " or "))
	}
	return pick(arg, idsOf(all))
}

// exactly returns arg if it is the ID of a sweep, else nothing. The list would lag a
// little behind a sweep that was started this instant.
func exactly(ctx context.Context, conn *connection, arg string) (string, error) {
	if arg == "" {
		return "", nil
	}
	_, err := conn.client.DescribeWorkflowExecution(ctx, arg, "")
	if err != nil && !gone(err) {
		return "", fmt.Errorf("look for sweep %s: %w", arg, err)
	}
	if err != nil {
		return "", nil
	}
	return arg, nil
}

func idsOf(all []known) []string {
	ids := make([]string, len(all))
	for i, k := range all {
		ids[i] = k.id
	}
	return ids
}

// pick chooses among IDs, of which the first is the default.
func pick(arg string, ids []string) (string, error) {
	if len(ids) == 0 {
		if arg != "" {
			return "", userErrorf("unknown sweep %q: there are no sweeps yet", arg)
		}
		return "", userErrorf(`there are no sweeps yet; "sweep run SPEC" starts one`)
	}
	if arg == "" {
		return ids[0], nil
	}
	for _, id := range ids {
		if id == arg || nameOf(id) == arg {
			return id, nil
		}
	}
	near, best := "", len(arg)/2+2
	for _, id := range ids {
		if d := min(distance(arg, id), distance(arg, nameOf(id))); d < best {
			near, best = id, d
		}
	}
	if near != "" {
		return "", userErrorf("unknown sweep %q; did you mean %q?", arg, near)
	}
	return "", userErrorf(`unknown sweep %q; "sweep list" shows all`, arg)
}

// nameOf is a sweep's name without the digits of its spec.
func nameOf(id string) string {
	if i := strings.LastIndexByte(id, '-'); i > 0 {
		return id[:i]
	}
	return id
}

// storedSweeps lists the sweeps that the store has something of.
func storedSweeps(ctx context.Context, store *storage.Store) ([]string, error) {
	ids := map[string]bool{}
	for o, err := range store.Backend().List(ctx, "sweeps") {
		if err != nil {
			return nil, storeError(store.URL(), err)
		}
		if parts := strings.Split(o.Key, "/"); len(parts) > 2 {
			ids[parts[1]] = true
		}
	}
	return slices.Sorted(maps.Keys(ids)), nil
}

// distance is Levenshtein's.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}

// memoValue and phaseAttribute read what a workflow carries with it; the zero value
// says that it does not.
func memoValue[T any](i *workflowpb.WorkflowExecutionInfo, key string) T {
	var v, none T
	if p, ok := i.GetMemo().GetFields()[key]; ok {
		if err := converter.GetDefaultDataConverter().FromPayload(p, &v); err != nil {
			return none
		}
	}
	return v
}

func phaseAttribute(i *workflowpb.WorkflowExecutionInfo) workflows.Phase {
	var phase string
	if p, ok := i.GetSearchAttributes().GetIndexedFields()[workflows.PhaseSearchAttribute]; ok {
		if err := converter.GetDefaultDataConverter().FromPayload(p, &phase); err != nil {
			return ""
		}
	}
	return workflows.Phase(phase)
}
