// Package faults holds the test that kills a sweep over and over, the process that
// runs it and its trainers, at random moments, and compares what comes out with
// an undisturbed run. It takes minutes: `make test-faults` (build tag faults).
package faults
