package jobs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"time"

	"github.com/tenfold-ml/tenfold/activities"
)

// Options of a [Queue].
type Options struct {
	// Cores that may be busy at a time, at least 1.
	Cores int
	// Grace is the time between Terminate and Kill.
	Grace time.Duration
	// Remember is the number of ended jobs that are remembered, at least 1.
	Remember int
	// LockThread starts all jobs from one operating-system thread, which lives
	// until the last of them has ended.
	LockThread bool
}

// Queue implements activities.Launcher on a [Runner].
type Queue struct {
	opts   Options
	runner Runner

	mu      sync.Mutex
	wake    *sync.Cond // for dispatch: something was queued, freed or closed
	jobs    map[activities.JobKey]*job
	waiting []*job
	free    int
	live    int // jobs that hold cores
	ended   []*job
	closed  bool

	hard       chan struct{} // closed when Close runs out of patience
	hardOnce   sync.Once
	dispatched chan struct{} // closed when dispatch has returned
	watched    sync.WaitGroup
}

// job is one launch. Its fields up to the blank line never change; the others
// belong to the queue's mutex.
type job struct {
	activities.Job
	out  *Output
	stop chan struct{}
	done chan struct{}

	stopping bool
	ended    bool
	process  Process
}

// New starts a queue, which runs until Close.
func New(runner Runner, opts Options) *Queue {
	q := &Queue{
		opts: opts, runner: runner,
		jobs: map[activities.JobKey]*job{}, free: opts.Cores,
		hard: make(chan struct{}), dispatched: make(chan struct{}),
	}
	q.wake = sync.NewCond(&q.mu)
	go q.dispatch()
	return q
}

// Launch implements activities.Launcher.
func (q *Queue) Launch(ctx context.Context, j activities.Job) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if len(j.Command) == 0 {
		return 0, errors.New("launch: the job has no command")
	}
	// A job that asks for more than there is gets all of it.
	j.Cores = min(max(j.Cores, 1), q.opts.Cores)
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return 0, fmt.Errorf("launch trial %s: %w", j.Key.Trial, activities.ErrClosed)
	}
	if old := q.jobs[j.Key]; old != nil && !old.ended {
		return old.Attempt, nil
	}
	n := &job{Job: j, out: NewOutput(), stop: make(chan struct{}), done: make(chan struct{})}
	q.jobs[j.Key] = n
	q.waiting = append(q.waiting, n)
	q.wake.Signal()
	return j.Attempt, nil
}

// Watch implements activities.Launcher.
func (q *Queue) Watch(ctx context.Context, key activities.JobKey, update func(activities.JobUpdate)) (activities.Exit, error) {
	j := q.find(key)
	if j == nil {
		return activities.Exit{}, noJob(key)
	}
	return j.out.Follow(ctx, update)
}

// Stop implements activities.Launcher.
func (q *Queue) Stop(ctx context.Context, key activities.JobKey) error {
	q.mu.Lock()
	j := q.jobs[key]
	if j == nil {
		q.mu.Unlock()
		return nil
	}
	q.stopLocked(j)
	q.mu.Unlock()
	select {
	case <-j.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stop trial %s: %w", key.Trial, ctx.Err())
	}
}

// stopLocked asks a job to stop, or takes it out of the queue.
func (q *Queue) stopLocked(j *job) {
	if j.ended || j.stopping {
		return
	}
	j.stopping = true
	close(j.stop)
	for i, w := range q.waiting {
		if w == j {
			q.waiting = append(q.waiting[:i], q.waiting[i+1:]...)
			q.endLocked(j, activities.Exit{Code: -1, Reason: "stopped before it was started"})
			// The one behind it may fit now.
			q.wake.Signal()
			return
		}
	}
}

// Logs implements activities.Launcher.
func (q *Queue) Logs(_ context.Context, key activities.JobKey, w io.Writer) error {
	q.mu.Lock()
	j := q.jobs[key]
	var p Process
	if j != nil {
		p = j.process
	}
	q.mu.Unlock()
	switch {
	case j == nil:
		return noJob(key)
	case p == nil: // queued
		return nil
	}
	return p.Logs(w)
}

// Close implements activities.Launcher. When ctx ends first, the jobs are killed
// at once; either way nothing is left when it returns.
func (q *Queue) Close(ctx context.Context) error {
	q.mu.Lock()
	q.closed = true
	for _, j := range q.jobs {
		q.stopLocked(j)
	}
	q.wake.Signal()
	q.mu.Unlock()

	var err error
	select {
	case <-q.dispatched:
	case <-ctx.Done():
		err = fmt.Errorf("close launcher: jobs were killed before they had finished: %w", ctx.Err())
		q.hardOnce.Do(func() { close(q.hard) })
		<-q.dispatched
	}
	q.watched.Wait()
	return err
}

func (q *Queue) find(key activities.JobKey) *job {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.jobs[key]
}

func noJob(key activities.JobKey) error {
	return fmt.Errorf("trial %s, %d epochs: %w", key.Trial, key.Epochs, activities.ErrNoJob)
}

// dispatch starts the jobs in their order, each as soon as its cores are free.
// A wide job at the head holds up narrow ones behind it, else it might wait forever.
func (q *Queue) dispatch() {
	defer close(q.dispatched)
	if q.opts.LockThread {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for {
		for len(q.waiting) > 0 && q.waiting[0].Cores <= q.free {
			j := q.waiting[0]
			q.waiting[0] = nil
			q.waiting = q.waiting[1:]
			q.free -= j.Cores
			q.live++
			q.mu.Unlock()

			j.out.Run()
			p := q.runner.Start(j.Job, j.out)

			q.mu.Lock()
			j.process = p
			q.watched.Add(1)
			go q.watch(j, p)
		}
		if q.closed && q.live == 0 {
			return
		}
		q.wake.Wait()
	}
}

// watch sees a started job to its end.
func (q *Queue) watch(j *job, p Process) {
	defer q.watched.Done()
	exited := make(chan activities.Exit, 1)
	go func() { exited <- p.Wait() }()

	stop, hard := j.stop, q.hard
	var grace <-chan time.Time
	for {
		select {
		case exit := <-exited:
			q.mu.Lock()
			defer q.mu.Unlock()
			q.free += j.Cores
			q.live--
			q.endLocked(j, exit)
			q.wake.Signal()
			return
		case <-stop:
			stop = nil
			p.Terminate()
			timer := time.NewTimer(q.opts.Grace)
			defer timer.Stop()
			grace = timer.C
		case <-grace:
			p.Kill()
		case <-hard:
			hard = nil
			p.Kill()
		}
	}
}

// endLocked records how a job ended and forgets the oldest of those that did.
func (q *Queue) endLocked(j *job, exit activities.Exit) {
	exit.Attempt, exit.Stopped = j.Attempt, j.stopping
	j.ended = true
	j.out.End(exit)
	close(j.done)
	q.ended = append(q.ended, j)
	for len(q.ended) > max(q.opts.Remember, 1) {
		old := q.ended[0]
		q.ended[0] = nil
		q.ended = q.ended[1:]
		if q.jobs[old.Key] == old {
			delete(q.jobs, old.Key)
		}
		if old.process != nil {
			old.process.Forget()
		}
	}
}
