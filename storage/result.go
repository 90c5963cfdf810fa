package storage

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"

	"github.com/tenfold-ml/tenfold/sweeps"
)

// resultVersion is the version of results that this code writes and reads.
const resultVersion = 1

// CommitResult commits a result. Of all callers for one (trial, epochs), ever, at
// most one gets won == true, and all that get no error get the committed result.
// After an error the result may be committed or not, as after a lost connection:
// calling again, with the same or another result, settles it. A result that is
// not fit to be committed is ErrInvalid and leaves nothing.
func (s *Store) CommitResult(ctx context.Context, r sweeps.Result) (committed sweeps.Result, won bool, err error) {
	if err := checkResult(r); err != nil {
		return sweeps.Result{}, false, fmt.Errorf("commit result: %w", err)
	}
	b, err := json.Marshal(r)
	if err != nil {
		return sweeps.Result{}, false, fmt.Errorf("commit result of trial %s: %w: %w", r.Trial, ErrInvalid, err)
	}
	won, err = s.PutAllIfAbsent(ctx, ResultKey(r.Trial, r.Epochs), append(b, '\n'))
	if err != nil {
		return sweeps.Result{}, false, fmt.Errorf("commit result: %w", err)
	}
	if won {
		// Through JSON, as for all others.
		err = json.Unmarshal(b, &committed)
		return committed, true, err
	}
	committed, err = s.Result(ctx, r.Trial, r.Epochs)
	return committed, false, err
}

// Result reads the committed result of training a trial for a budget of epochs,
// or returns backend.ErrNotFound. One that is damaged is ErrCorrupt.
func (s *Store) Result(ctx context.Context, id sweeps.TrialID, epochs int) (sweeps.Result, error) {
	key := ResultKey(id, epochs)
	var r sweeps.Result
	if err := s.ReadJSON(ctx, key, &r); err != nil {
		return sweeps.Result{}, err
	}
	if err := checkResult(r); err != nil {
		return sweeps.Result{}, corrupt(key, err)
	}
	if r.Trial != id || r.Epochs != epochs {
		return sweeps.Result{}, corrupt(key, fmt.Errorf("it is the result of trial %s and %d epochs", r.Trial, r.Epochs))
	}
	return r, nil
}

// checkResult says with ErrInvalid what is wrong with a result.
func checkResult(r sweeps.Result) error {
	if r.Version != resultVersion {
		return fmt.Errorf("%w: trial %s: version %d of results is not known, only %d is", ErrInvalid, r.Trial, r.Version, resultVersion)
	}
	if err := checkRun(r.Trial, r.Attempt); err != nil {
		return err
	}
	fail := func(format string, args ...any) error {
		return fmt.Errorf("%w: trial %s: %w", ErrInvalid, r.Trial, fmt.Errorf(format, args...))
	}
	if r.Epochs < 1 {
		return fail("a budget of %d epochs", r.Epochs)
	}
	if r.Status != sweeps.Completed && r.Status != sweeps.Diverged {
		return fail("status %q is neither %q nor %q", r.Status, sweeps.Completed, sweeps.Diverged)
	}
	if name, x, ok := firstNotFinite(reflect.ValueOf(r)); ok {
		return fail("%s is %v", name, x)
	}
	if r.ValidationError < 0 {
		return fail("validation_error is %v, below 0", r.ValidationError)
	}
	if r.ValidationError > 1 && !r.Values {
		return fail("validation_error is %v, not in [0, 1]", r.ValidationError)
	}
	for _, a := range []sweeps.Artifact{r.Checkpoint, r.ValidationPredictions, r.TestPredictions, r.ValidationLabels, r.TestLabels} {
		if a == (sweeps.Artifact{}) {
			continue
		}
		if err := checkArtifact(a); err != nil {
			return fail("%w", err)
		}
	}
	return nil
}

// firstNotFinite finds a floating-point number in v that is NaN or infinite and
// names it as in JSON: "curve[2].train_loss".
func firstNotFinite(v reflect.Value) (name string, x float64, found bool) {
	switch v.Kind() {
	case reflect.Float64, reflect.Float32:
		x := v.Float()
		return "", x, math.IsNaN(x) || math.IsInf(x, 0)
	case reflect.Struct:
		for i := range v.NumField() {
			if name, x, ok := firstNotFinite(v.Field(i)); ok {
				field, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
				return join(field, name), x, true
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			if name, x, ok := firstNotFinite(v.Index(i)); ok {
				return join(fmt.Sprintf("[%d]", i), name), x, true
			}
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			if name, x, ok := firstNotFinite(it.Value()); ok {
				return join(fmt.Sprint(it.Key()), name), x, true
			}
		}
	}
	return "", 0, false
}

// join puts two parts of a path into a value together.
func join(a, b string) string {
	if b == "" || strings.HasPrefix(b, "[") {
		return a + b
	}
	return a + "." + b
}
