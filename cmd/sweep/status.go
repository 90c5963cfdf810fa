package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tenfold-ml/tenfold/activities/contract"
	"github.com/tenfold-ml/tenfold/internal/terminal"
	"github.com/tenfold-ml/tenfold/internal/workdir"
	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/workflows"
)

// statusJSON is the output of `status -o json`. Of a sweep that has ended it has a
// summary and no running trials.
type statusJSON struct {
	Sweep   string        `json:"sweep"`
	State   state         `json:"state"`
	Started time.Time     `json:"started"`
	Ended   time.Time     `json:"ended,omitzero"`
	Trials  int           `json:"trials"`
	Counts  sweeps.Counts `json:"counts"`
	// Relaunched says how many of counts.retries followed a preemption or a lost
	// worker; the others followed a failure.
	Relaunched int `json:"relaunched,omitzero"`
	// Reason is the one given with the last pause, resume or cancel.
	Reason   string                  `json:"reason,omitzero"`
	Best     []workflows.TrialStatus `json:"best,omitzero"`
	Running  []runningJSON           `json:"running,omitzero"`
	Failures []workflows.Failure     `json:"failures,omitzero"`
	Note     string                  `json:"note,omitzero"`
	Summary  *summary                `json:"summary,omitzero"`
}

type runningJSON struct {
	Index    int              `json:"index"`
	Trial    sweeps.TrialID   `json:"trial"`
	Settings []sweeps.Setting `json:"settings"`
	Attempt  int              `json:"attempt,omitzero"`
	// Phase is queued, starting or training; empty while nothing was heard of it.
	Phase           contract.Phase `json:"phase,omitzero"`
	Epoch           int            `json:"epoch"`
	Epochs          int            `json:"epochs"`
	ValidationError *float64       `json:"validation_error,omitempty"`
}

func newStatusCommand(a *app) *cobra.Command {
	var output format
	var watch bool
	cmd := &cobra.Command{
		Use:   "status [SWEEP]",
		Short: "Show where a sweep stands",
		Long: `Show where a sweep stands: the one that goes on, or the last one, unless it is
named, by its ID or its name alone. With --follow watch it to its end; the exit
code is then that of "sweep run".`,
		Example: `  sweep status
  sweep status mnist-mlp
  sweep status --follow
  sweep status -o json | jq .counts`,
		Args:              sweepArg(false),
		ValidArgsFunction: a.sweepIDs,
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			return a.connected(ctx, "status", func(conn *connection) error {
				id, err := findSweep(ctx, conn, strings.Join(args, ""))
				if err != nil {
					return err
				}
				if watch {
					return followSweep(ctx, a, conn, id, output)
				}
				return showStatus(ctx, a, conn, id, output)
			})
		},
	}
	addFormat(cmd, &output)
	cmd.Flags().BoolVarP(&watch, "follow", "f", false, "watch the sweep to its end")
	return cmd
}

func followSweep(ctx context.Context, a *app, conn *connection, id string, output format) error {
	f, begun, err := newFollower(ctx, a, conn, id)
	if err != nil {
		return err
	}
	store, err := a.sweepStore(ctx, id, begun.store)
	if err != nil {
		return err
	}
	if begun.attached && conn.embedded() {
		if err := f.tick(ctx); err != nil {
			return err
		}
	}
	v := a.newView(output)
	defer func() { _ = v.close() }() // nothing is left to be shown
	if err := f.follow(ctx, v); err != nil {
		switch {
		case errors.Is(err, errInterrupted):
			return errors.Join(v.close(), &interruptedError{"no longer watching; the sweep goes on"})
		case errors.Is(err, errServerGone):
			return stoppedError(id)
		}
		return err
	}
	s, err := f.conclude(ctx, store)
	if err != nil {
		return err
	}
	if err := v.finish(s); err != nil {
		return err
	}
	return s.err()
}

func stoppedError(id string) error {
	return userErrorf(`nobody works on sweep %s; "sweep run" with its spec, or "sweep dev", goes on with it`, id)
}

// newFollower watches the latest execution of a sweep, from now on.
func newFollower(ctx context.Context, a *app, conn *connection, id string) (f *follower, begun started, err error) {
	home, err := workdir.At(a.dir)
	if err != nil {
		return nil, started{}, err
	}
	if begun, err = running(ctx, conn, id); err != nil {
		return nil, started{}, err
	}
	f = &follower{conn: conn, home: home, sweep: id, run: begun.run, skip: begun.seen}
	if conn.embedded() {
		f.tick = func(context.Context) error {
			if conn.lost() {
				return errServerGone
			}
			if at, err := conn.worked(begun.queue); err != nil || at {
				return err
			}
			return f.abandoned(ctx)
		}
	}
	return f, begun, nil
}

// abandoned says that nobody works on a sweep, unless that is so because it ended.
func (f *follower) abandoned(ctx context.Context) error {
	now, err := running(ctx, f.conn, f.sweep)
	if err != nil {
		return f.diagnose(ctx, err)
	}
	if !now.attached {
		return nil
	}
	return stoppedError(f.sweep)
}

func showStatus(ctx context.Context, a *app, conn *connection, id string, output format) error {
	f, begun, err := newFollower(ctx, a, conn, id)
	if err != nil {
		return err
	}
	store, err := a.sweepStore(ctx, id, begun.store)
	if err != nil {
		return err
	}
	h := newHistorian(id, f.trialLog)
	if err := h.readAll(ctx, conn); err != nil {
		return err
	}
	s := h.snapshot()
	var sum *summary
	if begun.attached {
		if err := f.observe(ctx, &s); err != nil {
			return err
		}
		if conn.embedded() {
			if at, err := conn.worked(begun.queue); err != nil {
				return err
			} else if !at {
				s.running = nil // they are not
				s.state, s.note = stateStopped, `"sweep run" with its spec, or "sweep dev", goes on with it`
			}
		}
	} else {
		if sum, err = f.conclude(ctx, store); err != nil {
			return err
		}
		s.state = sum.State
		s.ended = s.started.Add(time.Duration(sum.Seconds * float64(time.Second)))
	}
	if output == formatJSON {
		return writeJSON(a.stdout, statusDocument(s, sum))
	}
	style := a.style()
	lines := liveLines(s, "", time.Now(), 0, style)
	if sum != nil {
		lines = sum.lines(style)
		if sum.Message != "" {
			lines = append(lines, "because: "+terminal.Clean(sum.Message))
		}
	}
	for _, x := range s.failures {
		line := "failed: trial " + string(x.Trial) + "  " + settingsLine(x.Settings) + ": " + x.Message
		if log := f.trialLog(x.Trial); log != "" {
			line += "  log: " + near(log)
		}
		lines = append(lines, style.Red(line))
	}
	return (&lineView{out: a.stdout}).print(lines...)
}

func statusDocument(s snapshot, sum *summary) statusJSON {
	d := statusJSON{
		Sweep: s.sweep, State: s.state, Started: s.started, Ended: s.ended, Trials: s.total, Counts: s.counts,
		Relaunched: s.relaunched, Reason: s.reason,
		Best: s.best, Failures: s.failures, Note: s.note, Summary: sum,
	}
	if sum != nil {
		return d
	}
	for _, r := range s.running {
		p := r.progress
		x := runningJSON{Index: r.index, Trial: p.ID, Settings: r.settings, Attempt: p.Attempt, Phase: p.Phase, Epoch: p.Epoch, Epochs: p.Epochs}
		if p.Epoch > 0 {
			x.ValidationError = &p.ValidationError
		}
		d.Running = append(d.Running, x)
	}
	return d
}
