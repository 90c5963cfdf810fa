package nomad

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/tenfold-ml/tenfold/activities"
	"github.com/tenfold-ml/tenfold/activities/internal/jobs"
)

const (
	// silence is how long a stream may say nothing; Nomad sends a sign of life every
	// 30 s.
	silence = 75 * time.Second
	// longestGap is the longest time between two tries to open a stream.
	longestGap = 10 * time.Second
	// streamPath asks for the events of jobs, allocations and evaluations.
	streamPath = "/v1/event/stream?topic=Job:*&topic=Allocation:*&topic=Evaluation:*"
)

// feed follows the events of a place for all runs there. The stream is opened first
// and lists are read then, so that between the two nothing is missed; what is told
// twice does no harm. Lists are read again now and then, in case Nomad drops an event.
type feed struct {
	c *Cluster
	place

	// The cluster's mutex guards what follows.
	runs    map[string]*run // by the job's ID
	latest  map[activities.JobKey]*run
	locks   map[activities.JobKey]*keyLock
	live    bool
	denied  error         // what the last try to open the stream came to, if it was that
	tries   int           // how often that was tried
	changed chan struct{} // closed and replaced with live, denied and tries

	poke chan struct{} // of one place: try again now
	last uint64        // the newest event, of follow's goroutine alone
}

func newFeed(c *Cluster, at place) *feed {
	return &feed{
		c: c, place: at,
		runs: map[string]*run{}, latest: map[activities.JobKey]*run{}, locks: map[activities.JobKey]*keyLock{},
		changed: make(chan struct{}), poke: make(chan struct{}, 1),
	}
}

// track returns the run of a job, which from now on takes part in what happens. fresh
// says that it is a new one.
func (f *feed) track(key activities.JobKey, attempt int) (r *run, fresh bool) {
	f.c.mu.Lock()
	defer f.c.mu.Unlock()
	id := jobID(key, attempt)
	if r := f.runs[id]; r != nil {
		return r, false
	}
	r = &run{
		feed: f, key: key, attempt: attempt, id: id,
		out: jobs.NewOutput(), done: make(chan struct{}),
		history:  history{attempt: attempt},
		watchers: map[*watcher]struct{}{},
	}
	f.runs[id] = r
	if old := f.latest[key]; old == nil || old.over || old.attempt < attempt {
		f.latest[key] = r
	}
	return r, true
}

// drop forgets a run. The mutex is held.
func (f *feed) drop(r *run) {
	if f.runs[r.id] == r {
		delete(f.runs, r.id)
	}
	if f.latest[r.key] == r {
		delete(f.latest, r.key)
	}
}

// interrupt ends all calls of Watch. The mutex is held.
func (f *feed) interrupt(why error) {
	for _, r := range f.runs {
		if !r.over {
			r.interrupt(why)
		}
	}
	if errors.Is(why, activities.ErrClosed) {
		f.notify()
	}
}

// notify wakes those who await the feed. The mutex is held.
func (f *feed) notify() {
	close(f.changed)
	f.changed = make(chan struct{})
}

// await returns when the feed follows what happens, or when it is refused to.
func (f *feed) await(ctx context.Context) error {
	f.c.mu.Lock()
	before := f.tries
	f.c.mu.Unlock()
	select {
	case f.poke <- struct{}{}:
	default:
	}
	for {
		f.c.mu.Lock()
		live, err, tries, changed, closed := f.live, f.denied, f.tries, f.changed, f.c.closed
		f.c.mu.Unlock()
		switch {
		case closed:
			return activities.ErrClosed
		case live:
			return nil
		case err != nil && tries > before:
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// follow keeps a stream open until the cluster is closed.
func (f *feed) follow() {
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, longestGap) {
		wasLive, err := f.session()
		if f.c.ctx.Err() != nil {
			return
		}
		if wasLive {
			pause = 100 * time.Millisecond
		}
		f.c.mu.Lock()
		f.live, f.denied = false, nil
		f.tries++
		if errors.Is(err, activities.ErrDenied) {
			f.denied = err
			f.interrupt(err)
		}
		f.notify()
		f.c.mu.Unlock()
		f.c.opts.Log.Warn("lost touch with Nomad", "namespace", f.namespace, "error", err)
		select {
		case <-time.After(pause):
		case <-f.poke:
		case <-f.c.ctx.Done():
			return
		}
	}
}

// session opens a stream and follows it to its end.
func (f *feed) session() (wasLive bool, err error) {
	ctx, cancel := context.WithCancelCause(f.c.ctx)
	defer cancel(nil)
	watchdog := time.AfterFunc(silence, func() { cancel(errors.New("no sign of life")) })
	defer watchdog.Stop()

	body, err := f.c.client.Raw().Response(streamPath+"&index="+strconv.FormatUint(f.last, 10), f.query(ctx, nil))
	if err != nil {
		return false, fmt.Errorf("open the event stream: %w", cmpCause(ctx, denied(err, f.c.address)))
	}
	defer func() { _ = body.Close() }() // nothing was written to it

	stream := json.NewDecoder(body)
	var batch events
	// The first thing that comes is a sign of life, and says that we are subscribed.
	if err := stream.Decode(&batch); err != nil {
		// Nomad refuses in words that are no JSON, under a status of 200.
		if _, e := f.list(ctx, "tenfold-", map[string]string{"per_page": "1"}); errors.Is(e, activities.ErrDenied) {
			return false, e
		}
		return false, fmt.Errorf("open the event stream: %w", cmpCause(ctx, err))
	}
	f.apply(batch)

	var synced sync.WaitGroup
	defer synced.Wait()
	defer cancel(nil)
	synced.Go(func() {
		if err := f.resync(ctx); err != nil {
			cancel(err)
		}
	})
	for {
		var batch events
		if err := stream.Decode(&batch); err != nil {
			f.c.mu.Lock()
			defer f.c.mu.Unlock()
			return f.live, fmt.Errorf("read the event stream: %w", cmpCause(ctx, err))
		}
		watchdog.Reset(silence)
		f.apply(batch)
	}
}

// cmpCause prefers why a context was ended to what came of it.
func cmpCause(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// events are a line of the stream.
type events struct {
	Index  uint64
	Events []struct {
		Topic      string
		Key        string
		FilterKeys []string
		Payload    json.RawMessage
	}
}

// payload is what events carry; one of them each.
type payload struct {
	Job        *jobRecord
	Allocation *allocation
	Evaluation *api.Evaluation
}

// apply takes events in.
func (f *feed) apply(batch events) {
	if batch.Index > f.last {
		f.last = batch.Index
	}
	f.c.mu.Lock()
	defer f.c.mu.Unlock()
	for _, e := range batch.Events {
		id := e.Key
		if e.Topic != "Job" {
			if len(e.FilterKeys) == 0 {
				continue
			}
			id = e.FilterKeys[0]
		}
		r := f.runs[id]
		if r == nil || r.ending {
			continue // not ours to follow
		}
		var p payload
		if err := json.Unmarshal(e.Payload, &p); err != nil {
			f.c.opts.Log.Warn("an event cannot be read", "job", id, "error", err)
			continue
		}
		switch {
		case p.Job != nil && p.Job.Namespace == f.namespaceOrDefault():
			r.history.record(*p.Job)
		case p.Allocation != nil && p.Allocation.Namespace == f.namespaceOrDefault():
			r.history.allocated(p.Allocation)
		case p.Evaluation != nil:
			r.noteWaiting(p.Evaluation)
		}
		r.advance()
	}
}

func (p place) namespaceOrDefault() string { return or(p.namespace, api.DefaultNamespace) }

// noteWaiting logs why a job is queued, once for each reason. The mutex is held.
func (r *run) noteWaiting(e *api.Evaluation) {
	for _, metric := range e.FailedTGAllocs {
		why, _ := misfit(metric, &api.Job{})
		if why != r.waiting {
			r.waiting = why
			r.feed.c.opts.Log.Info("a trial waits for a place", "job", r.id, "trial", r.key.Trial, "why", why)
		}
	}
}

// resync compares lists with what is known, at once and then every so often, until
// ctx ends.
func (f *feed) resync(ctx context.Context) error {
	every := time.NewTicker(f.c.opts.Resync)
	defer every.Stop()
	for {
		if err := f.compare(ctx); err != nil {
			return err
		}
		f.c.mu.Lock()
		if !f.live {
			f.live, f.denied = true, nil
			f.tries++
			f.notify()
		}
		f.c.mu.Unlock()
		select {
		case <-every.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// compare reads what is alive and asks for the details of every run that is not as
// it is thought to be. Of the many jobs that have ended it asks for none.
func (f *feed) compare(ctx context.Context) error {
	f.c.mu.Lock()
	idle := len(f.runs) == 0
	f.c.mu.Unlock()
	if idle {
		// Only to know that we may.
		_, err := f.list(ctx, "tenfold-", map[string]string{"per_page": "1"})
		return err
	}
	var live []jobRecord
	var stubs []allocation
	var index uint64
	err := f.c.call(ctx, "list jobs", func(ctx context.Context) error {
		q := f.query(ctx, map[string]string{"filter": `Status != "dead"`})
		q.Prefix = "tenfold-"
		meta, err := f.c.client.Raw().Query("/v1/jobs", &live, q)
		if err == nil {
			index = meta.LastIndex
		}
		return err
	})
	if err != nil {
		return err
	}
	err = f.c.call(ctx, "list allocations", func(ctx context.Context) error {
		stubs = nil
		_, err := f.c.client.Raw().Query("/v1/allocations", &stubs, f.query(ctx, map[string]string{
			"task_states": "false",
			"filter":      `JobID matches "^tenfold-" and ClientStatus != "complete" and ClientStatus != "failed" and ClientStatus != "lost"`,
		}))
		return err
	})
	if err != nil {
		return err
	}
	return f.settle(ctx, f.doubtful(live, stubs, index))
}

// doubtful are the runs of which lists tell something else than what is known.
func (f *feed) doubtful(live []jobRecord, stubs []allocation, index uint64) []*run {
	records := map[string]jobRecord{}
	for _, j := range live {
		records[j.ID] = j
	}
	alive := map[string]map[string]uint64{} // index of each allocation that is, by job
	for _, a := range stubs {
		if alive[a.JobID] == nil {
			alive[a.JobID] = map[string]uint64{}
		}
		alive[a.JobID][a.ID] = a.ModifyIndex
	}
	f.c.mu.Lock()
	defer f.c.mu.Unlock()
	var doubt []*run
	for _, r := range f.runs {
		if r.ending || r.history.job.ModifyIndex == 0 || r.history.job.CreateIndex > index {
			continue // ended, or registered after the list was made
		}
		j, listed := records[r.id]
		if listed {
			r.history.record(j)
		}
		stale, newest := !listed, alive[r.id]
		for _, a := range r.history.allocations {
			if at, there := newest[a.ID]; there && at > a.ModifyIndex || !there && !a.over() {
				stale = true
			}
			delete(newest, a.ID)
		}
		stale = stale || len(newest) > 0 // one that we know nothing of
		if stale {
			doubt = append(doubt, r)
		}
		r.advance()
	}
	return doubt
}

// settle asks for the details of runs, a few at a time.
func (f *feed) settle(ctx context.Context, doubt []*run) error {
	var group sync.WaitGroup
	failed := make(chan error, len(doubt))
	for chunk := range slices.Chunk(doubt, connections/2) {
		for _, r := range chunk {
			group.Go(func() {
				if err := f.sync(ctx, r); err != nil {
					failed <- err
				}
			})
		}
		group.Wait()
	}
	close(failed)
	return <-failed
}

// sync asks for all that there is to know about a run. The allocations come after
// the job: of one that is dead they are then the last.
func (f *feed) sync(ctx context.Context, r *run) error {
	var j jobRecord
	gone := false
	err := f.c.call(ctx, "ask for job "+r.id, func(ctx context.Context) error {
		_, err := f.c.client.Raw().Query("/v1/job/"+r.id, &j, f.query(ctx, nil))
		if gone = absent(err); gone {
			return nil
		}
		return err
	})
	if err != nil {
		return err
	}
	var all []*allocation
	err = f.c.call(ctx, "ask for the allocations of job "+r.id, func(ctx context.Context) error {
		all = nil
		_, err := f.c.client.Raw().Query("/v1/job/"+r.id+"/allocations", &all, f.query(ctx, map[string]string{"all": "true"}))
		return err
	})
	if err != nil {
		return err
	}
	f.c.mu.Lock()
	defer f.c.mu.Unlock()
	if gone {
		r.history.vanished()
	} else {
		r.history.record(j)
	}
	for _, a := range all {
		r.history.allocated(a)
	}
	r.advance()
	return nil
}

// list asks for the jobs whose IDs begin with a prefix.
func (f *feed) list(ctx context.Context, prefix string, params map[string]string) (found []jobRecord, err error) {
	err = f.c.call(ctx, "list jobs", func(ctx context.Context) error {
		found = nil
		q := f.query(ctx, maps.Clone(params))
		q.Prefix = prefix
		_, err := f.c.client.Raw().Query("/v1/jobs", &found, q)
		return err
	})
	return found, err
}

// deregister stops the job of a run, without forgetting it.
func (f *feed) deregister(ctx context.Context, r *run) error {
	err := f.c.call(ctx, "stop job "+r.id, func(ctx context.Context) error {
		_, _, err := f.c.client.Jobs().Deregister(r.id, false, f.write(ctx))
		if absent(err) || err != nil && strings.Contains(err.Error(), "job not found") {
			return nil
		}
		return err
	})
	if err != nil {
		f.c.mu.Lock()
		r.closing = false // the next one to look tries again
		f.c.mu.Unlock()
	}
	return err
}

// raw reads an answer that is no JSON, at most limit bytes of it.
func (f *feed) raw(ctx context.Context, path string, params map[string]string, limit int64) (text []byte, err error) {
	err = f.c.once(ctx, func(ctx context.Context) error {
		body, err := f.c.client.Raw().Response(path, f.query(ctx, params))
		if err != nil {
			return err
		}
		text, err = io.ReadAll(io.LimitReader(body, limit))
		return errors.Join(err, body.Close())
	})
	return text, err
}
