package activities

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/storage/backend"
	"github.com/tenfold-ml/tenfold/sweeps"
)

// readers is how many objects are read at a time.
const readers = 16

// finished is a trial of a plan with its committed result.
type finished struct {
	index int
	id    sweeps.TrialID
	trial sweeps.Trial
	// result is nil when there is none, or none that can be used.
	result *sweeps.Result
	// damage is the storage.ErrCorrupt of a result that cannot be used.
	damage error
}

// eachResult calls visit for every trial of a plan, one call at a time and in no
// particular order. It keeps nothing, so a large sweep takes no more memory.
func (a *Activities) eachResult(ctx context.Context, plan *sweeps.Plan, visit func(finished)) error {
	group, ctx := errgroup.WithContext(ctx)
	next := make(chan int)
	group.Go(func() error {
		defer close(next)
		for i := range plan.Len() {
			select {
			case next <- i:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	var mu sync.Mutex
	for range min(readers, plan.Len()) {
		group.Go(func() error {
			for i := range next {
				f, err := a.readResult(ctx, plan, i)
				if err != nil {
					return err
				}
				mu.Lock()
				visit(f)
				mu.Unlock()
			}
			return nil
		})
	}
	return group.Wait()
}

func (a *Activities) readResult(ctx context.Context, plan *sweeps.Plan, i int) (finished, error) {
	id, trial, err := plan.Trial(i)
	if err != nil {
		return finished{}, fault{err}
	}
	f := finished{index: i, id: id, trial: trial}
	r, err := a.Store.Result(ctx, id, trial.Config.Train.Epochs)
	switch {
	case err == nil:
		f.result = &r
	case errors.Is(err, storage.ErrCorrupt):
		f.damage = fmt.Errorf("read the result of trial %s: %w", id, err)
	case !errors.Is(err, backend.ErrNotFound):
		return finished{}, fmt.Errorf("read the result of trial %s: %w", id, err)
	}
	return f, nil
}
