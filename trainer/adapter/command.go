package adapter

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// drain is how long output may keep coming after the command has ended: a process that
// it has left behind may hold the pipe forever.
const drain = 2 * time.Second

// command runs the command to its end. Its processes are a group, of which nothing is
// left when it returns.
func (s *session) command(ctx context.Context) (ended, error) {
	// The kernel kills the command when the thread ends that has started it, which is
	// meant for when this process is killed.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	stdout, child, err := os.Pipe()
	if err != nil {
		return ended{}, fmt.Errorf("make a pipe: %w", err)
	}
	defer func() { _ = stdout.Close() }() // nothing is written to it
	cmd := exec.Command(s.o.Command[0], s.o.Command[1:]...)
	cmd.Env, cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = s.environment(), child, s.o.Stderr, attributes()
	cmd.WaitDelay = drain // for standard error that is no file
	err = cmd.Start()
	_ = child.Close() // it is the command's
	if err != nil {
		return ended{}, startError(s.o.Command[0], err)
	}
	pid := cmd.Process.Pid
	read := make(chan error, 1)
	go func() { read <- s.output.read(stdout) }()
	// Until it is reaped, nobody else can get its number, so the group is ended before
	// that where the platform allows.
	gone, reaped := make(chan struct{}), false
	go func() {
		defer close(gone)
		if !awaitExit(pid) {
			_ = cmd.Wait()
			reaped = true
		}
	}()

	readErr, eof := error(nil), false
	select {
	case <-gone:
	case <-s.output.stop:
	case <-ctx.Done():
		if preempted(ctx) {
			s.o.Log.Info("preempted; the command gets SIGTERM", "grace", s.o.Grace)
			readErr, eof = s.terminate(pid, gone, read)
		}
	}
	signalGroup(pid, syscall.SIGKILL)
	if <-gone; !reaped {
		_ = cmd.Wait() // its errors are the exit code, and what became of standard error
	}
	if !eof {
		// On platforms where a pipe has no deadline, who holds it delays the end.
		_ = stdout.SetReadDeadline(time.Now().Add(drain))
		readErr = <-read
	}
	return exitOf(cmd.ProcessState), readErr
}

// terminate asks the group to end, and returns when the command has and nobody holds its
// output any more, or when the grace is over. The shell that has started a trainer may go
// at once, while the trainer still saves. eof says that the output was read to its end.
func (s *session) terminate(pid int, gone <-chan struct{}, read <-chan error) (err error, eof bool) {
	signalGroup(pid, syscall.SIGTERM)
	grace := time.NewTimer(s.o.Grace)
	defer grace.Stop()
	for {
		select {
		case err = <-read:
			eof, read = true, nil
		case <-gone:
			gone = nil
		case <-s.output.stop:
			return err, eof
		case <-grace.C:
			s.warn(fmt.Sprintf("the command has not ended %s after SIGTERM and is killed; only checkpoints that it had announced are kept", s.o.Grace))
			return err, eof
		}
		if eof && gone == nil {
			return err, eof
		}
	}
}
