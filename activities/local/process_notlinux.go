//go:build unix && !linux

package local

import "syscall"

// attributes make a trainer lead a group of its own. That it dies with this
// process is a thing of Linux; elsewhere it runs on when this one is killed,
// and its next attempt finds the result that it committed.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// awaitExit does nothing: waiting without reaping is not portable.
func awaitExit(int) bool { return false }

// groupRuns has nothing to add to what a signal finds out.
func groupRuns(int) bool { return true }

// killStrays does nothing without /proc.
func killStrays(string) []int { return nil }
