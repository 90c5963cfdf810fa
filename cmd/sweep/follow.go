package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/tenfold-ml/tenfold/activities/contract"
	"github.com/tenfold-ml/tenfold/internal/workdir"
	"github.com/tenfold-ml/tenfold/sweeps"
)

// errServerGone says that the process that ran the embedded server has ended.
var errServerGone = errors.New("the process that ran the server has ended")

// noWorkerAfter is for how long work may lie around before it is said that nobody
// takes it up.
const noWorkerAfter = 5 * time.Second

// view shows what a sweep is doing. Its methods are called by one goroutine.
type view interface {
	// event tells what happened.
	event(event) error
	// draw shows where the sweep stands.
	draw(snapshot) error
	// interval is the time between two calls of draw.
	interval() time.Duration
	// finish shows the end.
	finish(*summary) error
	// close gives the terminal back; nothing is shown afterwards.
	close() error
}

// follower watches one execution of a sweep.
type follower struct {
	conn  *connection
	home  workdir.Dir
	sweep string
	run   string
	// skip is how many events of the history had happened before anybody looked:
	// they are not told again.
	skip int64
	// tick is called between two looks; it may be nil.
	tick func(context.Context) error

	last    snapshot // that was shown
	refused int      // times in a row that the progress could not be asked for
}

// follow shows the sweep until it ends, ctx does, or the server is gone.
func (f *follower) follow(ctx context.Context, v view) error {
	ctx, cancel := context.WithCancel(ctx)
	h := newHistorian(f.sweep, f.trialLog)
	h.skip = f.skip
	news := make(chan []event, 64)
	told := make(chan error, 1)
	go func() {
		told <- h.tell(ctx, f.conn, f.run, true, func(events []event) {
			if len(events) == 0 {
				return
			}
			select {
			case news <- events:
			case <-ctx.Done():
			}
		})
		close(news)
	}()
	defer func() {
		cancel()
		for range news { // until the reader is gone
		}
	}()
	ticker := time.NewTicker(v.interval())
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			f.last = h.snapshot()
			return context.Cause(ctx)
		case events, ok := <-news:
			if !ok {
				if err := <-told; err != nil {
					return f.diagnose(ctx, err)
				}
				f.last = h.snapshot()
				return v.draw(f.last)
			}
			if err := showAll(v, events); err != nil {
				return err
			}
		case <-ticker.C:
			for len(news) > 0 { // first things first
				if err := showAll(v, <-news); err != nil {
					return err
				}
			}
			if err := showAll(v, h.settle()); err != nil {
				return err
			}
			if f.tick != nil {
				if err := f.tick(ctx); err != nil {
					return f.diagnose(ctx, err)
				}
			}
			s := h.snapshot()
			if err := f.observe(ctx, &s); err == nil {
				f.refused = 0
			} else if f.refused++; !passing(err) || f.refused > rereads {
				return f.diagnose(ctx, err)
			}
			f.last = s
			if err := v.draw(s); err != nil {
				return err
			}
		}
	}
}

func showAll(v view, news []event) error {
	for _, e := range news {
		if err := v.event(e); err != nil {
			return err
		}
	}
	return nil
}

// trialLog is where the standard error of a failed trial is, if it is on this machine.
func (f *follower) trialLog(id sweeps.TrialID) string {
	return existing(f.home.TrialLog(string(id)))
}

// observe adds what is not in the history: how far each trial has got, and
// whether anybody works on the sweep.
func (f *follower) observe(ctx context.Context, s *snapshot) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	d, err := f.conn.client.DescribeWorkflowExecution(ctx, f.sweep, "")
	if err != nil {
		return fmt.Errorf("ask for the sweep's progress: %w", err)
	}
	addProgress(s, d)
	task := d.GetPendingWorkflowTask()
	if task.GetAttempt() > 2 {
		s.note = "the sweep is stuck: its workflow task keeps failing; the log of whoever works on it says why"
	} else if task.GetState() == enumspb.PENDING_WORKFLOW_TASK_STATE_SCHEDULED &&
		time.Since(task.GetScheduledTime().AsTime()) > noWorkerAfter {
		s.note = "nobody works on this sweep; it goes on when " + f.conn.whoWouldWork() + " runs"
	}
	return nil
}

// whoWouldWork names the command that works on sweeps.
func (c *connection) whoWouldWork() string {
	if c.embedded() {
		return `"sweep run" or "sweep dev"`
	}
	return `a "sweep worker"`
}

// addProgress takes the trials' progress from their activities' heartbeats.
func addProgress(s *snapshot, d *workflowservice.DescribeWorkflowExecutionResponse) {
	beats := map[sweeps.TrialID]contract.Progress{}
	for _, a := range d.GetPendingActivities() {
		var p contract.Progress
		if a.GetActivityType().GetName() != contract.TrainActivity || a.GetHeartbeatDetails() == nil {
			continue
		}
		if err := decode(a.GetHeartbeatDetails(), &p); err == nil {
			beats[p.ID] = p
		}
	}
	for i := range s.running {
		if p, ok := beats[s.running[i].progress.ID]; ok {
			s.running[i].progress = p
		}
	}
}

// diagnose finds out whether an error means that the server has gone for good.
func (f *follower) diagnose(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if user := (*userError)(nil); errors.As(err, &user) || errors.Is(err, errServerGone) {
		return err
	}
	if !f.conn.embedded() {
		return fmt.Errorf("the connection to %s is lost, but the sweep goes on: %w", f.conn.address, err)
	}
	if f.conn.owner() {
		if failed := f.conn.server.Err(); failed != nil {
			return fmt.Errorf("the embedded server failed: %w", failed)
		}
		return err
	}
	// A process on its way out stops its server before it lets go of the lock.
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
		if f.conn.lost() {
			return errServerGone
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(50 * time.Millisecond):
		}
	}
	return err
}
