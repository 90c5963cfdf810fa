package ensemble

import (
	"errors"
	"fmt"

	"github.com/tenfold-ml/tenfold/sweeps"
)

// ErrNoMembers says that there is nothing to make an ensemble of.
var ErrNoMembers = errors.New("an ensemble needs at least one member")

// ErrConstant says that all the values to predict are the same, so that no share of their
// variance can be had.
var ErrConstant = errors.New("the values that are asked for are all the same")

// ShapeError says that there are not as many numbers as there must be.
type ShapeError struct {
	// What was counted: "probabilities", "rows", "labels", "classes".
	What      string
	Got, Want int
}

// Error names what was counted.
func (e *ShapeError) Error() string {
	return fmt.Sprintf("%d %s, want %d", e.Got, e.What, e.Want)
}

// RowError says that a row is no probability distribution.
type RowError struct {
	Row     int // the case, from 0
	Problem string
}

// Error names the row.
func (e *RowError) Error() string { return fmt.Sprintf("row %d %s", e.Row, e.Problem) }

// LabelError says that a label names no class.
type LabelError struct {
	Case    int // from 0
	Label   int32
	Classes int
}

// Error names the case.
func (e *LabelError) Error() string {
	return fmt.Sprintf("the label of case %d is %d, want 0 to %d", e.Case, e.Label, e.Classes-1)
}

// MemberError says which member an error is about.
type MemberError struct {
	Trial sweeps.TrialID
	// Part is "validation predictions", "test predictions" or empty.
	Part string
	Err  error
}

// Error names the trial.
func (e *MemberError) Error() string {
	if e.Part == "" {
		return fmt.Sprintf("trial %s: %v", e.Trial, e.Err)
	}
	return fmt.Sprintf("%s of trial %s: %v", e.Part, e.Trial, e.Err)
}

// Unwrap returns what is wrong with the member.
func (e *MemberError) Unwrap() error { return e.Err }

// MismatchError says that predictions do not give the validation error that was
// committed with them, so they belong to other weights, cases or labels.
type MismatchError struct {
	Committed, Computed float64
}

// Error gives both errors.
func (e *MismatchError) Error() string {
	return fmt.Sprintf("they give a validation error of %.4f, but the committed result says %.4f", e.Computed, e.Committed)
}
