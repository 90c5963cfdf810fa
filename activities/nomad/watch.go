package nomad

import (
	"context"

	"github.com/tenfold-ml/tenfold/activities"
)

// Watch implements activities.Launcher. While Nomad cannot be reached it waits, and
// while a node cannot be, its job counts as running. A job that Nomad has forgotten
// is ErrNoJob: then the store alone knows.
func (l *Launcher) Watch(ctx context.Context, key activities.JobKey, update func(activities.JobUpdate)) (activities.Exit, error) {
	f, err := l.feed(ctx)
	if err != nil {
		return activities.Exit{}, err
	}
	r, err := f.find(ctx, key)
	if err != nil {
		return activities.Exit{}, err
	}
	c := f.c
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	w := &watcher{cancel}
	c.mu.Lock()
	lost := r.over && !r.known
	denied := f.denied
	r.watchers[w] = struct{}{}
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(r.watchers, w)
		c.mu.Unlock()
	}()
	if lost {
		return activities.Exit{}, noJob(key)
	}
	if denied != nil {
		if err := f.await(ctx); err != nil { // it may have been allowed since
			return activities.Exit{}, err
		}
	}
	return r.out.Follow(ctx, update)
}

// find returns the latest run of a key: one that is known here, else the one that is
// under way, else the last that Nomad remembers.
func (f *feed) find(ctx context.Context, key activities.JobKey) (*run, error) {
	f.c.mu.Lock()
	r := f.latest[key]
	f.c.mu.Unlock()
	if r != nil {
		return r, nil
	}
	if r, err := f.attach(ctx, key, nil); err != nil || r != nil {
		return r, err
	}
	found, err := f.attempts(ctx, key)
	if err != nil {
		return nil, err
	}
	last := 0
	for _, j := range found {
		if attempt, _ := attemptOf(j.ID, key); attempt > last {
			last = attempt
		}
	}
	if last == 0 {
		return nil, noJob(key)
	}
	r, fresh := f.track(key, last)
	if fresh {
		if err := f.sync(ctx, r); err != nil {
			return nil, err
		}
	}
	return r, nil
}
