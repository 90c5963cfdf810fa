//go:build !unix

package local

import (
	"errors"
	"os"
	"syscall"
)

func attributes() *syscall.SysProcAttr { return nil }

func awaitExit(int) bool { return false }

// signalGroup kills the process itself: there are neither groups nor a polite
// signal, so a stopped trainer loses what it did since its last checkpoint.
func signalGroup(pid int, _ syscall.Signal) {
	if p, err := os.FindProcess(pid); err == nil {
		_ = p.Kill()
	}
}

func groupAlive(int) bool { return false }

func signalOf(*os.ProcessState) int { return 0 }

func tryLock(*os.File) (bool, error) { return false, errors.ErrUnsupported }

func killStrays(string) []int { return nil }
