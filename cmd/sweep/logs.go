package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	enumspb "go.temporal.io/api/enums/v1"

	"github.com/tenfold-ml/tenfold/activities"
	"github.com/tenfold-ml/tenfold/activities/contract"
	"github.com/tenfold-ml/tenfold/internal/terminal"
	"github.com/tenfold-ml/tenfold/internal/workdir"
	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/storage/backend"
	"github.com/tenfold-ml/tenfold/sweeps"
)

// followPause is the time between two looks at a log that is followed.
const followPause = time.Second

func newLogsCommand(a *app) *cobra.Command {
	var attempt int
	var follow bool
	var nomad string
	cmd := &cobra.Command{
		Use:   "logs SWEEP TRIAL",
		Short: "Show what a trial's trainer printed on standard error",
		Long: `Show what a trial's trainer printed on standard error: of its latest attempt, from
where it runs while it runs, and from the store once it has ended (the last 64 KiB).
A trial is named by its ID or the beginning of it, as "sweep status" shows it. For a
sweep with launcher.kind: nomad, trainers that run are asked for with NOMAD_ADDR or
--nomad; those of a worker on another machine can be seen when they have ended.`,
		Example: `  sweep logs mnist-mlp 3f2a
  sweep logs mnist-mlp 3f2a --follow
  sweep logs mnist-mlp 3f2a --attempt 1`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return userErrorf(`logs needs a sweep and a trial: sweep logs SWEEP TRIAL; "sweep status" shows them`)
			}
			return nil
		},
		ValidArgsFunction: a.sweepIDs,
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			if cmd.Flags().Changed("attempt") && attempt < 1 {
				return userErrorf("--attempt is at least 1; got %d", attempt)
			}
			return a.connected(ctx, "logs", func(conn *connection) error {
				id, store, err := a.findStored(ctx, conn, args[0])
				if err != nil {
					return err
				}
				t := &trialLogs{a: a, conn: conn, store: store, sweep: id, only: attempt, nomad: nomad}
				defer t.close()
				if err := t.find(ctx, args[1]); err != nil {
					return err
				}
				if follow {
					return t.follow(ctx)
				}
				return t.show(ctx)
			})
		},
	}
	addNomad(cmd, &nomad)
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on until the trial has ended")
	cmd.Flags().IntVar(&attempt, "attempt", 0, "show that attempt (default: the latest)")
	return cmd
}

// trialLogs shows the logs of one trial of a sweep.
type trialLogs struct {
	a     *app
	conn  *connection
	store *storage.Store
	sweep string
	only  int // attempt; 0 for the latest
	nomad string

	trial   sweeps.TrialID
	spec    sweeps.Spec
	cluster cluster             // nil until it is needed
	of      activities.Launcher // of the cluster
}

func (t *trialLogs) close() {
	if t.cluster != nil {
		t.cluster.Close()
	}
}

// find finds the trial that an argument means.
func (t *trialLogs) find(ctx context.Context, arg string) error {
	h := newHistorian(t.sweep, nil)
	if err := h.readAll(ctx, t.conn); err != nil {
		return err
	}
	t.spec = h.spec
	if h.plan == nil {
		return userErrorf("sweep %s has no trials yet; it is being prepared", t.sweep)
	}
	var found []sweeps.TrialID
	for i := range h.plan.Len() {
		if id := h.trial(i); strings.HasPrefix(string(id), arg) && arg != "" {
			found = append(found, id)
		}
	}
	switch len(found) {
	case 1:
		t.trial = found[0]
		return nil
	case 0:
		return userErrorf(`sweep %s has no trial %q; "sweep status %[1]s" shows those that run`, t.sweep, arg)
	}
	return userErrorf("trial %q may be %s or %s; write more of it", arg, found[0], found[1])
}

// running is the attempt of the trial that is in training, 0 for none; ended says that no
// other one will follow.
func (t *trialLogs) running(ctx context.Context) (attempt int, ended bool, err error) {
	d, err := t.conn.client.DescribeWorkflowExecution(ctx, t.sweep, "")
	if err != nil {
		return 0, false, fmt.Errorf("look for sweep %s: %w", t.sweep, err)
	}
	for _, act := range d.GetPendingActivities() {
		var p contract.Progress
		if act.GetActivityType().GetName() != contract.TrainActivity {
			continue
		}
		// The heartbeat knows of which attempt the trainer is.
		if act.GetHeartbeatDetails() != nil && decode(act.GetHeartbeatDetails(), &p) == nil && p.ID == t.trial {
			return p.Attempt, false, nil
		}
		if rest, ok := strings.CutPrefix(act.GetActivityId(), "train-"+string(t.trial)+"-a"); ok {
			n, err := strconv.Atoi(rest)
			return n, false, err
		}
	}
	open := d.GetWorkflowExecutionInfo().GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING
	if !open {
		return 0, true, nil
	}
	h := newHistorian(t.sweep, nil)
	if err := h.readAll(ctx, t.conn); err != nil {
		return 0, false, err
	}
	return 0, h.settled(t.trial), nil
}

// text is the log of an attempt as it is now.
func (t *trialLogs) text(ctx context.Context, attempt int, live bool) ([]byte, error) {
	if !live {
		return t.stored(ctx, attempt)
	}
	if t.spec.Launcher.Kind == sweeps.NomadLauncher {
		return t.onCluster(ctx)
	}
	home, err := workdir.At(t.a.dir)
	if err != nil {
		return nil, err
	}
	b, err := os.ReadFile(home.TrialLog(string(t.trial)))
	if errors.Is(err, fs.ErrNotExist) { // nothing yet, or on another machine
		return nil, nil
	}
	return b, err
}

// onCluster asks Nomad.
func (t *trialLogs) onCluster(ctx context.Context) ([]byte, error) {
	if t.of == nil {
		c, err := t.a.openCluster(t.nomad, t.store, "", askPatience, t.a.stderrLogs())
		if err != nil {
			return nil, err
		}
		if c == nil {
			return nil, userErrorf("trial %s runs on a Nomad cluster; say which with --nomad or NOMAD_ADDR, or wait until it has ended", t.trial)
		}
		t.cluster, t.of = c, c.Launcher(t.spec.Launcher.Nomad)
	}
	trial, err := t.store.Trial(ctx, t.trial)
	if err != nil {
		return nil, fmt.Errorf("read trial %s: %w", t.trial, err)
	}
	var text bytes.Buffer
	key := activities.JobKey{Sweep: t.sweep, Trial: t.trial, Epochs: trial.Config.Train.Epochs}
	if err := t.of.Logs(ctx, key, &text); err != nil && !errors.Is(err, activities.ErrNoJob) {
		return nil, err
	}
	return text.Bytes(), nil
}

// stored reads an attempt from the store; 0 is the latest.
func (t *trialLogs) stored(ctx context.Context, attempt int) ([]byte, error) {
	if attempt == 0 {
		names, err := t.store.Logs(ctx, t.trial)
		if err != nil {
			return nil, err
		}
		others := map[string]bool{}
		for _, name := range names {
			if name.Sweep == t.sweep {
				attempt = max(attempt, name.Attempt)
			} else {
				others[name.Sweep] = true
			}
		}
		if attempt == 0 {
			for other := range others {
				return nil, userErrorf("trial %s printed nothing in sweep %s; it also was in sweep %s", t.trial, t.sweep, other)
			}
			return nil, nil
		}
	}
	b, err := t.store.ReadLog(ctx, t.trial, storage.LogName{Sweep: t.sweep, Attempt: attempt})
	if errors.Is(err, backend.ErrNotFound) {
		return nil, nil
	}
	return b, err
}

// now is what there is to show: of the attempt asked for, the one that runs, or the last.
func (t *trialLogs) now(ctx context.Context) (text []byte, attempt int, ended bool, err error) {
	attempt, ended, err = t.running(ctx)
	if err != nil {
		return nil, 0, false, err
	}
	live := attempt > 0 && (t.only == 0 || t.only == attempt)
	if t.only > 0 {
		attempt, ended = t.only, ended || !live
	}
	if text, err = t.text(ctx, attempt, live); err != nil {
		return nil, 0, false, err
	}
	return text, attempt, ended, nil
}

// look is now, unless the server is gone: the client would try for long.
func (t *trialLogs) look(ctx context.Context) ([]byte, int, bool, error) {
	if t.conn.lost() {
		return nil, 0, false, errServerGone
	}
	ctx, cancel := context.WithTimeout(ctx, 2*askPatience)
	defer cancel()
	return t.now(ctx)
}

func (t *trialLogs) show(ctx context.Context) error {
	text, attempt, _, err := t.now(ctx)
	if err != nil {
		return err
	}
	if len(text) == 0 {
		which := "trial " + string(t.trial)
		if attempt > 0 {
			which += ", attempt " + strconv.Itoa(attempt) + ","
		}
		say(t.a.stderr, which+" has printed nothing on standard error that could be found")
		return nil
	}
	return t.print(t.a.stdout, text)
}

// follow shows what is new until the trial has ended.
func (t *trialLogs) follow(ctx context.Context) error {
	var shown []byte
	last := 0
	for {
		text, attempt, ended, err := t.look(ctx)
		if errors.Is(context.Cause(ctx), errInterrupted) {
			return &interruptedError{"no longer following; the trial goes on"}
		}
		if err != nil {
			return t.rest(ctx, shown, err)
		}
		if attempt != last && attempt > 0 {
			if last > 0 {
				say(t.a.stderr, "attempt "+strconv.Itoa(attempt))
			}
			last, shown = attempt, nil
		}
		if err := t.print(t.a.stdout, fresh(shown, text)); err != nil {
			return err
		}
		if len(text) > 0 {
			shown = text
		}
		if ended {
			return nil
		}
		select {
		case <-time.After(followPause):
		case <-ctx.Done():
			return &interruptedError{"no longer following; the trial goes on"}
		}
	}
}

// rest shows what is left of a log when the process has ended that ran the server and
// the trainers; any other error is returned.
func (t *trialLogs) rest(ctx context.Context, shown []byte, err error) error {
	f := follower{conn: t.conn, sweep: t.sweep}
	if err = f.diagnose(ctx, err); !errors.Is(err, errServerGone) {
		return err
	}
	text, err := t.stored(ctx, t.only)
	if err != nil {
		return err
	}
	if len(text) > 0 {
		err = t.print(t.a.stdout, fresh(shown, text))
	}
	say(t.a.stderr, "no longer following: "+errServerGone.Error())
	return err
}

// fresh is what a log has gained: after its end as it was, as far as that is still
// in it. The store keeps no more than the end of a log.
func fresh(shown, text []byte) []byte {
	if rest, ok := bytes.CutPrefix(text, shown); ok {
		return rest
	}
	const mark = 1 << 10
	end := shown[max(0, len(shown)-mark):]
	if i := bytes.LastIndex(text, end); i >= 0 {
		return text[i+len(end):]
	}
	if bytes.Contains(shown, text) {
		return nil
	}
	return text
}

// print writes a log line by line, without what would command the terminal.
func (t *trialLogs) print(w io.Writer, text []byte) error {
	for line := range bytes.Lines(text) {
		body, newline := bytes.CutSuffix(line, []byte("\n"))
		out := terminal.Clean(string(body))
		if newline {
			out += "\n"
		}
		if _, err := io.WriteString(w, out); err != nil {
			return err
		}
	}
	return nil
}
