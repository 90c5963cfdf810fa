package data

import (
	"fmt"
	"slices"

	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/trainer/philox"
)

// orderedShare of the training cases, one in so many, validates unless it is said how
// many do, where a data set is cut from one long sequence: text.
const orderedShare = 10

// Partition divides the cases of ds.Train into those to train on and those held
// out for validation, by drawing cfg.Validation of the first cfg.Limit cases (all,
// if that is 0 or more than there are) without replacement. The draw depends on
// cfg.SplitSeed alone, so networks that differ in anything else share it. Of cases
// that are in order the last are held out, a tenth if cfg.Validation is 0. Both
// lists are in ascending order. A number of validation cases that leaves nothing
// for either side wraps [ErrConfig].
func Partition(ds *Dataset, cfg sweeps.Data) (train, validation []int32, err error) {
	n, held := ds.Train.N, cfg.Validation
	if cfg.Limit < 0 {
		return nil, nil, fmt.Errorf("%w: data.limit is %d, and can't be negative", ErrConfig, cfg.Limit)
	}
	if cfg.Limit > 0 {
		n = min(n, cfg.Limit)
	}
	if held == 0 && ds.Ordered {
		held = max(1, n/orderedShare)
	}
	if held < 1 || held >= n {
		what := "cases"
		if ds.Alphabet != "" {
			what = fmt.Sprintf("windows of %d symbols", ds.Features())
		}
		return nil, nil, fmt.Errorf("%w: data.validation is %d, and must be from 1 to %d: there are %d %s to train on",
			ErrConfig, held, n-1, n, what)
	}
	if ds.Ordered {
		all := make([]int32, n)
		for i := range all {
			all[i] = int32(i)
		}
		return all[: n-held : n-held], all[n-held:], nil
	}
	p := philox.New(cfg.SplitSeed, philox.Split, 0, 0).Permutation(n)
	validation, train = p[:held:held], p[held:]
	slices.Sort(validation)
	slices.Sort(train)
	return train, validation, nil
}
