//go:build unix

package adapter

import (
	"os"
	"syscall"
)

// signalGroup signals the group that a process leads. That there is none left is no
// error, and for others there is no remedy.
func signalGroup(pid int, sig syscall.Signal) { _ = syscall.Kill(-pid, sig) }

func exitOf(state *os.ProcessState) ended {
	if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return ended{code: -1, signal: ws.Signal()}
	}
	return ended{code: state.ExitCode()}
}
