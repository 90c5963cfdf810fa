package s3

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// Pauses between tries, each of which is a few of the SDK's own.
const (
	firstPause = 200 * time.Millisecond
	lastPause  = 10 * time.Second
)

// try calls f until it succeeds, until its error is one that another call cannot
// mend, or until patience is at its end. f may be called any number of times. The
// error is the last one, with the context's if that has ended.
func try(ctx context.Context, patience time.Duration, f func() error) error {
	begin := time.Now()
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		err := f()
		switch tried := time.Since(begin); {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return gaveUp(ctx, err)
		case !isTransient(err):
			return err
		case tried > patience:
			if tried < time.Second {
				return err
			}
			return &answerError{text: fmt.Sprintf("given up after %v: %s", tried.Round(time.Second), say(err)), cause: err}
		}
		// At random, so that those whom an outage stopped do not come back as one.
		timer := time.NewTimer(pause/2 + rand.N(pause))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return gaveUp(ctx, err)
		}
	}
}

// gaveUp is the end of a context, with what went wrong before it if anything did.
func gaveUp(ctx context.Context, err error) error {
	if errors.Is(err, ctx.Err()) || !isTransient(err) {
		var before *stoppedError
		if errors.As(err, &before) {
			return before
		}
		return ctx.Err()
	}
	return &stoppedError{end: ctx.Err(), last: say(err)}
}

// stoppedError: a context has ended while something was tried again.
type stoppedError struct {
	end  error
	last string
}

func (e *stoppedError) Error() string { return e.end.Error() + ", after " + e.last }
func (e *stoppedError) Unwrap() error { return e.end }
