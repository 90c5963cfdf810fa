package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tenfold-ml/tenfold/workflows"
)

func newWorkerCommand(a *app) *cobra.Command {
	var trainer string
	cmd := &cobra.Command{
		Use:   "worker",
		Short: "Work on the sweeps of a Temporal server",
		Long: `Work on the sweeps of the configured Temporal server until Ctrl-C. Its store has
to be the one that other workers use, and trainers run on this machine. Without a
server configured, "sweep dev" and "sweep run" bring a worker of their own.`,
		Example: `  sweep worker --address temporal:7233 --store file:///mnt/store
  TEMPORAL_PROFILE=production sweep worker`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return work(cmd.Context(), a, trainer)
		},
	}
	addTrainer(cmd, &trainer)
	return cmd
}

func work(ctx context.Context, a *app, trainer string) error {
	if !a.remote() {
		return userErrorf(`"sweep worker" needs a Temporal server: --address, --profile or TEMPORAL_ADDRESS; without one use "sweep dev"`)
	}
	w, err := a.openWorkshop(ctx, trainer)
	if err != nil {
		return err
	}
	defer w.logs.close()
	conn, err := a.connectRemote(ctx, w.logs)
	if err != nil {
		return err
	}
	defer conn.client.Close()
	strange, err := strangers(ctx, conn, workflows.DefaultTaskQueue, w.store.URL())
	if err != nil {
		w.logs.own.Warn("cannot ask which stores the sweeps have", "error", err)
	}
	for _, k := range strange {
		say(a.stderr, fmt.Sprintf("warning: sweep %s was started with the store %s, and this worker has %s", k.id, k.store(), w.store.URL()))
	}
	c, err := newCrew(w.home, conn, w.store, w.trainer, w.logs)
	if err != nil {
		return err
	}
	if err := c.serve(ctx, workflows.DefaultTaskQueue); err != nil {
		return err
	}
	if w.missing != nil {
		say(a.stderr, w.missing.Error()+"; until then only specs with a trainer of their own can run")
	}
	fmt.Fprintf(a.stdout, "working for %s, namespace %s, store %s; Ctrl-C ends it\n", conn.address, conn.namespace, w.store.URL())
	<-ctx.Done()
	say(a.stderr, "stopping: trainers save their checkpoints (Ctrl-C again ends them at once)")
	if err := c.close(); err != nil {
		w.logs.own.Warn("trainers did not stop in good order", "error", err)
	}
	return &interruptedError{"stopped; sweeps go on with other workers, or with the next one"}
}
