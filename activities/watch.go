package activities

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/tenfold-ml/tenfold/activities/contract"
	"github.com/tenfold-ml/tenfold/sweeps"
)

// end is how a job ended, as far as its watcher can tell.
type end struct {
	exit Exit
	// printed is the last line of standard output that is not blank.
	printed string
	// hung is how long the job had been silent when it was killed for it.
	hung time.Duration
	// lost says that the launcher no longer knows the job.
	lost bool
	// failed is the launcher's own trouble.
	failed error
}

// watch follows a job to its end, tells of it in heartbeats, and kills it when it
// is silent for too long. It returns an error when ctx ends or the worker stops.
func (a *Activities) watch(ctx context.Context, launcher Launcher, in contract.TrainInput, attempt int, beat *pulse) (end, error) {
	key := JobKey{Sweep: in.Sweep, Trial: in.ID, Epochs: in.Epochs}
	progress := contract.Progress{ID: in.ID, Attempt: attempt, Phase: contract.PhaseQueued, Epochs: in.Epochs}
	if attempt != in.Attempt {
		beat.update(progress)
	}

	type ended struct {
		exit Exit
		err  error
	}
	watchCtx, cancel := context.WithCancel(ctx)
	updates, over := make(chan JobUpdate), make(chan ended, 1)
	go func() {
		exit, err := launcher.Watch(watchCtx, key, func(u JobUpdate) {
			select {
			case updates <- u:
			case <-watchCtx.Done():
			}
		})
		over <- ended{exit, err}
	}()
	watching := true
	defer func() {
		cancel()
		if watching {
			<-over
		}
	}()

	limit := time.Duration(in.NoProgressSeconds) * time.Second
	// Waiting for a place is no silence, so this one runs only while the job does.
	silence := time.NewTimer(time.Hour)
	silence.Stop()
	defer silence.Stop()
	var e end
	for {
		select {
		case u := <-updates:
			if u.State == JobRunning && limit > 0 {
				silence.Reset(limit)
			}
			if advance(&progress, u) {
				beat.update(progress)
			}
			if line := contract.OneLine(u.Line); line != "" {
				e.printed = line
			}
		case <-silence.C:
			e.hung = limit
			if err := launcher.Stop(ctx, key); err != nil {
				if ctx.Err() != nil {
					return end{}, ctx.Err()
				}
				e.hung, e.failed = 0, fmt.Errorf("no output for %s, but it cannot be killed: %w", limit, err)
				return e, nil
			}
		case o := <-over:
			watching = false
			if o.err != nil && ctx.Err() != nil {
				return end{}, ctx.Err()
			}
			e.exit, e.lost = o.exit, errors.Is(o.err, ErrNoJob)
			if !e.exit.Stopped {
				e.hung = 0 // it ended by itself in that very moment
			}
			if !e.lost {
				e.failed = o.err
			}
			return e, nil
		case <-ctx.Done():
			return end{}, ctx.Err()
		case <-activity.GetWorkerStopChannel(ctx):
			return end{}, temporal.NewApplicationError("the worker is stopping; the trainer was left alone", contract.Detached)
		}
	}
}

// advance moves progress on by an update and says whether it changed.
func advance(p *contract.Progress, u JobUpdate) bool {
	before := *p
	switch {
	case u.State == JobRunning && p.Phase == contract.PhaseQueued:
		p.Phase = contract.PhaseStarting
	case u.State == JobQueued:
		p.Phase = contract.PhaseQueued
	}
	if m, ok := parseEpoch(u.Line); ok {
		p.Phase = contract.PhaseTraining
		if m.Epoch > p.Epoch {
			p.Epoch, p.ValidationError = m.Epoch, m.ValidationError
		}
	}
	return *p != before
}

// parseEpoch reads the line of metrics that a trainer prints after each epoch.
// Anything else is text, and none of our business.
func parseEpoch(line string) (sweeps.EpochMetrics, bool) {
	if len(line) == 0 || line[0] != '{' {
		return sweeps.EpochMetrics{}, false
	}
	var m struct {
		Event string `json:"event"`
		sweeps.EpochMetrics
	}
	if err := json.Unmarshal([]byte(line), &m); err != nil || m.Event != "epoch" || m.Epoch < 1 {
		return sweeps.EpochMetrics{}, false
	}
	return m.EpochMetrics, true
}
