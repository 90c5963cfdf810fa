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

// TestMeasures measures the test predictions of a completed run, for people who
// train one network by hand. Nothing may be decided by them.
func TestMeasures(ctx context.Context, store *storage.Store, trial sweeps.Trial, result sweeps.Result) (m ensemble.Measures, cases int, err error) {
	ds, err := data.Load(ctx, store, trial.Dataset, data.TestLabels)
	if err != nil {
		return m, 0, err
	}
	b, err := store.ReadArtifact(ctx, result.TestPredictions)
	if err != nil {
		return m, 0, fmt.Errorf("reading the test predictions: %w", err)
	}
	probs, err := decodeNPY(b, ds.Test.N*ds.Classes)
	if err != nil {
		return m, 0, fmt.Errorf("reading %s: %w", result.TestPredictions.Key, err)
	}
	m, err = ensemble.Measure(probs, ds.Classes, ds.Labels(ds.Test, nil))
	if err != nil {
		return m, 0, fmt.Errorf("measuring the test predictions: %w", err)
	}
	return m, ds.Test.N, nil
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
