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
	// Inputs is the number of features of a case, Classes that of the classes. 0
	// classes mean that cases ask for values.
	Inputs, Classes int
	// Outputs is the number of labels or values of a case; 0 counts as 1.
	Outputs int
	// Shape is that of a case, for those that need it: [height, width] or [channels,
	// height, width] for convnets, [steps, features] or [steps] of symbols for
	// recurrent networks.
	Shape []int
	// Symbols is the size of the alphabet where inputs are symbols, whole numbers in
	// [0, Symbols), and 0 where they are not.
	Symbols int
	// BatchSize is the largest minibatch.
	BatchSize int
	// CarryState has a recurrent network begin each minibatch with the memories that
	// the one before it left, see [Network.Memories]; else with zeros.
	CarryState bool
	// Seed is the root of the initial weights and of dropout.
	Seed uint64
	// Threads is how many threads compute, at least 1; 0 counts as 1.
	Threads int
	// BLAS is "auto", "openblas" or "gonum"; empty takes TENFOLD_BLAS from the
	// environment, and "auto" where that is not set.
	BLAS string
}

// outputs is the number of labels or values of a case.
func (o Options) outputs() int { return max(o.Outputs, 1) }

// Predictions is how many numbers a network predicts for a case: a probability for
// each class of each label, or each value.
func (o Options) Predictions() int { return o.outputs() * max(o.Classes, 1) }

// validate checks what the spec's own rules do not cover or may not have seen.
func validate(cfg sweeps.Model, o Options) error {
	fail := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrConfig, fmt.Sprintf(format, args...))
	}
	switch {
	case !slices.Contains([]string{"mlp", "convnet", "lstm", "rnn"}, cfg.Kind):
		return fail("kind %q is not available yet, only mlp, convnet, lstm and rnn are", cfg.Kind)
	case math.IsNaN(cfg.ForgetBias) || math.IsInf(cfg.ForgetBias, 0):
		return fail("forget_bias is %v, want a number", cfg.ForgetBias)
	case o.CarryState && !cfg.IsRecurrent():
		return fail("a network of kind %s has no state to carry", cfg.Kind)
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
	case o.Classes < 0 || o.Classes == 1:
		return fail("%d classes, want at least 2, or 0 for values", o.Classes)
	case o.Outputs < 0:
		return fail("%d outputs", o.Outputs)
	case o.Symbols < 0:
		return fail("%d symbols", o.Symbols)
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
