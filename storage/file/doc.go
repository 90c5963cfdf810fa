// Package file keeps objects as files below one folder. It is the store of a
// laptop, and of a cluster that shares a file system.
//
// # How a write becomes an object
//
// A write goes to a temporary file in <root>/.tmp, is synced, and only then gets
// its name: by link(2) for PutIfAbsent, which the kernel lets exactly one of any
// number of callers win, also across processes, and by rename(2) for Put. Then
// the folder is synced, and every folder above it that this process has not yet
// synced. So a nil error means that the object survives a power cut, and no
// moment exists at which a reader, or a machine that comes back up, finds half
// of it. A loser syncs the same folders before it says ErrExists: it must not
// speak of an object that the winner has not made durable yet.
//
// # What a killed process leaves
//
// A temporary file, at most. Its writer holds a lock (flock) on it, which the
// kernel drops when the process is gone, however it went; [Open] removes the
// temporary files that nobody holds.
//
// Start reading at commit.go. The file system must have hard links; where it has
// no locks everything works but the removal of temporary files. This package
// knows nothing of what the objects mean: that is package storage.
package file
