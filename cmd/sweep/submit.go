package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tenfold-ml/tenfold/internal/workdir"
	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/workflows"
)

// submitJSON is the output of `submit -o json`.
type submitJSON struct {
	Sweep    string `json:"sweep"`
	Trials   int    `json:"trials"`
	Attached bool   `json:"attached"` // it had been submitted before and goes on
}

func newSubmitCommand(a *app) *cobra.Command {
	var output format
	cmd := &cobra.Command{
		Use:   "submit SPEC",
		Short: "Hand a sweep to those who work on sweeps",
		Long: `Hand a sweep to "sweep dev" in another terminal, or to the configured Temporal
server and its "sweep worker" processes, and return at once. Submitting a spec
twice attaches to the sweep that goes on.`,
		Example: `  sweep submit sweep.yaml && sweep status --follow
  TEMPORAL_ADDRESS=temporal:7233 sweep submit sweep.yaml`,
		Args:              specArg,
		ValidArgsFunction: specFiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			return submit(cmd.Context(), a, args[0], output)
		},
	}
	addFormat(cmd, &output)
	return cmd
}

func submit(ctx context.Context, a *app, path string, output format) error {
	spec, _, err := loadSpec(path)
	if err != nil {
		return err
	}
	nobody := userErrorf(`nobody works on submitted sweeps here; start "sweep dev" in another terminal, or use "sweep run %s"`, path)
	if !a.remote() {
		home, err := workdir.At(a.dir)
		if err != nil {
			return err
		}
		if dev, err := home.Held(workdir.WorkerLock(workflows.DefaultTaskQueue)); err != nil {
			return err
		} else if !dev {
			return nobody
		}
	}
	return a.connected(ctx, "submit", func(conn *connection) error {
		if conn.owner() {
			return nobody // it ended this instant
		}
		store, err := a.openStore(ctx)
		if err != nil {
			return err
		}
		if conn.embedded() {
			if store, err = a.sameStore(ctx, store, conn.peer.Store, "\"sweep dev\" works with"); err != nil {
				return err
			}
		}
		begun, err := start(ctx, conn, spec, path, workflows.DefaultTaskQueue, a.recorded(conn, store))
		if err != nil {
			return err
		}
		if _, err := a.sameStore(ctx, store, begun.store, "sweep "+sweeps.SweepID(spec)+" goes on with"); err != nil {
			return err
		}
		plan, err := sweeps.NewPlan(spec, "", "")
		if err != nil {
			return &userError{err}
		}
		out := submitJSON{Sweep: sweeps.SweepID(spec), Trials: plan.Len(), Attached: begun.attached}
		if output == formatJSON {
			return writeJSON(a.stdout, out)
		}
		verb := "submitted"
		if begun.attached {
			verb = "goes on already"
		}
		_, err = fmt.Fprintf(a.stdout, "sweep %s %s: %s; watch it with: sweep status --follow %s\n",
			out.Sweep, verb, plural(out.Trials, "trial"), out.Sweep)
		return err
	})
}
