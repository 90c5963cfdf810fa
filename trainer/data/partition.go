package data

import (
	"fmt"
	"slices"

	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/trainer/philox"
)

// Partition divides the cases of ds.Train into those to train on and those held
// out for validation, by drawing cfg.Validation of the first cfg.Limit cases (all,
// if that is 0 or more than there are) without replacement. The draw depends on
// cfg.SplitSeed alone, so networks that differ in anything else share it. Both
// lists are in ascending order. A number of validation cases that leaves nothing
// for either side wraps [ErrConfig].
func Partition(ds *Dataset, cfg sweeps.Data) (train, validation []int32, err error) {
	n := ds.Train.N
	if cfg.Limit < 0 {
		return nil, nil, fmt.Errorf("%w: data.limit is %d, and can't be negative", ErrConfig, cfg.Limit)
	}
	if cfg.Limit > 0 {
		n = min(n, cfg.Limit)
	}
	if cfg.Validation < 1 || cfg.Validation >= n {
		return nil, nil, fmt.Errorf("%w: data.validation is %d, and must be from 1 to %d: there are %d cases to train on",
			ErrConfig, cfg.Validation, n-1, n)
	}
	p := philox.New(cfg.SplitSeed, philox.Split, 0, 0).Permutation(n)
	validation, train = p[:cfg.Validation:cfg.Validation], p[cfg.Validation:]
	slices.Sort(validation)
	slices.Sort(train)
	return train, validation, nil
}
