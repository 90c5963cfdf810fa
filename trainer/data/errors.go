package data

import (
	"errors"
	"fmt"
)

// ErrConfig says that the data section of a configuration can't be honoured,
// whatever the data are: no checksum for a URL, more validation cases than cases.
var ErrConfig = errors.New("bad data settings")

// Error says what is wrong with a file of a data set, or why there is none. It
// is the data's fault, so trying again does not help.
type Error struct {
	// Where is the file, directory, URL or object.
	Where string
	// Problem continues the sentence that Where begins.
	Problem string
	// Err is the cause, where there is one.
	Err error
}

// Error is one line: where, and what is wrong there.
func (e *Error) Error() string { return e.Where + ": " + e.Problem }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// bad makes an Error; a %w in format becomes its cause.
func bad(where, format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	return &Error{Where: where, Problem: err.Error(), Err: errors.Unwrap(err)}
}
