package nomad

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/tenfold-ml/tenfold/activities"
)

// Launch implements activities.Launcher. A job of the key that is queued or running is
// attached to, whoever launched it. Otherwise one is registered, by its ID and only
// if there is none of that ID: two workers that launch the same attempt make one job,
// and an attempt that has run already is not run again, but ended. Of two that
// launch different attempts at once, the one that Nomad registered first goes on.
func (l *Launcher) Launch(ctx context.Context, job activities.Job) (int, error) {
	attempt, err := l.launch(ctx, job)
	if err != nil {
		return 0, fmt.Errorf("launch trial %s: %w", job.Key.Trial, err)
	}
	return attempt, nil
}

func (l *Launcher) launch(ctx context.Context, job activities.Job) (int, error) {
	f, err := l.feed(ctx)
	if err != nil {
		return 0, err
	}
	if len(job.Command) == 0 {
		return 0, errors.New("the job has no command")
	}
	unlock, err := f.lock(ctx, job.Key)
	if err != nil {
		return 0, err
	}
	defer unlock()
	if r := f.current(job.Key); r != nil {
		return r.attempt, nil
	}
	if r, err := f.attach(ctx, job.Key, nil); err != nil || r != nil {
		if r != nil {
			f.lend(r, l.spec.Credentials, 0) // nobody knows how old they are
		}
		return r.number(), err
	}
	p, err := l.cluster.program(ctx, job.Command)
	if err != nil {
		return 0, err
	}
	described, err := jobOf(l.spec, job, p)
	if err != nil {
		return 0, err
	}
	if err := l.cluster.provide(ctx, f, l.spec.Credentials, job.Key, jobID(job.Key, job.Attempt)); err != nil {
		return 0, err
	}
	r, err := f.register(ctx, job, described)
	if err == nil {
		f.lend(r, l.spec.Credentials, time.Duration(l.spec.Credentials.Duration)/2)
	}
	if err != nil {
		return 0, err
	}
	// Somebody else may have registered another attempt since we looked.
	first, err := f.attach(ctx, job.Key, r)
	if err != nil {
		return 0, err
	}
	if first != r && first != nil {
		if err := f.withdraw(ctx, r); err != nil {
			return 0, err
		}
		return first.attempt, nil
	}
	return r.attempt, nil
}

// number is a run's attempt, 0 for none.
func (r *run) number() int {
	if r == nil {
		return 0
	}
	return r.attempt
}

// current is a run of the key that this process knows to be under way, if there is one.
func (f *feed) current(key activities.JobKey) *run {
	f.c.mu.Lock()
	defer f.c.mu.Unlock()
	if r := f.latest[key]; r != nil && !r.over {
		return r
	}
	return nil
}

// register registers a job unless it is there. Its run is tracked before that, so
// that no event is missed.
func (f *feed) register(ctx context.Context, job activities.Job, described *api.Job) (*run, error) {
	r, fresh := f.track(job.Key, job.Attempt)
	if !fresh {
		return r, nil // it has ended, and is remembered
	}
	r.reading.Lock()
	r.stdout.started = true // from the first byte on
	r.reading.Unlock()
	there := false
	err := f.c.call(ctx, "register job "+r.id, func(ctx context.Context) error {
		answer, _, err := f.c.client.Jobs().EnforceRegister(described, 0, f.write(ctx))
		if there = err != nil && exists(err); there {
			return nil
		}
		if err == nil {
			f.c.mu.Lock()
			r.history.record(jobRecord{
				ID: r.id, Namespace: f.namespaceOrDefault(), Status: "pending",
				CreateIndex: answer.JobModifyIndex, ModifyIndex: answer.JobModifyIndex,
			})
			r.advance()
			f.c.mu.Unlock()
		}
		return err
	})
	if err == nil && there {
		err = f.sync(ctx, r)
	}
	if err != nil {
		f.c.mu.Lock()
		r.interrupt(err)
		f.drop(r)
		f.c.mu.Unlock()
		return nil, err
	}
	return r, nil
}

// attach finds the job of the key that is under way, in Nomad, and tracks it: of
// several the one that was registered first. own is a run that was just registered.
func (f *feed) attach(ctx context.Context, key activities.JobKey, own *run) (*run, error) {
	found, err := f.attempts(ctx, key)
	if err != nil {
		return nil, err
	}
	for _, j := range found {
		attempt, _ := attemptOf(j.ID, key)
		if j.Status == jobDead {
			continue
		}
		if own != nil && own.attempt == attempt {
			return own, nil
		}
		r, fresh := f.track(key, attempt)
		if fresh {
			if err := f.sync(ctx, r); err != nil {
				return nil, err
			}
		}
		f.c.mu.Lock()
		ended := r.ending
		if !ended {
			f.latest[key] = r
		}
		f.c.mu.Unlock()
		if !ended {
			return r, nil
		}
	}
	return nil, nil
}

// attempts are the jobs of a key, in the order in which they were registered.
func (f *feed) attempts(ctx context.Context, key activities.JobKey) ([]jobRecord, error) {
	found, err := f.list(ctx, jobPrefix(key), nil)
	if err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(j jobRecord) bool {
		_, ok := attemptOf(j.ID, key)
		return !ok
	})
	slices.SortFunc(found, func(a, b jobRecord) int { return cmp.Compare(a.CreateIndex, b.CreateIndex) })
	return found, nil
}

// withdraw stops a run of ours that came second.
func (f *feed) withdraw(ctx context.Context, r *run) error {
	f.c.mu.Lock()
	r.history.stopped, r.closing = true, true
	f.c.mu.Unlock()
	return f.deregister(ctx, r)
}

// keyLock lets one launch of a key go ahead at a time.
type keyLock struct {
	held  chan struct{} // of one place
	users int
}

// lock waits for its turn.
func (f *feed) lock(ctx context.Context, key activities.JobKey) (unlock func(), err error) {
	f.c.mu.Lock()
	l := f.locks[key]
	if l == nil {
		l = &keyLock{held: make(chan struct{}, 1)}
		f.locks[key] = l
	}
	l.users++
	f.c.mu.Unlock()
	leave := func() {
		f.c.mu.Lock()
		defer f.c.mu.Unlock()
		if l.users--; l.users == 0 {
			delete(f.locks, key)
		}
	}
	select {
	case l.held <- struct{}{}:
		return func() { <-l.held; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, ctx.Err()
	}
}
