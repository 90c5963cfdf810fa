//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"
)

// quantile is the smallest value that a part q of all values does not exceed, 0 if there
// are none. It sorts the values.
func quantile(values []time.Duration, q float64) time.Duration {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[min(int(q*float64(len(values))), len(values)-1)].Round(time.Millisecond)
}

// peak is the most memory that a process has had, resident, in MiB; 0 where nobody says.
func peak(pid int) int64 { return memory(pid, "VmHWM:") }

// resident is what it has now.
func resident(pid int) int64 { return memory(pid, "VmRSS:") }

func memory(pid int, field string) int64 {
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, field); ok {
			kib, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kib >> 10
		}
	}
	return 0
}

// forgetPeak makes the kernel forget the peak of this process.
func forgetPeak() {
	debug.FreeOSMemory()
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // not everywhere; then it is that of all
}

// perSecond is a rate in words.
func perSecond(n int, d time.Duration) string {
	return fmt.Sprintf("%.1f/s", float64(n)/max(d, time.Millisecond).Seconds())
}
