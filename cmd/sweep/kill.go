package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	enumspb "go.temporal.io/api/enums/v1"
	"golang.org/x/sync/errgroup"

	"github.com/tenfold-ml/tenfold/activities"
	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/workflows"
)

const (
	// answersWithin is how long a worker may take to say that it is there.
	answersWithin = 5 * time.Second
	// secondLook is when to look again for jobs that a worker which is still there may
	// have been launching when the sweep was killed.
	secondLook = 5 * time.Second
	// stopsAtOnce is how many jobs are stopped at a time.
	stopsAtOnce = 16
)

// killJSON is the output of `kill` with -o json.
type killJSON struct {
	Sweep string `json:"sweep"`
	// State is cancelled, or ended if the sweep had ended before.
	State state `json:"state"`
	// Stopped counts the jobs that had to be stopped. None is left, or the command fails.
	Stopped int `json:"stopped"`
}

func newKillCommand(a *app) *cobra.Command {
	var output format
	var reason, nomad string
	var force bool
	cmd := &cobra.Command{
		Use:   "kill SWEEP",
		Short: "End a sweep whose workers are gone for good",
		Long: `End a sweep whose workers are gone for good: end its workflow, stop every job that
it has left on its cluster, and make sure that none is there any more. It needs no
worker; for a sweep with launcher.kind: nomad it needs NOMAD_ADDR or --nomad. Trainers
on a worker's own machine have ended with their worker. What was trained stays in the
store. The command may be repeated, also for a sweep that has ended.

As long as a worker answers, "sweep cancel" does the same in good order.`,
		Example:           "  sweep kill mnist-mlp-1f2e3d4c\n  NOMAD_ADDR=http://nomad:4646 sweep kill mnist-mlp",
		Args:              sweepArg(true),
		ValidArgsFunction: a.sweepIDs,
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			return a.connected(ctx, "kill", func(conn *connection) error {
				id, err := findToControl(ctx, conn, args[0])
				if err != nil {
					return err
				}
				k, err := a.killing(ctx, conn, id, nomad)
				if err != nil {
					return err
				}
				defer k.close()
				if k.alive && !force {
					return userErrorf(`a worker still works on sweep %s; "sweep cancel %[1]s" ends it in good order, and --force kills it all the same`, id)
				}
				n, err := k.kill(ctx, reason)
				if err != nil {
					return err
				}
				if output == formatJSON {
					return writeJSON(a.stdout, killJSON{Sweep: id, State: k.state, Stopped: n})
				}
				what := "killed"
				if !k.open {
					what = "had ended already"
				}
				_, err = fmt.Fprintf(a.stdout, "sweep %s %s; %s\n", id, what, k.proof(n))
				return err
			})
		},
	}
	addFormat(cmd, &output)
	addNomad(cmd, &nomad)
	cmd.Flags().StringVar(&reason, "reason", "", "why; shown in the sweep's status")
	cmd.Flags().BoolVar(&force, "force", false, "kill it though a worker still works on it")
	return cmd
}

// stateEnded is what kill says of a sweep that had ended before.
const stateEnded state = "ended"

// killing is a sweep that is about to be ended from outside.
type killing struct {
	conn    *connection
	id      string
	state   state // how it ends, or has ended
	open    bool
	alive   bool // a worker answers
	kind    string
	jobs    *leftovers // nil where the jobs of the sweep are on no cluster
	cluster cluster
}

// killing looks at a sweep and at where its jobs are. It has to be closed.
func (a *app) killing(ctx context.Context, conn *connection, id, nomad string) (*killing, error) {
	d, err := conn.client.DescribeWorkflowExecution(ctx, id, "")
	if err != nil {
		return nil, fmt.Errorf("look for sweep %s: %w", id, err)
	}
	info := d.GetWorkflowExecutionInfo()
	in, err := sweepInput(ctx, conn, id)
	if err != nil {
		return nil, err
	}
	k := &killing{conn: conn, id: id, state: state(workflows.PhaseCancelled), kind: in.Spec.Launcher.Kind,
		open: info.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING}
	if !k.open {
		k.state = stateEnded
	}
	if k.jobs, k.cluster, err = a.leftovers(in.Spec.Launcher, id, nomad); err != nil {
		return nil, err
	}
	if k.open {
		k.alive, err = workerAnswers(ctx, conn, id, info.GetTaskQueue())
	}
	if err != nil {
		k.close()
		return nil, err
	}
	return k, nil
}

func (k *killing) close() {
	if k.cluster != nil {
		k.cluster.Close()
	}
}

// kill ends the workflow first: nobody launches anything for it afterwards.
func (k *killing) kill(ctx context.Context, reason string) (stopped int, err error) {
	if k.open {
		if reason == "" {
			reason = "killed"
		}
		if err := k.conn.client.TerminateWorkflow(ctx, k.id, "", reason); err != nil && !gone(err) {
			return 0, fmt.Errorf("end sweep %s: %w", k.id, err)
		}
	}
	if k.jobs == nil {
		return 0, nil
	}
	if stopped, err = k.jobs.stop(ctx); err != nil || !k.alive {
		return stopped, err
	}
	select {
	case <-time.After(secondLook):
	case <-ctx.Done():
		return stopped, context.Cause(ctx)
	}
	more, err := k.jobs.stop(ctx)
	return stopped + more, err
}

// proof says what is left.
func (k *killing) proof(stopped int) string {
	switch {
	case k.jobs != nil:
		return fmt.Sprintf("%s stopped, none is left on the cluster", plural(stopped, "job"))
	case k.alive:
		return "workers that are still there stop its trainers within seconds"
	}
	return "its trainers ended with their workers"
}

// workerAnswers asks a sweep's workflow, which answers by a worker alone.
func workerAnswers(ctx context.Context, conn *connection, id, queue string) (bool, error) {
	if conn.embedded() {
		return conn.worked(queue)
	}
	asking, cancel := context.WithTimeout(ctx, answersWithin)
	defer cancel()
	_, err := conn.client.QueryWorkflow(asking, id, "", workflows.StatusQuery)
	return err == nil, ctx.Err()
}

// sweepInput is what a sweep was started with.
func sweepInput(ctx context.Context, conn *connection, id string) (in workflows.SweepInput, err error) {
	events := conn.client.GetWorkflowHistory(ctx, id, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	if !events.HasNext() {
		return in, fmt.Errorf("read the sweep's history: sweep %s has none", id)
	}
	first, err := events.Next()
	if err != nil {
		return in, fmt.Errorf("read the sweep's history: %w", err)
	}
	err = decode(first.GetWorkflowExecutionStartedEventAttributes().GetInput(), &in)
	return in, err
}

// jobLister is a launcher whose jobs outlive those who launched them.
type jobLister interface {
	Stop(ctx context.Context, key activities.JobKey) error
	// Jobs lists what is left of a sweep; none is the proof that nothing runs.
	Jobs(ctx context.Context, sweep string) ([]activities.JobKey, error)
}

// leftovers are the jobs of a sweep on a cluster.
type leftovers struct {
	of    jobLister
	sweep string
	// patience is how long to wait for jobs that do not go.
	patience time.Duration
}

// leftovers finds where the jobs of a sweep are; nil where they are on no cluster. The
// caller closes the cluster.
func (a *app) leftovers(spec sweeps.Launcher, sweep, nomad string) (*leftovers, cluster, error) {
	if spec.Kind != sweeps.NomadLauncher {
		return nil, nil, nil
	}
	c, err := a.openCluster(nomad, nil, "", askPatience, a.stderrLogs())
	if err != nil {
		return nil, nil, err
	}
	if c == nil {
		return nil, nil, userErrorf("the jobs of sweep %s are on a Nomad cluster; say which with --nomad or NOMAD_ADDR", sweep)
	}
	return &leftovers{of: c.Launcher(spec.Nomad), sweep: sweep,
		patience: time.Duration(spec.Nomad.KillTimeout) + time.Minute}, c, nil
}

// stop stops the jobs and returns when none is left.
func (l *leftovers) stop(ctx context.Context) (stopped int, err error) {
	wait, cancel := context.WithTimeout(ctx, l.patience)
	defer cancel()
	asked := map[activities.JobKey]bool{}
	for {
		left, err := l.of.Jobs(wait, l.sweep)
		if err != nil {
			return len(asked), err
		}
		if len(left) == 0 {
			return len(asked), nil
		}
		if wait.Err() != nil {
			return len(asked), l.remain(left)
		}
		var tasks errgroup.Group
		var mu sync.Mutex
		var failed error
		tasks.SetLimit(stopsAtOnce)
		for _, key := range left {
			asked[key] = true
			tasks.Go(func() error {
				if err := l.of.Stop(wait, key); err != nil {
					mu.Lock()
					defer mu.Unlock()
					failed = err
				}
				return nil
			})
		}
		_ = tasks.Wait() // they return nothing
		switch {
		case ctx.Err() != nil:
			return len(asked), context.Cause(ctx)
		case errors.Is(failed, activities.ErrDenied):
			return len(asked), failed
		case wait.Err() != nil:
			return len(asked), l.remain(left)
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-wait.Done():
		}
	}
}

// check is an error if anything is left.
func (l *leftovers) check(ctx context.Context) error {
	left, err := l.of.Jobs(ctx, l.sweep)
	if err != nil || len(left) == 0 {
		return err
	}
	return l.remain(left)
}

// remain names what is left.
func (l *leftovers) remain(left []activities.JobKey) error {
	var names []string
	for _, key := range left[:min(3, len(left))] {
		names = append(names, string(key.Trial))
	}
	if len(left) > len(names) {
		names = append(names, "…")
	}
	return fmt.Errorf("%s of sweep %s are left, of trials %s: their nodes do not answer; the store keeps them from doing harm, and %q tries again",
		plural(len(left), "job"), l.sweep, strings.Join(names, ", "), "sweep kill "+l.sweep)
}
