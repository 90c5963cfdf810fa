// Package jobs is the bookkeeping that launchers in this process have in common:
// a first-in-first-out queue over a number of cores, attaching to a job that is
// there already, watching, stopping with a grace, and remembering how jobs
// ended. What a job is, it leaves to a [Runner].
//
// A launcher whose jobs are elsewhere takes only their [Output].
//
// Start reading at [Queue]. Nothing here knows of processes (activities/local)
// or of the store.
package jobs
