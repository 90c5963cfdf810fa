package recipes

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"

	"github.com/sbinet/npyio/npy"

	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/storage/backend"
	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/trainer"
	"github.com/tenfold-ml/tenfold/trainer/data"
)

// Outcome is what one trial of a recipe came to.
type Outcome struct {
	// Settings are the trial's swept ones.
	Settings []sweeps.Setting
	// Trial is what was trained, Result what was committed.
	Trial  sweeps.Trial
	Result sweeps.Result
}

// Is says whether the trial has this value of a swept setting, given as it is in
// JSON: a number as float64, say.
func (o Outcome) Is(path string, value any) bool {
	for _, s := range o.Settings {
		if s.Path == path {
			return same(reflect.ValueOf(s.Value), reflect.ValueOf(value))
		}
	}
	return false
}

// same compares numbers by what they are worth, whatever their types.
func same(a, b reflect.Value) bool {
	x, isNumber := number(a)
	y, isNumberToo := number(b)
	if isNumber && isNumberToo {
		return x == y
	}
	return reflect.DeepEqual(a.Interface(), b.Interface())
}

func number(v reflect.Value) (float64, bool) {
	switch {
	case v.CanInt():
		return float64(v.Int()), true
	case v.CanUint():
		return float64(v.Uint()), true
	case v.CanFloat():
		return v.Float(), true
	}
	return 0, false
}

// Load reads a recipe. A path in data.name is taken from the recipe's folder.
func Load(path string) (sweeps.Spec, error) {
	src, err := os.ReadFile(path)
	if err != nil {
		return sweeps.Spec{}, fmt.Errorf("reading the recipe: %w", err)
	}
	spec, err := sweeps.Parse(filepath.Base(path), src)
	if err != nil {
		return sweeps.Spec{}, fmt.Errorf("reading the recipe: %w", err)
	}
	return spec, nil
}

// Train trains the trials of a spec one after the other with the built-in trainer,
// each on one thread and with the BLAS that TENFOLD_BLAS names, and returns their
// outcomes in the plan's order. What the store has already is taken from there.
func Train(ctx context.Context, store *storage.Store, spec sweeps.Spec) ([]Outcome, error) {
	plan, err := makePlan(ctx, store, spec)
	if err != nil {
		return nil, err
	}
	for i := range plan.Len() {
		id, trial, err := plan.Trial(i)
		if err != nil {
			return nil, err
		}
		if err := store.PutTrial(ctx, id, trial); err != nil {
			return nil, err
		}
		o := trainer.Options{
			Store: store, Trial: id, Epochs: trial.Config.Train.Epochs, Attempt: 1,
			Threads: 1, BLAS: os.Getenv("TENFOLD_BLAS"),
		}
		if err := trainer.Run(ctx, o); err != nil {
			return nil, fmt.Errorf("trial %d, %v: %w", i, plan.Settings(i), err)
		}
	}
	return outcomes(ctx, store, plan)
}

// Finished returns the outcomes of those trials of a spec that have a result in
// the store, in the plan's order, and how many there are in the plan.
func Finished(ctx context.Context, store *storage.Store, spec sweeps.Spec) (done []Outcome, trials int, err error) {
	plan, err := makePlan(ctx, store, spec)
	if err != nil {
		return nil, 0, err
	}
	done, err = outcomes(ctx, store, plan)
	return done, plan.Len(), err
}

func makePlan(ctx context.Context, store *storage.Store, spec sweeps.Spec) (*sweeps.Plan, error) {
	digest, err := data.Import(ctx, store, spec.Data, data.SourceFromEnv())
	if err != nil {
		return nil, err
	}
	return sweeps.NewPlan(spec, digest, trainer.Identity)
}

func outcomes(ctx context.Context, store *storage.Store, plan *sweeps.Plan) ([]Outcome, error) {
	var done []Outcome
	for i := range plan.Len() {
		id, trial, err := plan.Trial(i)
		if err != nil {
			return nil, err
		}
		result, err := store.Result(ctx, id, trial.Config.Train.Epochs)
		if errors.Is(err, backend.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		done = append(done, Outcome{Settings: plan.Settings(i), Trial: trial, Result: result})
	}
	return done, nil
}

// Predictions reads the test predictions of a completed trial, row-major.
func Predictions(ctx context.Context, store *storage.Store, o Outcome) ([]float32, error) {
	b, err := store.ReadArtifact(ctx, o.Result.TestPredictions)
	if err != nil {
		return nil, fmt.Errorf("reading the test predictions: %w", err)
	}
	var values []float32
	if err := npy.Read(bytes.NewReader(b), &values); err != nil {
		return nil, fmt.Errorf("reading %s: %w", o.Result.TestPredictions.Key, err)
	}
	return values, nil
}
