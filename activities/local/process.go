package local

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/tenfold-ml/tenfold/activities"
	"github.com/tenfold-ml/tenfold/activities/internal/jobs"
)

const (
	// drain is how long output may keep coming after the last process of the
	// group has gone: one that left the group may hold the pipe forever.
	drain = 2 * time.Second
	// reapWait is how long killed processes may take to disappear.
	reapWait = 5 * time.Second
)

// process is a trainer with all that it has started in its group.
type process struct {
	cmd            *exec.Cmd
	scratch        string
	stdout, stderr *os.File
	log            *stderrLog
	readers        sync.WaitGroup
	killed         chan struct{}

	mu          sync.Mutex
	terminating bool
	killing     bool
	gone        bool // nothing of the group is left: its number may be another's
}

var _ jobs.Process = (*process)(nil)

// start starts a job's command.
func start(job activities.Job, env []string, dir, scratch, log string, hidden secrets, out *jobs.Output) (_ *process, err error) {
	cmd := exec.Command(job.Command[0], job.Command[1:]...)
	cmd.Env, cmd.Dir, cmd.SysProcAttr = env, dir, attributes()
	// Pipes of our own, and not exec's: reading from them can be given a deadline.
	p := &process{cmd: cmd, scratch: scratch, log: newStderrLog(log), killed: make(chan struct{})}
	var ends [4]*os.File
	for i := 0; i < len(ends); i += 2 {
		if ends[i], ends[i+1], err = os.Pipe(); err != nil {
			closeAll(ends[:])
			return nil, fmt.Errorf("make a pipe: %w", err)
		}
	}
	p.stdout, cmd.Stdout, p.stderr, cmd.Stderr = ends[0], ends[1], ends[2], ends[3]
	if err := cmd.Start(); err != nil {
		closeAll(ends[:])
		return nil, describeStart(job.Command[0], err)
	}
	closeAll([]*os.File{ends[1], ends[3]})
	p.readers.Go(func() { scanLines(hidden.reader(alive{p.stdout, out}), out) })
	p.readers.Go(func() { p.log.collect(hidden.reader(alive{p.stderr, out})) })
	return p, nil
}

// describeStart says in plain words why a command could not be started.
func describeStart(name string, err error) error {
	switch {
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("command %q not found: %w", name, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("command %q is not executable: %w", name, err)
	case errors.Is(err, syscall.ENOEXEC):
		return fmt.Errorf("command %q is neither a program for this machine nor a script with a #! line: %w", name, err)
	}
	return fmt.Errorf("start %q: %w", name, err)
}

// hopeless says that starting the same command again will fail in the same way.
func hopeless(err error) bool {
	return errors.Is(err, exec.ErrNotFound) || errors.Is(err, exec.ErrDot) || errors.Is(err, fs.ErrNotExist) ||
		errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.ENOEXEC)
}

// Wait implements jobs.Process.
func (p *process) Wait() activities.Exit {
	pid := p.cmd.Process.Pid
	// As long as the leader is not reaped, nobody else can get its number, so
	// the group is signalled before that.
	if awaitExit(pid) {
		p.mu.Lock()
		if !p.terminating {
			signalGroup(pid, syscall.SIGKILL)
		}
		p.mu.Unlock()
	}
	err := p.cmd.Wait()
	p.waitGroup(pid)
	p.drainOutput()

	exit := exitOf(p.cmd.ProcessState, err)
	exit.Stderr = p.log.finish()
	if err := os.RemoveAll(p.scratch); err != nil && exit.Reason == "" {
		exit.Reason = "scratch directory stays behind: " + err.Error()
	}
	return exit
}

// waitGroup returns when nothing of the group is left. Members that outlive
// their leader have the rest of the grace if they were asked to go, else none.
func (p *process) waitGroup(pid int) {
	killed := p.killed
	deadline := time.Now().Add(365 * 24 * time.Hour)
	kill := func() {
		signalGroup(pid, syscall.SIGKILL)
		deadline = time.Now().Add(reapWait)
		killed = nil
	}
	p.mu.Lock()
	if !p.terminating {
		kill()
	}
	p.mu.Unlock()
	for pause := time.Millisecond; groupAlive(pid) && time.Now().Before(deadline); pause = min(2*pause, 50*time.Millisecond) {
		select {
		case <-killed:
			kill()
		case <-time.After(pause):
		}
	}
	p.mu.Lock()
	p.gone = true
	p.mu.Unlock()
}

// drainOutput reads what is left in the pipes.
func (p *process) drainOutput() {
	deadline := time.Now().Add(drain)
	// On platforms without deadlines for pipes these fail, and a process that
	// left its group delays the end of the job.
	_ = p.stdout.SetReadDeadline(deadline)
	_ = p.stderr.SetReadDeadline(deadline)
	p.readers.Wait()
	closeAll([]*os.File{p.stdout, p.stderr})
}

// Terminate implements jobs.Process.
func (p *process) Terminate() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone || p.terminating {
		return
	}
	p.terminating = true
	signalGroup(p.cmd.Process.Pid, syscall.SIGTERM)
}

// Kill implements jobs.Process.
func (p *process) Kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone || p.killing {
		return
	}
	p.killing = true
	signalGroup(p.cmd.Process.Pid, syscall.SIGKILL)
	close(p.killed)
}

// Logs implements jobs.Process.
func (p *process) Logs(w io.Writer) error { return p.log.copyTo(w) }

// Forget implements jobs.Process.
func (p *process) Forget() { p.log.remove() }

// exitOf translates the state of a process that has ended.
func exitOf(state *os.ProcessState, err error) activities.Exit {
	if state == nil {
		return activities.Exit{Code: -1, Reason: fmt.Sprintf("wait for the process: %v", err)}
	}
	return activities.Exit{Code: state.ExitCode(), Signal: signalOf(state)}
}

// closeAll closes files that nothing was written to or whose data is of no more
// use, so that errors do not matter.
func closeAll(files []*os.File) {
	for _, f := range files {
		if f != nil {
			_ = f.Close()
		}
	}
}

func isClosed(err error) bool { return errors.Is(err, os.ErrClosed) }
