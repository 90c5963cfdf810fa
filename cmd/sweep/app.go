package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"golang.org/x/term"

	"github.com/tenfold-ml/tenfold/internal/terminal"
	"github.com/tenfold-ml/tenfold/internal/workdir"
)

// app is what every verb has: streams, environment and the global flags.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	getenv         func(string) string

	dir     string // --dir
	store   string // --store
	address string // --address
	profile string // --profile
	verbose bool

	logFormat string // --log-format; empty where the log goes to the folder

	mu     sync.Mutex
	onExit []func() // what a second Ctrl-C still has to do
}

// execute parses and runs a command line.
func (a *app) execute(ctx context.Context, args []string) int {
	root := newRootCommand(a)
	root.SetArgs(args)
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	return report(ctx, a.stderr, root.ExecuteContext(ctx))
}

// interruptible returns a context that the first SIGINT, SIGTERM or SIGHUP
// cancels with the cause errInterrupted. The second ends the process at once.
func (a *app) interruptible(parent context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	done := make(chan struct{})
	go func() {
		select {
		case <-signals:
			cancel(errInterrupted)
		case <-done:
			return
		}
		select {
		case <-signals:
			a.mu.Lock()
			for _, f := range a.onExit {
				f()
			}
			say(a.stderr, "killed")
			os.Exit(exitInterrupted)
		case <-done:
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(done)
		cancel(nil)
	}
}

// atExit registers what has to be done even when a second Ctrl-C ends the process.
func (a *app) atExit(f func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.onExit = append(a.onExit, f)
}

// terminalSize returns a function for the size of stdout's terminal, and
// whether it is one.
func (a *app) terminalSize() (func() terminal.Size, bool) {
	f, ok := a.stdout.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil, false
	}
	return func() terminal.Size {
		columns, rows, err := term.GetSize(int(f.Fd()))
		if err != nil {
			return terminal.Size{}
		}
		return terminal.Size{Columns: columns, Rows: rows}
	}, true
}

// style of what goes to stdout.
func (a *app) style() terminal.Style {
	_, isTerminal := a.terminalSize()
	return terminal.NewStyle(isTerminal, a.getenv)
}

// openDir opens the folder of --dir, making it if need be.
func (a *app) openDir() (workdir.Dir, error) {
	d, err := workdir.Open(a.dir)
	if err != nil {
		return d, userErrorf("%w; choose another one with --dir", err)
	}
	return d, nil
}

// tee hands records to two handlers.
type tee struct{ a, b slog.Handler }

func (t tee) Enabled(ctx context.Context, l slog.Level) bool {
	return t.a.Enabled(ctx, l) || t.b.Enabled(ctx, l)
}

func (t tee) Handle(ctx context.Context, r slog.Record) error {
	return errors.Join(t.a.Handle(ctx, r.Clone()), t.b.Handle(ctx, r.Clone()))
}

func (t tee) WithAttrs(attrs []slog.Attr) slog.Handler {
	return tee{t.a.WithAttrs(attrs), t.b.WithAttrs(attrs)}
}

func (t tee) WithGroup(name string) slog.Handler {
	return tee{t.a.WithGroup(name), t.b.WithGroup(name)}
}
