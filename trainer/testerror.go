package trainer

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/sweeps/ensemble"
	"github.com/tenfold-ml/tenfold/trainer/data"
)

// Test is how a trained network does on the test split.
type Test struct {
	ensemble.Measures
	Cases int
	// Task says what the measures are of.
	Task Task
}

// TestMeasures measures the test predictions of a completed run, for people who
// train one network by hand. Nothing may be decided by them.
func TestMeasures(ctx context.Context, store *storage.Store, trial sweeps.Trial, result sweeps.Result) (Test, error) {
	ds, err := data.Load(ctx, store, trial.Dataset, data.TestLabels)
	if err != nil {
		return Test{}, err
	}
	b, err := store.ReadArtifact(ctx, result.TestPredictions)
	if err != nil {
		return Test{}, fmt.Errorf("reading the test predictions: %w", err)
	}
	predictions, err := decodeNPY(b, ds.Test.N*ModelOptions(trial.Config, ds).Predictions())
	if err != nil {
		return Test{}, fmt.Errorf("reading %s: %w", result.TestPredictions.Key, err)
	}
	test := Test{Cases: ds.Test.N, Task: taskOf(ds)}
	if ds.Classes == 0 {
		test.Measures, err = ensemble.MeasureValues(predictions, ds.Targets(ds.Test, nil))
	} else {
		test.Measures, err = ensemble.Measure(predictions, ds.Classes, ds.Labels(ds.Test, nil))
	}
	if err != nil {
		return Test{}, fmt.Errorf("measuring the test predictions: %w", err)
	}
	return test, nil
}

// decodeNPY reads back n numbers that encodeNPY wrote.
func decodeNPY(b []byte, n int) ([]float32, error) {
	const prefix = 10
	if len(b) < prefix || len(b) != prefix+int(binary.LittleEndian.Uint16(b[8:]))+4*n {
		return nil, fmt.Errorf("%w: %d bytes are not %d predictions", storage.ErrCorrupt, len(b), n)
	}
	body := b[len(b)-4*n:]
	values := make([]float32, n)
	for i := range values {
		values[i] = math.Float32frombits(binary.LittleEndian.Uint32(body[4*i:]))
	}
	return values, nil
}
