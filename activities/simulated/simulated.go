// Package simulated launches functions instead of processes, for tests and for
// benchmarks of everything but training. It queues, attaches and stops just as
// activities/local does.
package simulated

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tenfold-ml/tenfold/activities"
	"github.com/tenfold-ml/tenfold/activities/internal/jobs"
)

// Trainer stands in for a trainer's process. Its ctx ends when it is asked to
// go, as by SIGTERM; one that does not go then has to return when run.Killed()
// is closed. Attempt and Stopped of the Exit are filled in by the launcher.
type Trainer func(ctx context.Context, run *Run) activities.Exit

// Run is what a Trainer knows and can do.
type Run struct {
	activities.Job
	out    *jobs.Output
	killed chan struct{}

	mu     sync.Mutex
	stderr strings.Builder
}

// Getenv returns a variable of the environment that a trainer would have.
func (r *Run) Getenv(name string) string {
	if name == "TENFOLD_THREADS" {
		return strconv.Itoa(r.Cores)
	}
	return r.Env[name]
}

// Print prints a line on standard output.
func (r *Run) Print(line string) { r.out.Line(line) }

// Errorf prints a line on standard error.
func (r *Run) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fmt.Fprintf(&r.stderr, format+"\n", args...)
	r.out.Alive()
}

// Killed is closed when the run is killed; there is nothing to be saved any more.
func (r *Run) Killed() <-chan struct{} { return r.killed }

func (r *Run) errors() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stderr.String()
}

// Options of a [Launcher]; the zero value of each field has a default.
type Options struct {
	// Cores that runs may occupy at a time. Default: those of this process.
	Cores int
	// Grace is the time between asking and killing. Default: 30 s.
	Grace time.Duration
	// Remember is how many ended jobs are remembered. Default: 2048.
	Remember int
}

// Launcher implements activities.Launcher with a function.
type Launcher struct{ *jobs.Queue }

var _ activities.Launcher = Launcher{}

// New makes a launcher, which has to be closed.
func New(trainer Trainer, opts Options) Launcher {
	if opts.Cores <= 0 {
		opts.Cores = runtime.GOMAXPROCS(0)
	}
	if opts.Grace <= 0 {
		opts.Grace = 30 * time.Second
	}
	if opts.Remember <= 0 {
		opts.Remember = 2048
	}
	return Launcher{jobs.New(runner(trainer), jobs.Options{Cores: opts.Cores, Grace: opts.Grace, Remember: opts.Remember})}
}

type runner Trainer

// Start implements jobs.Runner.
func (t runner) Start(job activities.Job, out *jobs.Output) jobs.Process {
	ctx, terminate := context.WithCancel(context.Background())
	p := &process{run: &Run{Job: job, out: out, killed: make(chan struct{})}, ctx: ctx, terminate: terminate, trainer: Trainer(t)}
	return p
}

type process struct {
	run       *Run
	ctx       context.Context
	terminate context.CancelFunc
	trainer   Trainer
	kill      sync.Once
}

// sigkill is the number of SIGKILL everywhere that has signals.
const sigkill = 9

// Wait implements jobs.Process: the queue calls it in a goroutine of its own.
func (p *process) Wait() activities.Exit {
	defer p.terminate()
	exit := p.trainer(p.ctx, p.run)
	select {
	case <-p.run.killed:
		exit = activities.Exit{Code: -1, Signal: sigkill}
	default:
	}
	if exit.Stderr == "" {
		exit.Stderr = p.run.errors()
	}
	return exit
}

// Terminate implements jobs.Process.
func (p *process) Terminate() { p.terminate() }

// Kill implements jobs.Process.
func (p *process) Kill() {
	p.kill.Do(func() {
		close(p.run.killed)
		p.terminate()
	})
}

// Logs implements jobs.Process.
func (p *process) Logs(w io.Writer) error {
	_, err := io.WriteString(w, p.run.errors())
	return err
}

// Forget implements jobs.Process; what there is goes with the process itself.
func (*process) Forget() {}
