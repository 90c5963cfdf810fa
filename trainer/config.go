package trainer

import (
	"math"

	"github.com/tenfold-ml/tenfold/sweeps"
)

// checkConfig refuses an optimisation that this trainer can't run; package model
// does the same for the network. Specs are validated before there are trials;
// this guards against trials written by something else, whose numbers would
// otherwise lead to odd failures in the middle.
func checkConfig(c sweeps.Config) error {
	finite := func(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
	t := c.Train
	switch {
	case t.BatchSize < 1:
		return badConfig("train.batch_size: %d is less than 1", t.BatchSize)
	case !finite(t.LearningRate) || t.LearningRate <= 0:
		return badConfig("train.learning_rate: %v is not a number above 0", t.LearningRate)
	case !(t.Momentum >= 0 && t.Momentum < 1):
		return badConfig("train.momentum: %v is not in [0, 1)", t.Momentum)
	case t.Optimizer != "" && t.Optimizer != "adam":
		return badConfig("train.optimizer: %q is not available (adam, or none for sgd)", t.Optimizer)
	case t.Optimizer == "adam" && !(t.Adam.Beta1 >= 0 && t.Adam.Beta1 < 1 && t.Adam.Beta2 >= 0 && t.Adam.Beta2 < 1):
		return badConfig("train.adam: beta1 %v or beta2 %v is not in [0, 1)", t.Adam.Beta1, t.Adam.Beta2)
	case t.Optimizer == "adam" && !(finite(t.Adam.Epsilon) && t.Adam.Epsilon > 0):
		return badConfig("train.adam.epsilon: %v is not a number above 0", t.Adam.Epsilon)
	case !finite(t.WeightDecay) || t.WeightDecay < 0:
		return badConfig("train.weight_decay: %v is not a number of at least 0", t.WeightDecay)
	case !finite(t.MaxNorm) || t.MaxNorm < 0:
		return badConfig("train.max_norm: %v is not a number of at least 0", t.MaxNorm)
	case !finite(t.ClipNorm) || t.ClipNorm < 0:
		return badConfig("train.clip_norm: %v is not a number of at least 0", t.ClipNorm)
	case t.Schedule.Kind != "plateau" && t.Schedule.Kind != "constant":
		return badConfig("train.schedule.kind: %q is not available yet (plateau, constant)", t.Schedule.Kind)
	case t.Schedule.Kind == "plateau" && !(finite(t.Schedule.DivideBy) && t.Schedule.DivideBy >= 1):
		return badConfig("train.schedule.divide_by: %v is not a number of at least 1", t.Schedule.DivideBy)
	case t.Schedule.Kind == "plateau" && t.Schedule.Patience < 1:
		return badConfig("train.schedule.patience: %d is less than 1", t.Schedule.Patience)
	}
	return nil
}
