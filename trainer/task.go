package trainer

import (
	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/sweeps/ensemble"
	"github.com/tenfold-ml/tenfold/trainer/data"
	"github.com/tenfold-ml/tenfold/trainer/model"
)

// Task says what the measures of a run are of, for people.
type Task string

// The tasks.
const (
	// Classification asks for one label a case. It is the zero Task.
	Classification Task = ""
	// Labelling asks for several labels a case; errors and losses are per label.
	Labelling Task = "labels"
	// NextSymbol asks for labels of running text: a loss in nats is that of a symbol.
	NextSymbol Task = "text"
	// Regression asks for values: losses are mean squared errors, errors are those as
	// shares of the values' variance.
	Regression Task = "values"
)

func taskOf(ds *data.Dataset) Task {
	switch {
	case ds.Classes == 0:
		return Regression
	case ds.Ordered && ds.Symbols > 0:
		return NextSymbol
	case ds.Outputs > 1:
		return Labelling
	default:
		return Classification
	}
}

// ModelOptions are those of the network that a configuration trains on a data set,
// without how to compute.
func ModelOptions(cfg sweeps.Config, ds *data.Dataset) model.Options {
	return model.Options{
		Inputs: ds.Features(), Shape: ds.Shape, Classes: ds.Classes, Outputs: ds.Outputs, Symbols: ds.Symbols,
		BatchSize: cfg.Train.BatchSize, CarryState: cfg.Train.CarryState, Seed: cfg.Seed,
	}
}

// checkDataset refuses settings that do not go with the cases.
func checkDataset(cfg sweeps.Config, ds *data.Dataset) error {
	switch {
	case cfg.Train.CarryState && !ds.Ordered:
		return badConfig("train.carry_state: the cases of %s do not follow each other", ds.Name)
	case ds.Symbols > 0 && cfg.Data.Standardize:
		return badConfig("data.standardize: the inputs of %s are symbols, which have no scale", ds.Name)
	case ds.Symbols > 0 && cfg.Data.Augment != (sweeps.Augment{}):
		return badConfig("data.augment: the inputs of %s are symbols, which cannot be varied", ds.Name)
	}
	return nil
}

// variances returns that of the training cases' values, having made sure that it and that
// of the validation cases are more than 0.
func variances(ds *data.Dataset, train, validation []int32) (float64, error) {
	v := ensemble.Variance(ds.Targets(ds.Train, train))
	if v == 0 || ensemble.Variance(ds.Targets(ds.Train, validation)) == 0 {
		return 0, badConfig("the values that the training or the validation cases of %s ask for are all the same", ds.Name)
	}
	return v, nil
}
