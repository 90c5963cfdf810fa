//go:build !linux

package local_test

// parent does nothing: only on Linux do trainers die with their parent.
func parent() {}
