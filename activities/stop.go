package activities

import (
	"context"
	"errors"
	"fmt"

	"go.temporal.io/sdk/temporal"

	"github.com/tenfold-ml/tenfold/activities/contract"
)

// Stop kills whatever runs for a trial of a sweep, and returns when nothing of
// it is left. That nothing runs is no error. One of type contract.Denied may be
// retried like any other: a job that goes on is worse than a sweep that waits.
func (a *Activities) Stop(ctx context.Context, in contract.StopInput) error {
	key := JobKey{Sweep: in.Sweep, Trial: in.ID, Epochs: in.Epochs}
	defer a.beat(ctx).stop()
	launcher, err := a.launcher(in.Launcher)
	if err != nil { // of another worker it may be no error
		return temporal.NewApplicationError(contract.OneLine(fmt.Sprintf("stop trial %s: %v", in.ID, err)), contract.Denied)
	}
	err = launcher.Stop(ctx, key)
	if errors.Is(err, ErrDenied) { // but not for ever
		return temporal.NewApplicationError(contract.OneLine(fmt.Sprintf("stop trial %s: %v", in.ID, err)), contract.Denied)
	}
	if err != nil {
		return fmt.Errorf("stop trial %s: %w", in.ID, err)
	}
	return nil
}
