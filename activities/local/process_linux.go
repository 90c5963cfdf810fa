package local

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// attributes make a trainer lead a group of its own and die with this process.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// awaitExit waits for a child's end without reaping it, and says that it did.
func awaitExit(pid int) bool {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, syscall.EINTR) {
			return err == nil
		}
	}
}

// groupRuns says whether a group has a member that is not a zombie. Orphans are
// reaped by the init process, and in a container there may be none that does.
func groupRuns(pgid int) bool {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil || len(stats) == 0 {
		return true // no /proc: the signal's word is all there is
	}
	want := strconv.Itoa(pgid)
	for _, stat := range stats {
		b, err := os.ReadFile(stat)
		if err != nil {
			continue // gone meanwhile
		}
		// pid (command) state ppid pgrp …; the command may hold anything.
		f := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
		if len(f) > 2 && string(f[2]) == want && f[0][0] != 'Z' && f[0][0] != 'X' {
			return true
		}
	}
	return false
}

// killStrays kills the processes whose scratch directory is below dir: children
// of trainers whose launcher was killed. It returns their numbers.
func killStrays(dir string) (killed []int) {
	prefix := []byte(scratchVariable + "=" + dir + string(filepath.Separator))
	environs, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		return nil
	}
	for _, file := range environs {
		b, err := os.ReadFile(file)
		if err != nil {
			continue // gone, or another user's
		}
		for _, v := range bytes.Split(b, []byte{0}) {
			if !bytes.HasPrefix(v, prefix) {
				continue
			}
			if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil && pid != os.Getpid() && syscall.Kill(pid, syscall.SIGKILL) == nil {
				killed = append(killed, pid)
			}
		}
	}
	return killed
}
