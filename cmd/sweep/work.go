package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"go.temporal.io/sdk/worker"

	"github.com/tenfold-ml/tenfold/activities"
	"github.com/tenfold-ml/tenfold/activities/contract"
	"github.com/tenfold-ml/tenfold/activities/local"
	"github.com/tenfold-ml/tenfold/internal/workdir"
	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/sweeps"
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
	acts     *activities.Activities
	logs     *logs
	workers  []queueWorker
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

func newCrew(home workdir.Dir, conn *connection, store *storage.Store, trainer string, l *logs) (*crew, error) {
	launcher, err := local.New(local.Options{Scratch: filepath.Join(home.Path(), "scratch"), Grace: grace, Log: l.own})
	if err != nil {
		return nil, userErrorf("%w", err)
	}
	acts, err := activities.New(activities.Options{
		Store:       store,
		Launchers:   launchers{hereLauncher{launcher, conn, home, l}},
		TrainerPath: trainer,
		Source:      data.SourceFromEnv(),
		Log:         l.own,
	})
	if err != nil {
		return nil, err
	}
	return &crew{conn: conn, launcher: launcher, acts: acts, logs: l}, nil
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
	q.worker = worker.New(c.conn.client, queue, workflows.WorkerOptions())
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
	ctx, cancel := context.WithTimeout(context.Background(), grace+5*time.Second)
	defer cancel()
	err := c.launcher.Close(ctx)
	for _, w := range c.workers {
		if w.lock != nil {
			w.lock.Unlock()
		}
	}
	c.workers = nil
	return err
}

// launchers are those of this process.
type launchers struct{ local activities.Launcher }

// For implements activities.Launchers.
func (l launchers) For(spec sweeps.Launcher) (activities.Launcher, error) {
	if spec.Kind != sweeps.LocalLauncher {
		return nil, fmt.Errorf("the spec says launcher.kind: %s, and this worker has none of that kind", spec.Kind)
	}
	return l.local, nil
}

// hereLauncher adds to the local launcher what only this program knows: where the
// spec of a sweep lies, and where to keep the standard error of trainers that
// failed, which launchers forget in the end.
type hereLauncher struct {
	activities.Launcher
	conn *connection
	home workdir.Dir
	logs *logs
}

// Launch implements activities.Launcher.
func (h hereLauncher) Launch(ctx context.Context, job activities.Job) (_ int, err error) {
	if job.Command, err = h.Locate(ctx, job.Key.Sweep, job.Command); err != nil {
		return 0, err
	}
	return h.Launcher.Launch(ctx, job)
}

// Locate implements activities.Locator: a program is looked for beside the spec first.
func (h hereLauncher) Locate(ctx context.Context, sweep string, command []string) ([]string, error) {
	name := command[0]
	if filepath.IsAbs(name) || !h.conn.embedded() {
		return command, nil
	}
	dir, err := h.specDir(ctx, sweep)
	if err != nil {
		return nil, err
	}
	if beside, err := exec.LookPath(filepath.Join(dir, name)); dir != "" && err == nil {
		return append([]string{beside}, command[1:]...), nil
	}
	return command, nil
}

// specDir is the folder that a sweep's spec was in; empty if nobody said.
func (h hereLauncher) specDir(ctx context.Context, sweep string) (string, error) {
	d, err := h.conn.client.DescribeWorkflowExecution(ctx, sweep, "")
	if err != nil {
		return "", fmt.Errorf("find the folder of the spec: %w", err)
	}
	return memoValue[string](d.GetWorkflowExecutionInfo(), memoSpecDir), nil
}

// Watch implements activities.Launcher.
func (h hereLauncher) Watch(ctx context.Context, key activities.JobKey, update func(activities.JobUpdate)) (activities.Exit, error) {
	exit, err := h.Launcher.Watch(ctx, key, update)
	if err != nil || exit.Code == contract.ExitPreempted {
		return exit, err
	}
	var stderr bytes.Buffer
	if err := h.Logs(ctx, key, &stderr); err != nil && !errors.Is(err, activities.ErrNoJob) {
		h.logs.own.Warn("the trainer's standard error is lost", "trial", key.Trial, "error", err)
	}
	if stderr.Len() == 0 {
		return exit, nil
	}
	if err := writeFile(h.home.TrialLog(string(key.Trial)), stderr.Bytes()); err != nil {
		h.logs.own.Warn("the trainer's standard error cannot be kept", "trial", key.Trial, "error", err)
	}
	return exit, nil
}

func writeFile(path string, b []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, b, 0o644)
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
