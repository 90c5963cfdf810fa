package workflows

import (
	"context"
	"errors"
	"fmt"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"

	"github.com/tenfold-ml/tenfold/activities/contract"
	"github.com/tenfold-ml/tenfold/sweeps"
)

// Ended says what became of a run, from what its Train activity returned: its
// output, or the error that it failed with. Whoever reads a sweep's history
// classifies the ends with it as the workflow did.
func Ended(r sweeps.Run, out contract.TrainOutput, err error) sweeps.RunEnded {
	e := sweeps.RunEnded{Run: r, Outcome: out.Outcome, ValidationError: out.ValidationError, Message: out.Message}
	if err == nil {
		if e.Outcome == "" {
			e.Outcome, e.Message = sweeps.OutcomeInfra, "the worker returned no outcome"
		}
		return e
	}
	e.Outcome, e.Message = sweeps.OutcomeInfra, lastCause(err)
	e.Excused = Denied(err)
	if workerLost(err) || temporal.IsCanceledError(err) || e.Excused {
		e.Outcome = sweeps.OutcomeLost
	}
	var timeout *temporal.TimeoutError
	if errors.As(err, &timeout) {
		switch timeout.TimeoutType() {
		case enumspb.TIMEOUT_TYPE_HEARTBEAT:
			e.Message = "the worker was not heard of for too long"
		case enumspb.TIMEOUT_TYPE_START_TO_CLOSE:
			e.Message = fmt.Sprintf("the run took longer than %s", maxRunTime)
		}
	}
	return e
}

// workerLost says that an activity did not end, but its worker.
func workerLost(err error) bool {
	var timeout *temporal.TimeoutError
	if errors.As(err, &timeout) {
		return timeout.TimeoutType() == enumspb.TIMEOUT_TYPE_HEARTBEAT
	}
	var application *temporal.ApplicationError
	// A context that ended without a request to cancel is a worker's that stops.
	return errors.As(err, &application) &&
		(application.Type() == contract.Detached || application.Message() == context.Canceled.Error())
}

// UsersFault says that an activity failed through its user's fault. A Train
// activity that did so ends the sweep.
func UsersFault(err error) bool {
	var application *temporal.ApplicationError
	return errors.As(err, &application) && application.Type() == contract.UserError
}

// Denied says that an activity failed because its launcher may not be used. A Train
// activity that did so pauses the sweep, unless the sweep was resumed while it ran.
func Denied(err error) bool {
	var application *temporal.ApplicationError
	return errors.As(err, &application) && application.Type() == contract.Denied
}

// hopeless says that an activity would fail again.
func hopeless(err error) bool {
	var application *temporal.ApplicationError
	return UsersFault(err) || errors.As(err, &application) && application.NonRetryable()
}

// lastCause is the innermost message of an error, in one line. Temporal wraps
// what an activity returned in where and when it ran.
func lastCause(err error) string {
	for inner := err; inner != nil; inner = errors.Unwrap(inner) {
		err = inner
		var application *temporal.ApplicationError
		if errors.As(err, &application) && errors.Unwrap(application) == nil {
			return contract.OneLine(application.Message())
		}
	}
	return contract.OneLine(err.Error())
}
