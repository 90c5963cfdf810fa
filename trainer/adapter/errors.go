package adapter

import (
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"syscall"

	"github.com/tenfold-ml/tenfold/trainer"
	"github.com/tenfold-ml/tenfold/trainer/data"
)

// ExitError says that the command has failed, with which code this process should exit
// therefore, and why, where the command cannot have said so itself.
type ExitError struct {
	Code    int
	Problem string
}

// Error is the reason, or else the code.
func (e *ExitError) Error() string {
	if e.Problem != "" {
		return e.Problem
	}
	return fmt.Sprintf("the command has exited with %d", e.Code)
}

// bad says what is wrong with what the command left or printed: no retry helps.
func bad(where, format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	return &data.Error{Where: where, Problem: err.Error(), Err: errors.Unwrap(err)}
}

// startError says in plain words why a command cannot be started; it is the user's fault
// unless the machine is in trouble.
func startError(name string, err error) error {
	switch {
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		return badConfig("command %q not found: %w", name, cause(err))
	case errors.Is(err, fs.ErrPermission):
		return badConfig("command %q is not executable: %w", name, cause(err))
	case errors.Is(err, syscall.ENOEXEC):
		return badConfig("command %q is neither a program for this machine nor a script with a #! line", name)
	case errors.Is(err, exec.ErrDot):
		return badConfig("command %q is in this folder; write ./%s", name, name)
	}
	return fmt.Errorf("start %q: %w", name, err)
}

// cause is an error without the name that the message has already.
func cause(err error) error {
	var path *fs.PathError
	var look *exec.Error
	switch {
	case errors.As(err, &path):
		return path.Err
	case errors.As(err, &look):
		return look.Err
	}
	return err
}

// signalled is what shells add to the number of a signal that ended a command.
const signalled = 128

// ended is how the command has ended.
type ended struct {
	code   int // -1 for a signal
	signal syscall.Signal
}

// failure is the error for an end that is no result, no preemption and nobody's fault
// that we know of. Its code is the command's own, as far as the contract lets it: that
// the store is full is not for a command to say that sees no store.
func (e ended) failure(name string) error {
	switch {
	case e.code == trainer.ExitStore:
		return &ExitError{Code: trainer.ExitFailure, Problem: fmt.Sprintf("%s has exited with %d", name, e.code)}
	case e.code > 0:
		return &ExitError{Code: e.code}
	}
	return &ExitError{Code: signalled + int(e.signal), Problem: fmt.Sprintf("%s was ended by signal %d (%s)", name, int(e.signal), e.signal)}
}
