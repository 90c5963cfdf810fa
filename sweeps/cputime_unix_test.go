//go:build unix

package sweeps_test

import (
	"syscall"
	"testing"
	"time"
)

// cpuTime is what this process has computed so far. Bounds on it hold on a busy
// machine too, where the time on the wall says little.
func cpuTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
