package main

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/trainer"
)

// maxSpecBytes is far above what anybody writes and keeps a wrong file, a data
// set say, from being read whole.
const maxSpecBytes = 4 << 20

// loadSpec reads a spec for the built-in trainer; what is wrong with it is the
// user's fault.
func loadSpec(path string) (sweeps.Spec, error) {
	src, err := readSpec(path)
	if err != nil {
		return sweeps.Spec{}, err
	}
	spec, err := sweeps.Parse(filepath.Clean(path), src)
	if err != nil {
		return sweeps.Spec{}, &trainer.ConfigError{Err: err}
	}
	if len(spec.Trainer.Command) > 0 {
		return sweeps.Spec{}, usageError("%s: has a trainer of its own (trainer.command); this is the built-in one", path)
	}
	return spec, nil
}

func readSpec(path string) (src []byte, err error) {
	f, err := os.Open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, usageError("%s: there is no such file", path)
	case err != nil:
		return nil, usageError("%s: %w", path, pathCause(err))
	}
	defer func() { _ = f.Close() }()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return nil, usageError("%s: is a folder, not a spec", path)
	}
	src, err = io.ReadAll(io.LimitReader(f, maxSpecBytes+1))
	if err != nil {
		return nil, usageError("%s: %w", path, pathCause(err))
	}
	if len(src) > maxSpecBytes {
		return nil, usageError("%s: is larger than 4 MiB, so it is no spec", path)
	}
	return src, nil
}

// pathCause is a file error without the path, which the message has already.
func pathCause(err error) error {
	if e := (*fs.PathError)(nil); errors.As(err, &e) {
		return e.Err
	}
	return err
}

// planOne makes the plan of a spec and finds the trial that is meant: number,
// as `sweep preview` counts them, or the only one there is.
func planOne(path string, spec sweeps.Spec, dataset, number string) (sweeps.TrialID, sweeps.Trial, error) {
	plan, err := sweeps.NewPlan(spec, dataset, trainer.Identity)
	if err != nil {
		return "", sweeps.Trial{}, &trainer.ConfigError{Err: err}
	}
	i := 0
	if number != "" {
		if i, err = strconv.Atoi(number); err != nil || i < 0 || i >= plan.Len() {
			return "", sweeps.Trial{}, usageError("--trial %s: %s has the trials 0 to %d (sweep preview lists them)", number, path, plan.Len()-1)
		}
	} else if len(spec.Parameters) > 0 {
		return "", sweeps.Trial{}, usageError("%s sweeps %d trials: use sweep run %s for all of them, or --trial N for one (sweep preview lists them)", path, plan.Len(), path)
	}
	id, trial, err := plan.Trial(i)
	if err != nil {
		return "", sweeps.Trial{}, &trainer.ConfigError{Err: err}
	}
	return id, trial, nil
}
