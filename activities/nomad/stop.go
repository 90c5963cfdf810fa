package nomad

import (
	"context"
	"errors"
	"fmt"

	"github.com/tenfold-ml/tenfold/activities"
)

// Stop implements activities.Launcher: it deregisters every job of the key. Nomad
// sends SIGTERM, and SIGKILL after the spec's kill_timeout. What ran on a node that
// cannot be reached counts as gone once Nomad has given the node up: the store keeps
// such an orphan from doing harm.
func (l *Launcher) Stop(ctx context.Context, key activities.JobKey) error {
	f, err := l.feed(context.WithoutCancel(ctx))
	if err != nil {
		return fmt.Errorf("stop trial %s: %w", key.Trial, err)
	}
	// Nobody may wait for it, but it is stopped all the same.
	done := make(chan error, 1)
	if err := l.cluster.spawn(func() { done <- f.stop(l.cluster.ctx, key) }); err != nil {
		return fmt.Errorf("stop trial %s: %w", key.Trial, err)
	}
	select {
	case err = <-done:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("stop trial %s: %w", key.Trial, err)
	}
	return nil
}

// stop stops the jobs of a key and waits until nothing of them is left.
func (f *feed) stop(ctx context.Context, key activities.JobKey) error {
	found, err := f.attempts(ctx, key)
	if err != nil {
		return f.ending(err)
	}
	var runs []*run
	var errs []error
	for _, j := range found {
		attempt, _ := attemptOf(j.ID, key)
		if j.Status == jobDead && !f.follows(j.ID) {
			continue
		}
		r, fresh := f.track(key, attempt)
		f.c.mu.Lock()
		needed := !r.ending
		if needed {
			r.history.stopped, r.closing = true, true
		}
		f.c.mu.Unlock()
		if !needed {
			runs = append(runs, r)
			continue
		}
		if err := f.deregister(ctx, r); err != nil {
			errs = append(errs, err)
			continue
		}
		if fresh {
			if err := f.sync(ctx, r); err != nil {
				errs = append(errs, err)
				continue
			}
		}
		runs = append(runs, r)
	}
	for _, r := range runs {
		if err := f.gone(ctx, r); err != nil {
			errs = append(errs, err)
		}
	}
	return f.ending(errors.Join(errs...))
}

// ending tells ErrClosed from other ends of a context.
func (f *feed) ending(err error) error {
	if err != nil && f.c.ctx.Err() != nil {
		return activities.ErrClosed
	}
	return err
}

// follows says whether a job is followed that has not ended.
func (f *feed) follows(id string) bool {
	f.c.mu.Lock()
	defer f.c.mu.Unlock()
	r := f.runs[id]
	return r != nil && !r.over
}

// gone waits for the end of a run.
func (f *feed) gone(ctx context.Context, r *run) error {
	for {
		f.c.mu.Lock()
		err, changed := f.denied, f.changed
		f.c.mu.Unlock()
		if err != nil {
			return err
		}
		select {
		case <-r.done:
			return nil
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
