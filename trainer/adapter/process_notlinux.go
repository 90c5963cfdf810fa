//go:build unix && !linux

package adapter

import "syscall"

// attributes make the command lead a group of its own. That it dies with this process is
// a thing of Linux; elsewhere it runs on when this one is killed, and what it announces
// then is lost.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// awaitExit does nothing: waiting without reaping is not portable.
func awaitExit(int) bool { return false }
