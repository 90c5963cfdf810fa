// Command trainer trains one trial: it is what a launcher starts for every run of
// a sweep, and what keeps the trainer's contract (docs/trainer-contract.md). It also
// imports data sets. All that it does is in package trainer and below; here is the
// wiring: environment, flags, signals and exit codes.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/tenfold-ml/tenfold/trainer"
)

func main() { os.Exit(Main(os.Args[1:], os.Stdout, os.Stderr)) }

// Main runs the command and returns its exit code.
func Main(args []string, stdout, stderr io.Writer) int {
	ctx, stop := preemptible(context.Background())
	defer stop()
	root := newRoot(stdout, stderr)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err != nil && !saidByCommand(err) {
		// One line, whatever it is: a launcher shows the last one.
		line := strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", "; ")
		_, _ = fmt.Fprintln(stderr, "trainer: "+line)
	}
	if code, ok := commandCode(err); ok {
		return code
	}
	return trainer.ExitCode(err)
}

// preemptible cancels its context with the cause trainer.ErrPreempted on the
// first SIGTERM or SIGINT. A second one ends the process at once, as it would any.
func preemptible(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	signals := make(chan os.Signal, 1)
	done := make(chan struct{})
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		defer close(done)
		select {
		case <-signals:
			signal.Stop(signals)
			cancel(trainer.ErrPreempted)
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		// The signals stay caught: one that comes when the result is committed and
		// the process on its way out must not turn success into death by a signal.
		cancel(nil)
		<-done
	}
}
