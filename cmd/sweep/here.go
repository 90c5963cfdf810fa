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
	"sync"
	"time"

	"github.com/tenfold-ml/tenfold/activities"
	"github.com/tenfold-ml/tenfold/internal/workdir"
)

// logPause is the time between two looks at what running trainers print.
const logPause = time.Second

// hereLauncher adds to the local launcher what only this program knows: where the
// spec of a sweep lies, where others find the standard error of trainers, and that a
// trainer which nobody wants any more has to go.
type hereLauncher struct {
	activities.Launcher
	conn *connection
	home workdir.Dir
	logs *logs

	mu      sync.Mutex
	watched map[activities.JobKey]int // by how many
}

func newHereLauncher(of activities.Launcher, conn *connection, home workdir.Dir, l *logs) *hereLauncher {
	return &hereLauncher{Launcher: of, conn: conn, home: home, logs: l, watched: map[activities.JobKey]int{}}
}

// Launch implements activities.Launcher.
func (h *hereLauncher) Launch(ctx context.Context, job activities.Job) (_ int, err error) {
	if job.Command, err = h.Locate(ctx, job.Key.Sweep, job.Command); err != nil {
		return 0, err
	}
	return h.Launcher.Launch(ctx, job)
}

// Locate implements activities.Locator: a program is looked for beside the spec first.
func (h *hereLauncher) Locate(ctx context.Context, sweep string, command []string) ([]string, error) {
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
func (h *hereLauncher) specDir(ctx context.Context, sweep string) (string, error) {
	d, err := h.conn.client.DescribeWorkflowExecution(ctx, sweep, "")
	if err != nil {
		return "", fmt.Errorf("find the folder of the spec: %w", err)
	}
	return memoValue[string](d.GetWorkflowExecutionInfo(), memoSpecDir), nil
}

// Watch implements activities.Launcher. Meanwhile it keeps what the trainer prints on
// standard error in the folder's log.
func (h *hereLauncher) Watch(ctx context.Context, key activities.JobKey, update func(activities.JobUpdate)) (activities.Exit, error) {
	h.count(key, 1)
	ended := make(chan struct{})
	var logging sync.WaitGroup
	logging.Go(func() { h.keepLog(key, ended) })
	exit, err := h.Launcher.Watch(ctx, key, update)
	close(ended)
	logging.Wait()
	if h.count(key, -1) == 0 && ctx.Err() != nil && !h.conn.embedded() {
		h.abandon(key)
	}
	return exit, err
}

// count says how many watch a job, from now on.
func (h *hereLauncher) count(key activities.JobKey, more int) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.watched[key] += more
	n := h.watched[key]
	if n == 0 {
		delete(h.watched, key)
	}
	return n
}

// abandon ends a trainer that nobody watches any more: its run was stopped, or another
// worker has it. That other one would not find it, and does not stop it. With the
// embedded server there is no other.
func (h *hereLauncher) abandon(key activities.JobKey) {
	ctx, cancel := context.WithTimeout(context.Background(), grace+5*time.Second)
	defer cancel()
	h.logs.own.Info("nobody wants this trainer any more", "sweep", key.Sweep, "trial", key.Trial)
	if err := h.Stop(ctx, key); err != nil {
		h.logs.own.Warn("a trainer cannot be stopped", "sweep", key.Sweep, "trial", key.Trial, "error", err)
	}
}

// keepLog writes a job's standard error to the folder's log whenever there is more of
// it, until the job has ended. Of a job that prints nothing there is no log.
func (h *hereLauncher) keepLog(key activities.JobKey, ended <-chan struct{}) {
	path := h.home.TrialLog(string(key.Trial))
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		h.logs.own.Warn("an old log of a trial stays behind", "trial", key.Trial, "error", err)
	}
	ticker := time.NewTicker(logPause)
	defer ticker.Stop()
	written := 0
	for last := false; ; {
		var stderr bytes.Buffer
		err := h.Logs(context.Background(), key, &stderr)
		if err == nil && stderr.Len() > written {
			if err = writeFile(path, stderr.Bytes()); err == nil {
				written = stderr.Len()
			}
		}
		if err != nil && !errors.Is(err, activities.ErrNoJob) && last {
			h.logs.own.Warn("the trainer's standard error cannot be kept", "sweep", key.Sweep, "trial", key.Trial, "error", err)
		}
		if last {
			return
		}
		select {
		case <-ticker.C:
		case <-ended:
			last = true
		}
	}
}

func writeFile(path string, b []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, b, 0o644)
}
