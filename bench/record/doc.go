// Package record records histories of real sweeps for the replay tests of package
// workflows; see the end of that package's documentation.
package record
