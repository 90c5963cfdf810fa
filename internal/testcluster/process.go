//go:build linux

package testcluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// Command describes a process of the cluster.
type Command struct {
	// Name tells it from others: of its log, logs/<name>.log, and in errors.
	Name string
	// Path of the binary, and its arguments.
	Path string
	Args []string
	// Env is added to the little that every process of the cluster gets. Nothing is
	// inherited from the caller but PATH.
	Env []string
	// Dir is the working directory; empty means the cluster's folder.
	Dir string
	// Ready is asked again and again, after every start, until it returns nil: the
	// process is up. Nil means that it is up as soon as it runs.
	Ready func(ctx context.Context, p *Process) error
	// Within is how long that may take, 0 for a minute; Grace is the time from
	// SIGTERM to SIGKILL, 0 for ten seconds.
	Within, Grace time.Duration
}

// Process is a process that can be killed and started again, with the same arguments,
// any number of times. Its methods may be called by several goroutines.
type Process struct {
	cluster *Cluster
	command Command

	mu  sync.Mutex
	run *run // the latest
}

// run is one life of a process.
type run struct {
	cmd  *exec.Cmd
	from int64         // where its output begins in the log
	done chan struct{} // closed when it has ended and err is set
	err  error
}

// Start starts a process and returns when it is ready. The cluster's Stop ends it.
func (c *Cluster) Start(ctx context.Context, command Command) (*Process, error) {
	if command.Within == 0 {
		command.Within = time.Minute
	}
	if command.Grace == 0 {
		command.Grace = 10 * time.Second
	}
	p := &Process{cluster: c, command: command}
	c.mu.Lock()
	c.processes = append(c.processes, p)
	c.mu.Unlock()
	return p, p.Restart(ctx)
}

// Restart ends the process as Kill does, unless it has ended, starts it again and
// returns when it is ready.
func (p *Process) Restart(ctx context.Context) error {
	if err := p.Kill(); err != nil {
		return err
	}
	begun := time.Now()
	r, err := p.launch()
	if err != nil {
		return fmt.Errorf("starting %s: %w", p.command.Name, err)
	}
	if err := p.ready(ctx, r); err != nil {
		return fmt.Errorf("starting %s: %w\n%s", p.command.Name, err, p.Tail(2048))
	}
	p.cluster.log.Info("started", "process", p.command.Name, "pid", r.cmd.Process.Pid, "after", time.Since(begun).Round(time.Millisecond))
	return nil
}

// launch starts the process.
func (p *Process) launch() (*run, error) {
	if _, err := p.cluster.mkdir("logs"); err != nil {
		return nil, err
	}
	log, err := os.OpenFile(p.LogFile(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	info, err := log.Stat()
	if err != nil {
		return nil, err
	}
	r := &run{cmd: exec.Command(p.command.Path, p.command.Args...), from: info.Size(), done: make(chan struct{})}
	r.cmd.Env = append(p.cluster.environment(), p.command.Env...)
	if r.cmd.Dir = p.command.Dir; r.cmd.Dir == "" {
		r.cmd.Dir = p.cluster.Dir()
	}
	r.cmd.Stdout, r.cmd.Stderr = log, log
	// A group of its own: Ctrl-C at a terminal is for the owner, who ends the others.
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := p.cluster.nursery.start(r.cmd); err != nil {
		return nil, err
	}
	go func() {
		r.err = r.cmd.Wait()
		close(r.done)
	}()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.run = r
	return r, nil
}

// ready waits until the process is ready, or has ended.
func (p *Process) ready(ctx context.Context, r *run) error {
	if p.command.Ready == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, p.command.Within)
	defer cancel()
	for {
		err := p.command.Ready(ctx, p)
		if err == nil {
			return nil
		}
		select {
		case <-r.done:
			return fmt.Errorf("it ended: %v", ending(r.err))
		case <-ctx.Done():
			return fmt.Errorf("not ready: %w", err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (p *Process) latest() *run {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.run
}

// Name returns the name that the process was given.
func (p *Process) Name() string { return p.command.Name }

// Pid returns the number of the process, of its latest life.
func (p *Process) Pid() int {
	if r := p.latest(); r != nil {
		return r.cmd.Process.Pid
	}
	return 0
}

// Running says whether the process runs.
func (p *Process) Running() bool {
	r := p.latest()
	if r == nil {
		return false
	}
	select {
	case <-r.done:
		return false
	default:
		return true
	}
}

// Wait returns when the latest life of the process has ended, with its exit error, or
// when ctx has.
func (p *Process) Wait(ctx context.Context) error {
	r := p.latest()
	if r == nil {
		return nil
	}
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Signal sends a signal, to the process alone. To one that has ended it does nothing.
func (p *Process) Signal(s syscall.Signal) error {
	r := p.latest()
	if r == nil {
		return nil
	}
	if err := r.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signalling %s: %w", p.command.Name, err)
	}
	return nil
}

// Kill kills the process with SIGKILL and returns when it has ended. What it has
// started itself goes on.
func (p *Process) Kill() error {
	if !p.Running() {
		return nil
	}
	if err := p.Signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-p.latest().done
	p.cluster.log.Info("killed", "process", p.command.Name, "pid", p.Pid())
	return nil
}

// Freeze stops the process with SIGSTOP: it lives, and neither acts nor answers.
func (p *Process) Freeze() error { return p.Signal(syscall.SIGSTOP) }

// Thaw lets a frozen process go on.
func (p *Process) Thaw() error { return p.Signal(syscall.SIGCONT) }

// Stop sends SIGTERM, and SIGKILL after the grace or at the end of ctx, and returns
// when the process has ended. The error is for one that had to be killed.
func (p *Process) Stop(ctx context.Context) error {
	if !p.Running() {
		return nil
	}
	r, begun := p.latest(), time.Now()
	err := errors.Join(p.Thaw(), p.Signal(syscall.SIGTERM))
	grace := time.NewTimer(p.command.Grace)
	defer grace.Stop()
	select {
	case <-r.done:
		p.cluster.log.Info("ended", "process", p.command.Name, "after", time.Since(begun).Round(time.Millisecond))
		return err
	case <-grace.C:
	case <-ctx.Done():
	}
	return errors.Join(err, fmt.Errorf("%s did not end on SIGTERM", p.command.Name), p.Kill())
}

// LogFile returns the file of the process's output, of all its lives.
func (p *Process) LogFile() string {
	return filepath.Join(p.cluster.Dir(), "logs", p.command.Name+".log")
}

// Tail returns the last n bytes of the log, from the start of a line.
func (p *Process) Tail(n int64) string {
	f, err := os.Open(p.LogFile())
	if err != nil {
		return ""
	}
	defer f.Close()
	cut := false
	if info, err := f.Stat(); err == nil && info.Size() > n {
		if _, err := f.Seek(-n, io.SeekEnd); err == nil {
			cut = true
		}
	}
	b, _ := io.ReadAll(io.LimitReader(f, n))
	if _, rest, ok := bytes.Cut(b, []byte("\n")); cut && ok {
		b = rest
	}
	return string(b)
}

// Logged returns an error unless the output of the latest life holds a text: a Ready
// for processes that say so.
func (p *Process) Logged(text string) error {
	b, err := os.ReadFile(p.LogFile())
	if err != nil {
		return err
	}
	if r := p.latest(); r == nil || !bytes.Contains(b[min(r.from, int64(len(b))):], []byte(text)) {
		return fmt.Errorf("its log does not say %q", text)
	}
	return nil
}

// ending puts an exit into words.
func ending(err error) string {
	if err == nil {
		return "exit status 0"
	}
	return err.Error()
}

// nursery starts all processes from one thread, which lives as long as they do: the
// kernel ends a child with PDEATHSIG when the thread that started it is gone.
type nursery struct {
	starts chan func()
	once   sync.Once
}

func newNursery() *nursery {
	n := &nursery{starts: make(chan func())}
	go func() {
		runtime.LockOSThread()
		for start := range n.starts {
			start()
		}
	}()
	return n
}

func (n *nursery) start(cmd *exec.Cmd) error {
	started := make(chan error)
	n.starts <- func() { started <- cmd.Start() }
	return <-started
}

// close ends the thread, and with it what it started and still runs.
func (n *nursery) close() { n.once.Do(func() { close(n.starts) }) }
