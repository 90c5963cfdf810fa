package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/tenfold-ml/tenfold/internal/terminal"
)

// Exit codes, as the root's help documents them.
const (
	exitOK          = 0
	exitFailed      = 1 // the sweep failed, or something that is nobody's fault did
	exitUser        = 2 // the command line, the spec or the store needs changing
	exitInterrupted = 130
)

// userError is an error that the user can do away with: exit code 2.
type userError struct{ err error }

func (e *userError) Error() string { return e.err.Error() }
func (e *userError) Unwrap() error { return e.err }

func userErrorf(format string, args ...any) error {
	return &userError{fmt.Errorf(format, args...)}
}

// errInterrupted is the cause of a context that a signal cancelled.
var errInterrupted = errors.New("interrupted")

// interruptedError ends an interrupted command; its text says how to go on.
type interruptedError struct{ message string }

func (e *interruptedError) Error() string { return e.message }

// silentError exits with a code after everything has been said.
type silentError struct{ code int }

func (e *silentError) Error() string { return fmt.Sprintf("exit code %d", e.code) }

// report writes err to w, each line of it after "sweep: ", and returns its exit code.
func report(ctx context.Context, w io.Writer, err error) int {
	var silent *silentError
	var interrupted *interruptedError
	var user *userError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &silent):
		return silent.code
	case errors.As(err, &interrupted):
		say(w, interrupted.message)
		return exitInterrupted
	case errors.Is(context.Cause(ctx), errInterrupted):
		say(w, "interrupted")
		return exitInterrupted
	case errors.As(err, &user):
		say(w, err.Error())
		return exitUser
	default:
		say(w, err.Error())
		return exitFailed
	}
}

func say(w io.Writer, text string) {
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		fmt.Fprintln(w, "sweep: "+terminal.Clean(line))
	}
}
