package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/tenfold-ml/tenfold/internal/workdir"
	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/workflows"
)

// runOptions are the flags of `run`.
type runOptions struct {
	spec    string
	trainer string
	nomad   string
	output  format
}

func newRunCommand(a *app) *cobra.Command {
	var o runOptions
	cmd := &cobra.Command{
		Use:   "run SPEC",
		Short: "Run a sweep here and watch it to its end",
		Long: `Run a sweep and watch it to its end: a table on a terminal, one line per event in
a pipe, one JSON object per event with -o json.

Everything runs on this machine: an embedded Temporal server, a worker and the
trainers. Ctrl-C lets the trainers save their checkpoints; the same command goes
on from there, also after a crash or kill -9. A trial whose result is in the
store is not trained again, so a sweep that is done is done again at once.

Several "sweep run" in one folder share one server; each works on its own sweep.
While "sweep dev" runs, it does the work.

With a Temporal server configured (--address, --profile, TEMPORAL_ADDRESS, …) the
sweep is submitted there and watched; "sweep worker" processes do the work, and
Ctrl-C only stops the watching.`,
		Example: `  sweep run sweep.yaml
  sweep run sweep.yaml | tee sweep.txt
  sweep run sweep.yaml -o json | jq -c 'select(.event == "trial_failed")'
  sweep run sweep.yaml --store file:///mnt/experiments`,
		Args:              specArg,
		ValidArgsFunction: specFiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.spec = args[0]
			return runSweep(cmd.Context(), a, o)
		},
	}
	addFormat(cmd, &o.output)
	addTrainer(cmd, &o.trainer)
	addNomad(cmd, &o.nomad)
	return cmd
}

func addTrainer(cmd *cobra.Command, path *string) {
	cmd.Flags().StringVar(path, "trainer", "", "the trainer's binary (default: beside this program, then in PATH)")
	must(cmd.MarkFlagFilename("trainer"))
}

// session is one `sweep run`, over as many servers as it takes.
type session struct {
	a       *app
	o       runOptions
	spec    sweeps.Spec
	id      string
	home    workdir.Dir
	logs    *logs
	store   *storage.Store
	trainer string
	view    view
	greeted bool
}

func runSweep(ctx context.Context, a *app, o runOptions) error {
	spec, _, err := loadSpec(o.spec)
	if err != nil {
		return err
	}
	s := &session{a: a, o: o, spec: spec, id: sweeps.SweepID(spec)}
	if !a.remote() && len(spec.Trainer.Command) == 0 {
		if s.trainer, err = findTrainer(o.trainer); err != nil {
			return err
		}
	}
	if s.home, err = a.openDir(); err != nil {
		return err
	}
	if s.logs, err = a.openLogs(s.home); err != nil {
		return err
	}
	defer s.logs.close()
	if s.store, err = a.openRunStore(ctx); err != nil {
		return err
	}
	s.view = a.newView(o.output)
	defer func() { _ = s.view.close() }() // nothing is left to be shown
	for {
		sum, err := s.once(ctx)
		if errors.Is(err, errServerGone) {
			s.logs.own.Info("the server's process has ended; taking over")
			continue
		}
		if err != nil {
			return err
		}
		if err := s.view.finish(sum); err != nil {
			return err
		}
		return sum.err()
	}
}

// openRunStore opens the store that a sweep is to write to. With a server of
// somebody else's it is the workers' business whether they can.
func (a *app) openRunStore(ctx context.Context) (*storage.Store, error) {
	if a.remote() {
		return a.openStore(ctx)
	}
	return a.openWritableStore(ctx)
}

// once connects, starts or attaches to the sweep, works on it if nobody else
// does, and watches it to its end.
func (s *session) once(ctx context.Context) (*summary, error) {
	conn, err := s.a.connect(ctx, s.home, s.logs, "run")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err := conn.close(); err != nil {
			s.logs.own.Warn("the server did not stop in good order", "error", err)
		}
	}()
	queue, err := s.queue(conn)
	if err != nil {
		return nil, err
	}
	if queue == workflows.DefaultTaskQueue {
		if err := s.adoptStore(ctx, conn, conn.peer.Store, "\"sweep dev\" works with"); err != nil {
			return nil, err
		}
	}
	f := &follower{conn: conn, home: s.home, sweep: s.id}
	begun, err := start(ctx, conn, s.spec, s.o.spec, queue, s.a.recorded(conn, s.store))
	if err != nil {
		return nil, f.diagnose(ctx, err)
	}
	if err := s.adoptStore(ctx, conn, begun.store, "sweep "+s.id+" goes on with"); err != nil {
		return nil, err
	}
	if err := s.greet(begun); err != nil {
		return nil, err
	}
	f.run, f.skip = begun.run, begun.seen
	var c *crew
	if conn.embedded() {
		if c, err = s.a.newCrew(s.home, conn, s.store, s.trainer, s.o.nomad, nil, s.logs); err != nil {
			return nil, err
		}
		defer func() {
			if err := c.close(); err != nil {
				s.logs.own.Warn("trainers did not stop in good order", "error", err)
			}
		}()
		f.tick = func(ctx context.Context) error { return s.work(ctx, c, begun.queue) }
		if err := f.tick(ctx); err != nil {
			return nil, f.diagnose(ctx, err)
		}
	}
	if err := f.follow(ctx, s.view); err != nil {
		if errors.Is(err, errInterrupted) {
			return nil, s.interrupted(c, conn, begun.queue, f.last)
		}
		return nil, err
	}
	sum, err := f.conclude(ctx, s.store)
	if err == nil && conn.owner() {
		awaitVisible(ctx, conn, s.id)
	}
	return sum, err
}

// queue is where the sweep goes if it has to be started.
func (s *session) queue(conn *connection) (string, error) {
	if !conn.embedded() {
		return workflows.DefaultTaskQueue, nil
	}
	dev, err := conn.worked(workflows.DefaultTaskQueue)
	if err != nil {
		return "", err
	}
	if dev {
		return workflows.DefaultTaskQueue, nil
	}
	return ownQueue(s.id), nil
}

// adoptStore goes over to the store at a URL, which somebody else has chosen already,
// unless the user wants another one.
func (s *session) adoptStore(ctx context.Context, conn *connection, u, who string) error {
	store, err := s.a.sameStore(ctx, s.store, u, who)
	if err != nil || store == s.store {
		return err
	}
	s.store = store
	if conn.embedded() {
		return probe(ctx, store)
	}
	return nil
}

// work makes this process work on the sweep, unless another one does.
func (s *session) work(ctx context.Context, c *crew, queue string) error {
	if c.conn.lost() {
		return errServerGone
	}
	if c.serves(queue) {
		return nil
	}
	if err := c.serve(ctx, queue); !errors.Is(err, workdir.ErrHeld) {
		return err
	}
	return nil
}

// greet says once what is being watched.
func (s *session) greet(begun started) error {
	if s.greeted {
		return nil
	}
	s.greeted = true
	plan, err := sweeps.NewPlan(s.spec, "", "")
	if err != nil {
		return &userError{err}
	}
	return s.view.event(event{
		Event: eventStarted, Time: time.Now().UTC(), Sweep: s.id,
		Trials: plan.Len(), Attached: begun.attached,
	})
}

// interrupted stops the work, and says what to do next.
func (s *session) interrupted(c *crew, conn *connection, queue string, last snapshot) error {
	if err := s.view.close(); err != nil {
		return err
	}
	where := ""
	if last.total > 0 {
		where = fmt.Sprintf("; %d of %s done", last.done(), plural(last.total, "trial"))
	}
	if c == nil || !c.serves(queue) {
		by := fmt.Sprintf("process %d", conn.peer.PID)
		if !conn.embedded() {
			by = "the server at " + conn.address
		}
		return &interruptedError{fmt.Sprintf("no longer watching%s; sweep %s goes on in %s until %q",
			where, s.id, by, "sweep cancel "+s.id)}
	}
	say(s.a.stderr, "stopping: trainers save their checkpoints (Ctrl-C again ends them at once)")
	if err := c.close(); err != nil {
		s.logs.own.Warn("trainers did not stop in good order", "error", err)
	}
	return &interruptedError{fmt.Sprintf("interrupted%s; the same command goes on: sweep run %s", where, s.o.spec)}
}
