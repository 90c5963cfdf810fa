//go:build unix

package local

import (
	"errors"
	"os"
	"syscall"
)

// signalGroup signals the group that a process leads. That there is none left
// is no error, and for others there is no remedy.
func signalGroup(pid int, sig syscall.Signal) { _ = syscall.Kill(-pid, sig) }

// groupAlive says whether a group has members that still run.
func groupAlive(pid int) bool {
	if err := syscall.Kill(-pid, 0); err != nil {
		return !errors.Is(err, syscall.ESRCH)
	}
	return groupRuns(pid)
}

// signalOf returns the signal that ended a process, or 0.
func signalOf(state *os.ProcessState) int {
	if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return int(ws.Signal())
	}
	return 0
}

// tryLock takes a lock on a file that ends with this process, unless another
// holds one.
func tryLock(f *os.File) (bool, error) {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EWOULDBLOCK):
			return false, nil
		}
		return err == nil, err
	}
}
