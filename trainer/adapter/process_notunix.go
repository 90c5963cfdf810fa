//go:build !unix

package adapter

import (
	"os"
	"syscall"
)

func attributes() *syscall.SysProcAttr { return nil }

func awaitExit(int) bool { return false }

// signalGroup kills the process itself: there are neither groups nor a polite signal, so
// a stopped command loses what it did since its last checkpoint.
func signalGroup(pid int, _ syscall.Signal) {
	if p, err := os.FindProcess(pid); err == nil {
		_ = p.Kill()
	}
}

func exitOf(state *os.ProcessState) ended { return ended{code: state.ExitCode()} }
