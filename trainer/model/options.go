package model

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/tenfold-ml/tenfold/sweeps"
)

// ErrConfig is in every error of [New] that a different configuration would avoid.
var ErrConfig = errors.New("the model's configuration")

// Options are what a network depends on besides its configuration.
type Options struct {
	// Inputs is the number of features of a case, Classes that of the classes.
	Inputs, Classes int
	// Shape is that of a case, [height, width] or [channels, height, width], for
	// those that need it: convnets.
	Shape []int
	// BatchSize is the largest minibatch.
	BatchSize int
	// Seed is the root of the initial weights and of dropout.
	Seed uint64
	// Threads is how many threads compute, at least 1; 0 counts as 1.
	Threads int
	// BLAS is "auto", "openblas" or "gonum"; empty takes TENFOLD_BLAS from the
	// environment, and "auto" where that is not set.
	BLAS string
}

// validate checks what the spec's own rules do not cover or may not have seen.
func validate(cfg sweeps.Model, o Options) error {
	fail := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrConfig, fmt.Sprintf(format, args...))
	}
	switch {
	case cfg.Kind != "mlp" && cfg.Kind != "convnet":
		return fail("kind %q is not available yet, only mlp and convnet are", cfg.Kind)
	case !slices.Contains([]string{"scaled", "normal", "he", "sign"}, cfg.Init.Kind):
		return fail("init.kind is %q, want scaled, normal, he or sign", cfg.Init.Kind)
	case !(cfg.Init.Scale >= 0) || math.IsInf(cfg.Init.Scale, 0):
		return fail("init.scale is %v, want a number ≥ 0", cfg.Init.Scale)
	case !(cfg.Init.Bias >= 0) || math.IsInf(cfg.Init.Bias, 0):
		return fail("init.bias is %v, want a number ≥ 0", cfg.Init.Bias)
	case !(cfg.Dropout.Input >= 0 && cfg.Dropout.Input < 1):
		return fail("dropout.input is %v, want a probability in [0, 1)", cfg.Dropout.Input)
	case !(cfg.Dropout.Hidden >= 0 && cfg.Dropout.Hidden < 1):
		return fail("dropout.hidden is %v, want a probability in [0, 1)", cfg.Dropout.Hidden)
	case o.Inputs < 1:
		return fail("cases have %d features", o.Inputs)
	case o.Classes < 2:
		return fail("%d classes, want at least 2", o.Classes)
	case o.BatchSize < 1:
		return fail("batch_size is %d, want at least 1", o.BatchSize)
	case o.Threads < 0:
		return fail("%d threads", o.Threads)
	}
	for i, width := range cfg.Hidden {
		if width < 1 {
			return fail("hidden[%d] is %d, want at least 1", i, width)
		}
	}
	return nil
}
