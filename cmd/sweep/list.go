package main

import (
	"context"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/tenfold-ml/tenfold/internal/terminal"
	"github.com/tenfold-ml/tenfold/internal/workdir"
	"github.com/tenfold-ml/tenfold/workflows"
)

// listJSON is one element of the array that `list -o json` writes.
type listJSON struct {
	Sweep   string    `json:"sweep"`
	State   state     `json:"state"`
	Trials  int       `json:"trials,omitzero"`
	Started time.Time `json:"started"`
	Ended   time.Time `json:"ended,omitzero"`
}

func newListCommand(a *app) *cobra.Command {
	var output format
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the sweeps",
		Long:    "List the sweeps: those that go on first, then the latest first.",
		Example: `  sweep list
  sweep list -o json | jq -r '.[] | select(.state == "finished") | .sweep'`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			if !a.remote() && !workdir.Exists(a.dir) {
				return a.printList(nil, output)
			}
			return a.connected(ctx, "list", func(conn *connection) error {
				all, err := knownSweeps(ctx, conn)
				if err != nil {
					return err
				}
				rows := make([]listJSON, len(all))
				for i, k := range all {
					s, err := stateOf(ctx, conn, k)
					if err != nil {
						return err
					}
					rows[i] = listJSON{Sweep: k.id, State: s, Trials: memoValue[int](k.info, memoTrials), Started: k.started}
					if t := k.info.GetCloseTime(); t != nil {
						rows[i].Ended = t.AsTime()
					}
				}
				return a.printList(rows, output)
			})
		},
	}
	addFormat(cmd, &output)
	return cmd
}

func (a *app) printList(rows []listJSON, output format) error {
	if output == formatJSON {
		if rows == nil {
			rows = []listJSON{} // not null
		}
		return writeJSON(a.stdout, rows)
	}
	if len(rows) == 0 {
		return (&lineView{out: a.stdout}).print(`no sweeps yet; "sweep run SPEC" starts one`)
	}
	style := a.style()
	t := terminal.Table{Header: []string{"SWEEP", "STATE", "TRIALS", "STARTED", "TOOK"}, Right: []bool{false, false, true}}
	for _, r := range rows {
		took, trials := "", ""
		if !r.Ended.IsZero() {
			took = spell(r.Ended.Sub(r.Started))
		}
		if r.Trials > 0 {
			trials = strconv.Itoa(r.Trials)
		}
		t.Add(r.Sweep, stateWord(r.State, style), trials, r.Started.Local().Format("2006-01-02 15:04:05"), took)
	}
	return t.Write(a.stdout, style)
}

// stateOf is what the server knows of a sweep without a worker's help.
func stateOf(ctx context.Context, conn *connection, k known) (state, error) {
	if k.open() {
		if conn.embedded() {
			if at, err := conn.worked(k.info.GetTaskQueue()); err != nil {
				return "", err
			} else if !at {
				return stateStopped, nil
			}
		}
		if p := phaseAttribute(k.info); p != "" {
			return state(p), nil
		}
		return state(workflows.PhaseRunning), nil
	}
	switch k.info.GetStatus() {
	case enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED:
		return state(workflows.PhaseCancelled), nil
	case enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED:
		if p := phaseAttribute(k.info); p.Final() {
			return state(p), nil
		}
		var out workflows.SweepOutput
		if err := outcome(ctx, conn, k.id, k.info.GetExecution().GetRunId(), &out); err != nil {
			return "", err
		}
		return state(out.Verdict), nil
	}
	return state(workflows.PhaseFailed), nil
}
