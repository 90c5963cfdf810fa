package local

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/tenfold-ml/tenfold/activities"
	"github.com/tenfold-ml/tenfold/activities/internal/jobs"
)

// Options of a [Launcher]; the zero value of each field has a default.
type Options struct {
	// Scratch is where jobs get their scratch directories and the launcher keeps
	// their standard error. Launchers may share it. Default: "tenfold" and the
	// user's ID in the system's directory for temporary files.
	Scratch string
	// Cores that trainers may occupy at a time. Default: what this process may use.
	Cores int
	// Grace is how long a stopped trainer has to checkpoint. Default: 30 s.
	Grace time.Duration
	// Remember is how many ended jobs are remembered. Default: 2048.
	Remember int
	// Env is the environment that trainers get under the job's own, as
	// KEY=value, but for what begins with TEMPORAL_. The values of variables whose
	// names end as a secret's do are masked in what trainers print. Default: this
	// process's.
	Env []string
	// Dir is the trainers' working directory. Default: this process's.
	Dir string
	// Log receives what goes wrong around jobs. Default: nothing is logged.
	Log *slog.Logger
}

// Launcher implements activities.Launcher with child processes.
type Launcher struct {
	queue  *jobs.Queue
	home   *home
	opts   Options
	number atomic.Int64
}

var _ activities.Launcher = (*Launcher)(nil)

// New makes a launcher, which has to be closed.
func New(opts Options) (*Launcher, error) {
	if opts.Scratch == "" {
		opts.Scratch = filepath.Join(os.TempDir(), "tenfold-"+strconv.Itoa(os.Getuid()))
	}
	if opts.Cores <= 0 {
		// GOMAXPROCS and not NumCPU: it knows of a container's quota.
		opts.Cores = runtime.GOMAXPROCS(0)
	}
	if opts.Grace <= 0 {
		opts.Grace = 30 * time.Second
	}
	if opts.Remember <= 0 {
		opts.Remember = 2048
	}
	if opts.Env == nil {
		opts.Env = os.Environ()
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	h, err := openHome(opts.Scratch, opts.Log)
	if err != nil {
		return nil, err
	}
	l := &Launcher{home: h, opts: opts}
	l.queue = jobs.New(runner{l}, jobs.Options{
		Cores: opts.Cores, Grace: opts.Grace, Remember: opts.Remember,
		// The kernel delivers a parent-death signal when the thread ends that
		// started the child, not the process, so all are started from one
		// thread that outlives them.
		LockThread: true,
	})
	return l, nil
}

// Cores is the number of cores that trainers may occupy at a time.
func (l *Launcher) Cores() int { return l.opts.Cores }

// Launch implements activities.Launcher.
func (l *Launcher) Launch(ctx context.Context, job activities.Job) (int, error) {
	return l.queue.Launch(ctx, job)
}

// Watch implements activities.Launcher.
func (l *Launcher) Watch(ctx context.Context, key activities.JobKey, update func(activities.JobUpdate)) (activities.Exit, error) {
	return l.queue.Watch(ctx, key, update)
}

// Stop implements activities.Launcher.
func (l *Launcher) Stop(ctx context.Context, key activities.JobKey) error {
	return l.queue.Stop(ctx, key)
}

// Logs implements activities.Launcher.
func (l *Launcher) Logs(ctx context.Context, key activities.JobKey, w io.Writer) error {
	return l.queue.Logs(ctx, key, w)
}

// Close implements activities.Launcher. When ctx ends first, trainers are killed
// without further grace; either way none is left when it returns.
func (l *Launcher) Close(ctx context.Context) error {
	err := l.queue.Close(ctx)
	if e := l.home.close(); e != nil && err == nil {
		err = fmt.Errorf("close launcher: %w", e)
	}
	return err
}

// runner starts the queue's jobs as processes.
type runner struct{ l *Launcher }

// Start implements jobs.Runner.
func (r runner) Start(job activities.Job, out *jobs.Output) jobs.Process {
	l := r.l
	name := strconv.FormatInt(l.number.Add(1), 10)
	scratch := filepath.Join(l.home.dir, name)
	if err := os.Mkdir(scratch, 0o700); err != nil {
		return failed{activities.Exit{Code: -1, Reason: "make a scratch directory: " + err.Error()}}
	}
	env := environment(l.opts.Env, job, scratch)
	hidden := secretsOf(append(env, l.opts.Env...))
	p, err := start(job, env, l.opts.Dir, scratch, filepath.Join(l.home.dir, name+".stderr"), hidden, out)
	if err != nil {
		if e := os.RemoveAll(scratch); e != nil {
			l.opts.Log.Warn("scratch directory stays behind", "dir", scratch, "error", e)
		}
		return failed{activities.Exit{Code: -1, Reason: hidden.masked(err.Error()), NotStarted: hopeless(err)}}
	}
	return p
}

// environment builds a trainer's environment; of equal names the last counts.
func environment(base []string, job activities.Job, scratch string) []string {
	cores := strconv.Itoa(job.Cores)
	env := make([]string, 0, len(base)+len(job.Env)+4)
	for _, variable := range base {
		if !withheld(variable) {
			env = append(env, variable)
		}
	}
	// Libraries that the trainer loads must not take more than its share.
	env = append(env, "OPENBLAS_NUM_THREADS="+cores, "OMP_NUM_THREADS="+cores)
	for k, v := range job.Env {
		env = append(env, k+"="+v)
	}
	return append(env, "TENFOLD_THREADS="+cores, scratchVariable+"="+scratch)
}

// scratchVariable tells a trainer its scratch directory, and the next launcher
// whose children a killed one left behind.
const scratchVariable = "TENFOLD_SCRATCH"

// failed is a job that could not be started.
type failed struct{ exit activities.Exit }

func (f failed) Wait() activities.Exit { return f.exit }
func (failed) Terminate()              {}
func (failed) Kill()                   {}
func (failed) Logs(io.Writer) error    { return nil }
func (failed) Forget()                 {}
