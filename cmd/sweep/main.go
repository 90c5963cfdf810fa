// Command sweep trains a grid of networks and makes an ensemble of the best.
//
// Each verb has a file of its name with its flags, its help and its run
// function. What verbs share: app.go (flags and streams), errors.go (what an error
// costs and how it reads), connect.go (which Temporal server to talk to, and the
// embedded one), work.go (the worker), follow.go (what a sweep is doing) and
// view*.go (how that looks on a terminal, in a pipe, as JSON). Start with root.go.
package main

import (
	"context"
	"os"
)

// version is set by the linker.
var version = ""

func main() {
	os.Exit(Main(os.Args[1:]))
}

// Main runs the command line and returns the exit code.
func Main(args []string) int {
	a := &app{
		stdin:  os.Stdin,
		stdout: os.Stdout,
		stderr: os.Stderr,
		getenv: os.Getenv,
	}
	ctx, stop := a.interruptible(context.Background())
	defer stop()
	return a.execute(ctx, args)
}
