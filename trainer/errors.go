package trainer

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/tenfold-ml/tenfold/storage/backend"
	"github.com/tenfold-ml/tenfold/trainer/data"
)

// ErrPreempted is the cause to cancel Run's context with, in order to have it
// save a checkpoint and return; it is also what Run returns then.
var ErrPreempted = errors.New("preempted")

// ConfigError says that a trial can't be trained as it is configured. Trying
// again does not help.
type ConfigError struct{ Err error }

// Error is the cause's text.
func (e *ConfigError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *ConfigError) Unwrap() error { return e.Err }

func badConfig(format string, args ...any) error {
	return &ConfigError{Err: fmt.Errorf(format, args...)}
}

// PanicError is a panic in the numerics, caught at the edge of [Run].
type PanicError struct {
	Value any
	// Where is the innermost line of this project: "engine/cpu/gemm.go:120".
	Where string
}

// Error is one line, without the stack.
func (e *PanicError) Error() string {
	return fmt.Sprintf("internal error at %s: %s", e.Where, strings.Join(strings.Fields(fmt.Sprint(e.Value)), " "))
}

// caught turns what recover returned into an error. It must be called from the
// deferred function itself. What was caught before, in another goroutine, stays as it is.
func caught(value any) error {
	if err, ok := value.(*PanicError); ok {
		return err
	}
	pcs := make([]uintptr, 64)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs)])
	where := "an unknown place"
	for {
		f, more := frames.Next()
		if !strings.HasPrefix(f.Function, "runtime.") && f.File != "" {
			where = fmt.Sprintf("%s/%s:%d", filepath.Base(filepath.Dir(f.File)), filepath.Base(f.File), f.Line)
			break
		}
		if !more {
			break
		}
	}
	return &PanicError{Value: value, Where: where}
}

// Exit codes of the trainer's contract, as activities/contract has them, which a
// trainer does not import. Every code that is not in it counts as
// the infrastructure's fault and is retried.
const (
	ExitCommitted = 0  // the result is committed
	ExitFailure   = 1  // anything else
	ExitConfig    = 64 // the configuration is at fault; no retry
	ExitData      = 65 // the data are at fault; no retry
	ExitPanic     = 70 // a bug
	ExitStore     = 74 // the store is full or refuses; no retry before somebody sees to it
	ExitPreempted = 75 // checkpoint saved; relaunch
)

// ExitCode is the one place where errors become exit codes.
func ExitCode(err error) int {
	var config *ConfigError
	var bad *data.Error
	var bug *PanicError
	switch {
	case err == nil:
		return ExitCommitted
	case errors.Is(err, ErrPreempted):
		return ExitPreempted
	case errors.Is(err, backend.ErrExpired):
		return ExitFailure // the next attempt is given new ones
	case errors.Is(err, backend.ErrFull), errors.Is(err, backend.ErrPermission):
		return ExitStore
	case errors.As(err, &config), errors.Is(err, data.ErrConfig):
		return ExitConfig
	case errors.As(err, &bad):
		return ExitData
	case errors.As(err, &bug):
		return ExitPanic
	default:
		return ExitFailure
	}
}
