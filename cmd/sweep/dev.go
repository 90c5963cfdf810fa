package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/tenfold-ml/tenfold/internal/workdir"
	"github.com/tenfold-ml/tenfold/workflows"
)

func newDevCommand(a *app) *cobra.Command {
	var port int
	var trainer, nomad string
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Keep the embedded server and a worker running for other terminals",
		Long: `Keep the embedded server and a worker running until Ctrl-C. Other terminals use
"sweep submit", "sweep run", "sweep status" and so on in the same folder. Sweeps
that were left unfinished go on.`,
		Example: `  sweep dev
  sweep dev --port 7233        # for Temporal's own tools and UI`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if port < 0 || port > 65535 {
				return userErrorf("--port is between 1 and 65535, or 0 for any that is free; got %d", port)
			}
			return dev(cmd.Context(), a, port, trainer, nomad)
		},
	}
	cmd.Flags().IntVar(&port, "port", 0, "port of the server on the loopback interface; 0 takes a free one")
	addTrainer(cmd, &trainer)
	addNomad(cmd, &nomad)
	return cmd
}

func dev(ctx context.Context, a *app, port int, trainer, nomad string) error {
	if a.remote() {
		return userErrorf(`"sweep dev" runs a server of its own, but one is configured (--address, --profile or TEMPORAL_*); "sweep worker" works for that one`)
	}
	w, err := a.openWorkshop(ctx, trainer)
	if err != nil {
		return err
	}
	defer w.logs.close()
	conn, err := ownEmbedded(ctx, w.home, w.logs, role{verb: "dev", port: port, store: w.store.URL()})
	if err != nil {
		return err
	}
	defer func() {
		if err := conn.close(); err != nil {
			w.logs.own.Warn("the server did not stop in good order", "error", err)
		}
	}()
	if strange, err := strangers(ctx, conn, workflows.DefaultTaskQueue, w.store.URL()); err != nil {
		return err
	} else if len(strange) > 0 {
		return userErrorf("sweep %s is unfinished and has the store %s, not %s; name that one with --store, or end the sweep first: sweep cancel %[1]s",
			strange[0].id, strange[0].store(), w.store.URL())
	}
	c, err := a.newCrew(w.home, conn, w.store, w.trainer, nomad, nil, w.logs)
	if err != nil {
		return err
	}
	defer func() {
		if err := c.close(); err != nil {
			w.logs.own.Warn("trainers did not stop in good order", "error", err)
		}
	}()
	if err := c.serve(ctx, workflows.DefaultTaskQueue); err != nil {
		if errors.Is(err, workdir.ErrHeld) {
			return userErrorf("another process works in %s already", w.home.Path())
		}
		return err
	}
	// Workers that join this server send steps there.
	if err := c.serveSteps(workflows.DefaultTaskQueue); err != nil {
		return err
	}
	if w.missing != nil {
		say(a.stderr, w.missing.Error()+"; until then only specs with a trainer of their own can run")
	}
	fmt.Fprintf(a.stdout, `Temporal server at %s, store %s
In other terminals, in this folder:
  sweep submit SPEC          hand in a sweep
  sweep status --follow      watch it
Ctrl-C ends this; unfinished sweeps go on next time.
`, conn.address, w.store.URL())
	if err := a.adopt(ctx, c, w.store.URL()); err != nil {
		return err
	}
	say(a.stderr, "stopping: trainers save their checkpoints (Ctrl-C again ends them at once)")
	return &interruptedError{"stopped; unfinished sweeps go on with the next sweep dev"}
}

// ownEmbedded starts the embedded server, and fails if another process has it.
func ownEmbedded(ctx context.Context, home workdir.Dir, l *logs, r role) (*connection, error) {
	conn, err := connectEmbedded(ctx, home, l, r)
	if err != nil {
		return nil, err
	}
	if !conn.owner() {
		peer := conn.peer
		return nil, errors.Join(conn.close(), userErrorf("sweep %s (process %d) has the server of %s already, at %s",
			peer.Verb, peer.PID, home.Path(), peer.Address))
	}
	return conn, nil
}

// adopt works on sweeps that others have begun and left, until ctx is over. Those of
// another store than the one at a URL are not for this process.
func (a *app) adopt(ctx context.Context, c *crew, store string) error {
	l, told := c.logs, map[string]bool{}
	ticker := time.NewTicker(2 * time.Second)
	defer ticker.Stop()
	for {
		open, err := openSweeps(ctx, c.conn)
		if err != nil && ctx.Err() == nil {
			l.own.Warn("cannot look for unfinished sweeps", "error", err)
		}
		for _, k := range open {
			queue := k.info.GetTaskQueue()
			if _, own := sweepOfQueue(queue); !own || c.serves(queue) {
				continue
			}
			if k.strange(store) {
				if !told[k.id] {
					told[k.id] = true
					say(a.stderr, fmt.Sprintf(`sweep %s is left alone: it has the store %s; "sweep run" with its spec goes on with it`, k.id, k.store()))
				}
				continue
			}
			if err := c.serve(ctx, queue); err != nil && !errors.Is(err, workdir.ErrHeld) {
				l.own.Warn("cannot work on an unfinished sweep", "queue", queue, "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-c.conn.server.Failed():
			return fmt.Errorf("the embedded server failed: %w", c.conn.server.Err())
		case <-ticker.C:
		}
	}
}
