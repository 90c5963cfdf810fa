package activities

import (
	"context"
	"fmt"

	"github.com/tenfold-ml/tenfold/activities/contract"
)

// Stop kills whatever runs for a trial of a sweep, and returns when nothing of
// it is left. That nothing runs is no error.
func (a *Activities) Stop(ctx context.Context, in contract.StopInput) error {
	key := JobKey{Sweep: in.Sweep, Trial: in.ID, Epochs: in.Epochs}
	defer a.beat(ctx).stop()
	if err := a.Launcher.Stop(ctx, key); err != nil {
		return fmt.Errorf("stop trial %s: %w", in.ID, err)
	}
	return nil
}
