package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/workflows"
)

func newPauseCommand(a *app) *cobra.Command {
	return newControlCommand(a, controlVerb{
		update: workflows.PauseUpdate, done: "paused; trials in training go on",
		short:   "Launch no more trials of a sweep; those in training go on",
		example: "  sweep pause mnist-mlp\n  sweep pause mnist-mlp --reason \"the others need the machine\"",
	})
}

func newResumeCommand(a *app) *cobra.Command {
	return newControlCommand(a, controlVerb{
		update: workflows.ResumeUpdate, done: "goes on",
		short:   "Go on with a paused sweep",
		example: "  sweep resume mnist-mlp",
	})
}

func newCancelCommand(a *app) *cobra.Command {
	return newControlCommand(a, controlVerb{
		update: workflows.CancelUpdate, done: "cancelled",
		short: "End a sweep: stop its trainers and launch no more",
		long: `End a sweep: stop its trainers and launch no more. The command returns when they
are gone. What was trained stays in the store: starting the spec again goes on
from it.`,
		example: "  sweep cancel mnist-mlp\n  sweep cancel mnist-mlp-1f2e3d4c",
	})
}

// controlVerb is an update of the workflow as a command.
type controlVerb struct{ update, done, short, long, example string }

// controlJSON is the output of `pause`, `resume` and `cancel` with -o json.
type controlJSON struct {
	Sweep string `json:"sweep"`
	State state  `json:"state"`
}

func newControlCommand(a *app, v controlVerb) *cobra.Command {
	var output format
	var reason, nomad string
	cmd := &cobra.Command{
		Use: v.update + " SWEEP", Short: v.short, Long: v.long, Example: v.example,
		Args:              sweepArg(true),
		ValidArgsFunction: a.sweepIDs,
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			return a.connected(ctx, v.update, func(conn *connection) error {
				id, err := findToControl(ctx, conn, args[0])
				if err != nil {
					return err
				}
				s, err := control(ctx, conn, id, v.update, reason)
				var proof string
				if err == nil && v.update == workflows.CancelUpdate {
					proof, err = a.proveGone(ctx, conn, id, nomad)
				}
				if err != nil {
					return err
				}
				if output == formatJSON {
					return writeJSON(a.stdout, controlJSON{Sweep: id, State: s})
				}
				_, err = fmt.Fprintf(a.stdout, "sweep %s %s%s\n", id, v.done, proof)
				return err
			})
		},
	}
	addFormat(cmd, &output)
	cmd.Flags().StringVar(&reason, "reason", "", "why; shown in the sweep's status")
	if v.update == workflows.CancelUpdate {
		addNomad(cmd, &nomad)
	}
	return cmd
}

// proveGone makes sure that nothing of a cancelled sweep is left on its cluster, and says
// so. Of trainers on workers' machines, and where this command knows of no cluster, the
// workers have seen to it: a sweep is not cancelled before.
func (a *app) proveGone(ctx context.Context, conn *connection, id, nomad string) (string, error) {
	in, err := sweepInput(ctx, conn, id)
	if err != nil || in.Spec.Launcher.Kind != sweeps.NomadLauncher {
		return "", err
	}
	if nomad == "" && a.getenv("NOMAD_ADDR") == "" {
		return "; its worker stopped its jobs (with NOMAD_ADDR or --nomad this command looks for itself)", nil
	}
	l, c, err := a.leftovers(in.Spec.Launcher, id, nomad)
	if err != nil {
		return "", err
	}
	defer c.Close()
	if err := l.check(ctx); err != nil {
		return "", fmt.Errorf("the sweep is cancelled, but %w", err)
	}
	return "; none of its jobs is left on the cluster", nil
}

// updateTimeout is for how long to wait for a worker to take an update.
const updateTimeout = 15 * time.Second

// control asks a sweep for something, and returns its state afterwards.
func control(ctx context.Context, conn *connection, id, update, reason string) (state, error) {
	now, err := running(ctx, conn, id)
	if err != nil {
		return "", err
	}
	if !now.attached {
		return "", userErrorf("sweep %s has ended already", id)
	}
	if conn.embedded() {
		at, err := conn.worked(now.queue)
		if err != nil {
			return "", err
		}
		if !at {
			return controlStopped(ctx, conn, id, update, reason)
		}
	}
	status, err := sendUpdate(ctx, conn, id, now.run, update, reason)
	if err != nil {
		return "", err
	}
	if update != workflows.CancelUpdate {
		return state(status.Phase), nil
	}
	var out workflows.SweepOutput
	if err := outcome(ctx, conn, id, now.run, &out); err != nil {
		if s, _, _ := workflowFailure(err); s != "" {
			return s, nil
		}
		return "", fmt.Errorf("wait for the end of sweep %s: %w", id, err)
	}
	return state(out.Verdict), nil
}

// controlStopped serves sweeps of the embedded server that no process works on,
// and of which therefore no trainer runs.
func controlStopped(ctx context.Context, conn *connection, id, update, reason string) (state, error) {
	if update != workflows.CancelUpdate {
		return "", userErrorf("nobody works on sweep %s, so there is nothing to %s", id, update)
	}
	in, err := sweepInput(ctx, conn, id)
	if err != nil {
		return "", err
	}
	if in.Spec.Launcher.Kind == sweeps.NomadLauncher {
		return "", userErrorf(`nobody works on sweep %s, whose jobs may go on on the cluster; "sweep kill %[1]s" stops them`, id)
	}
	if reason == "" {
		reason = "cancelled while nobody worked on it"
	}
	if err := conn.client.TerminateWorkflow(ctx, id, "", reason); err != nil && !gone(err) {
		return "", fmt.Errorf("end sweep %s: %w", id, err)
	}
	return state(workflows.PhaseCancelled), nil
}

func sendUpdate(ctx context.Context, conn *connection, id, run, update, reason string) (workflows.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, updateTimeout)
	defer cancel()
	var status workflows.Status
	handle, err := conn.client.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		WorkflowID: id, UpdateName: update,
		Args:         []any{workflows.Control{Reason: reason}},
		WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	if err == nil {
		err = handle.Get(ctx, &status)
	}
	var refused *temporal.ApplicationError
	switch {
	case err == nil:
		return status, nil
	case errors.As(err, &refused) && refused.Type() == workflows.RefusedError:
		return status, userErrorf("sweep %s: %s", id, strings.TrimPrefix(refused.Message(), "the sweep "))
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return status, fmt.Errorf(`sweep %s: no worker answered within %s; is a "sweep worker" running?`, id, spell(updateTimeout))
	default:
		return status, fmt.Errorf("%s sweep %s: %w", update, id, err)
	}
}
