// Package terminal draws text on a terminal: a [Screen], which is a block of
// lines at the bottom that is redrawn in place, and [Table], which lines up
// columns for it or for a pipe. It knows nothing of sweeps. Start with screen.go.
package terminal
