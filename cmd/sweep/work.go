package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"go.temporal.io/sdk/worker"

	"github.com/tenfold-ml/tenfold/activities"
	"github.com/tenfold-ml/tenfold/activities/local"
	"github.com/tenfold-ml/tenfold/internal/workdir"
	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/trainer/data"
	"github.com/tenfold-ml/tenfold/workflows"
)

// grace is how long trainers have to checkpoint when they are asked to go.
const grace = 30 * time.Second

// crew does the work of sweeps in this process: one launcher, which shares the
// cores out, and a Temporal worker for each task queue.
type crew struct {
	conn     *connection
	launcher *local.Launcher
	cluster  cluster // nil where there is none
	acts     *activities.Activities
	logs     *logs
	post     *post // nil where the crew works for the embedded server
	workers  []queueWorker
	closed   bool
}

type queueWorker struct {
	worker worker.Worker
	queue  string
	lock   *workdir.Lock // nil with a server of somebody else's
}

// workshop is what a process needs that works on sweeps.
type workshop struct {
	home workdir.Dir
	logs *logs
	// store is writable.
	store *storage.Store
	// trainer is the built-in trainer's path; missing says why there is none.
	trainer string
	missing error
}

// openWorkshop opens it. Without the flag, a trainer that is missing is no error.
// The caller closes the logs.
func (a *app) openWorkshop(ctx context.Context, trainerFlag string) (workshop, error) {
	var w workshop
	if w.trainer, w.missing = findTrainer(trainerFlag); w.missing != nil && trainerFlag != "" {
		return w, w.missing
	}
	var err error
	if w.home, err = a.openDir(); err != nil {
		return w, err
	}
	if w.logs, err = a.openLogs(w.home); err != nil {
		return w, err
	}
	if w.store, err = a.openWritableStore(ctx); err != nil {
		w.logs.close()
		return w, err
	}
	return w, nil
}

// newCrew makes the crew, which has to be closed. nomad is the address of --nomad. A
// post is only for workers of a server that others run.
func (a *app) newCrew(home workdir.Dir, conn *connection, store *storage.Store, trainer, nomad string, p *post, l *logs) (*crew, error) {
	launcher, err := local.New(local.Options{Scratch: filepath.Join(home.Path(), "scratch"), Grace: grace, Log: l.own})
	if err != nil {
		return nil, userErrorf("%w", err)
	}
	c := &crew{conn: conn, launcher: launcher, logs: l, post: p}
	if c.cluster, err = a.openCluster(nomad, store, trainer, 0, l); err != nil {
		return nil, errors.Join(err, c.close())
	}
	var router activities.Launchers = newRouter(newHereLauncher(launcher, conn, home, l), c.cluster)
	if p != nil && p.metrics != nil {
		router = p.metrics.Launchers(router)
		store = storage.New(p.metrics.Backend(store.Backend()))
	}
	c.acts, err = activities.New(activities.Options{
		Store:       store,
		Launchers:   router,
		TrainerPath: trainer,
		Source:      data.SourceFromEnv(),
		Log:         l.own,
	})
	if err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

// serve works on a task queue from now on. With the embedded server it returns
// workdir.ErrHeld when another process does already: trainers are children of
// the process that works on their queue, so there has to be one only. It returns
// errServerGone when the queue was free because its process, and the server with
// it, has ended.
func (c *crew) serve(ctx context.Context, queue string) error {
	q := queueWorker{queue: queue}
	if c.conn.embedded() {
		lock, err := c.conn.home.TryLock(workdir.WorkerLock(queue))
		if err != nil {
			return err
		}
		q.lock = lock
		if c.conn.lost() {
			lock.Unlock()
			return errServerGone
		}
		if err := reclaim(ctx, c.conn, queue); err != nil {
			if c.conn.lost() {
				lock.Unlock()
				return errServerGone
			}
			c.logs.own.Warn("cannot take over from a process that is gone; Temporal's timeouts will", "queue", queue, "error", err)
		}
	}
	options := workflows.WorkerOptions()
	if c.post != nil {
		c.post.adjust(&options)
	}
	q.worker = worker.New(c.conn.client, queue, options)
	workflows.Register(q.worker)
	c.acts.Register(q.worker)
	if err := q.worker.Start(); err != nil {
		if q.lock != nil {
			q.lock.Unlock()
		}
		return fmt.Errorf("start the worker: %w", err)
	}
	c.workers = append(c.workers, q)
	c.logs.own.Info("worker started", "queue", queue)
	return nil
}

// serveSteps works, besides the queue of runs, on the queue of what has to find a place
// however many runs there are.
func (c *crew) serveSteps(queue string) error {
	options := workflows.WorkerOptions()
	if c.post != nil {
		c.post.adjust(&options)
	}
	options.DisableWorkflowWorker = true
	options.MaxConcurrentActivityExecutionSize = stepSlots
	q := queueWorker{queue: stepQueue(queue)}
	q.worker = worker.New(c.conn.client, q.queue, options)
	c.acts.Register(q.worker)
	if err := q.worker.Start(); err != nil {
		return fmt.Errorf("start the worker: %w", err)
	}
	c.workers = append(c.workers, q)
	return nil
}

// serves says whether this process works on a queue.
func (c *crew) serves(queue string) bool {
	for _, w := range c.workers {
		if w.queue == queue {
			return true
		}
	}
	return false
}

// close takes no more work, asks the trainers to checkpoint and go, and returns
// when none is left, after [grace] at most.
func (c *crew) close() error {
	// Workers first: a trainer that ends while the workflow still runs would be
	// launched again.
	for _, w := range c.workers {
		w.worker.Stop()
	}
	err := c.closeLaunchers()
	for _, w := range c.workers {
		if w.lock != nil {
			w.lock.Unlock()
		}
	}
	c.workers = nil
	return err
}

// closeLaunchers ends the trainers of this process, and lets go of those on a cluster.
func (c *crew) closeLaunchers() error {
	if c.closed {
		return nil
	}
	c.closed = true
	if c.cluster != nil {
		c.cluster.Close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), grace+5*time.Second)
	defer cancel()
	return c.launcher.Close(ctx)
}

// drain is close for a worker that others stand in for: what its trainers came to while
// they went, preempted or even completed, is told before it leaves, so that they are
// launched elsewhere when they are gone and not sooner.
func (c *crew) drain() error {
	c.post.leave()
	var tasks sync.WaitGroup
	for _, w := range c.workers {
		tasks.Go(w.worker.Stop)
	}
	err := c.closeLaunchers()
	tasks.Wait()
	c.workers = nil
	return err
}

// findTrainer finds the built-in trainer: where --trainer says, else beside this
// program, else in PATH.
func findTrainer(flag string) (string, error) {
	if flag != "" {
		path, err := exec.LookPath(flag)
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) || errors.Is(err, exec.ErrNotFound) {
				return "", userErrorf("--trainer %s: there is no such program", flag)
			}
			return "", userErrorf("--trainer %s: cannot be run: %w", flag, pathCause(err))
		}
		return filepath.Abs(path)
	}
	if self, err := os.Executable(); err == nil {
		if self, err = filepath.EvalSymlinks(self); err == nil {
			if path, err := exec.LookPath(filepath.Join(filepath.Dir(self), "trainer")); err == nil {
				return path, nil
			}
		}
	}
	if path, err := exec.LookPath("trainer"); err == nil {
		return filepath.Abs(path)
	}
	return "", userErrorf("there is no trainer beside this program or in PATH; say where it is with --trainer")
}
