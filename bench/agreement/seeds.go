package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"

	"github.com/tenfold-ml/tenfold/trainer/checkpoint"
	"github.com/tenfold-ml/tenfold/trainer/data"
)

// seedSpec is what is trained, for a seed. The split would follow the seed otherwise.
const seedSpec = `version: 1
name: seeds
seed: %d
data: {name: mnist, limit: 12000, validation: 2000, split_seed: 1, std_floor: 1}
model: {kind: mlp, hidden: [128, 128], activation: relu, init: {kind: he, scale: 1}}
train: {epochs: 5, batch_size: 128, learning_rate: 0.05, momentum: 0.9, schedule: {kind: constant}, clip_norm: 0}
`

// seeds trains one configuration with several seeds in both and prints the validation
// errors. Data, their standardisation and which cases validate are the same for
// all; initial weights and the order of the cases are each one's own.
func (c *check) seeds(ctx context.Context, n int) error {
	var ours []float64
	var last trained
	for seed := 1; seed <= n; seed++ {
		t, err := c.train(ctx, fmt.Sprintf("seed-%d", seed), fmt.Sprintf(seedSpec, seed))
		if err != nil {
			return err
		}
		ours, last = append(ours, 100*t.result.ValidationError), t
	}
	file := filepath.Join(c.dir, "seeds.safetensors")
	if err := writeCases(ctx, last, file); err != nil {
		return err
	}
	about, err := json.Marshal(map[string]any{
		"model": last.trial.Config.Model, "train": last.trial.Config.Train, "seeds": n,
	})
	if err != nil {
		return fmt.Errorf("the configuration: %w", err)
	}
	cmd := c.python.Command(ctx, scripts+"/seeds.py", string(about), file)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("training in PyTorch: %w: %s", err, said.String())
	}
	var theirs []float64
	if err := json.Unmarshal(out, &theirs); err != nil || len(theirs) != n {
		return fmt.Errorf("training in PyTorch: %q, %w", out, err)
	}
	slices.Sort(ours)
	slices.Sort(theirs)
	fmt.Fprintf(c.out, "| validation error of 784-128-128-10, 10,000 cases of MNIST, 5 epochs | %d seeds, sorted | mean | standard deviation |\n|---|---|---|---|\n", n)
	for _, row := range []struct {
		name   string
		errors []float64
	}{{"ours", ours}, {"PyTorch", theirs}} {
		mean, deviation := spread(row.errors)
		fmt.Fprintf(c.out, "| %s | %.2f | %.2f%% | %.2f |\n", row.name, row.errors, mean, deviation)
	}
	a, sa := spread(ours)
	b, sb := spread(theirs)
	fmt.Fprintf(c.out, "\nThe means differ by %.2f standard errors of their difference.\n",
		math.Abs(a-b)/math.Sqrt((sa*sa+sb*sb)/float64(n)))
	return nil
}

// spread returns the mean and the standard deviation of a sample.
func spread(values []float64) (mean, deviation float64) {
	for _, v := range values {
		mean += v / float64(len(values))
	}
	for _, v := range values {
		deviation += (v - mean) * (v - mean) / float64(len(values)-1)
	}
	return mean, math.Sqrt(deviation)
}

// writeCases writes the training and validation cases of a run, standardised.
func writeCases(ctx context.Context, t trained, path string) error {
	fail := func(err error) error { return fmt.Errorf("the cases of the seeds: %w", err) }
	ds, err := data.Load(ctx, t.store, t.trial.Dataset, data.TrainImages, data.TrainLabels)
	if err != nil {
		return fail(err)
	}
	training, validation, err := data.Partition(ds, t.trial.Config.Data)
	if err != nil {
		return fail(err)
	}
	file, err := os.ReadFile(t.file(t.result.Checkpoint))
	if err != nil {
		return fail(err)
	}
	weights, err := checkpoint.DecodeWeights(file)
	if err != nil {
		return fail(err)
	}
	var tensors []checkpoint.Tensor
	for _, part := range []struct {
		name  string
		cases []int32
	}{{"train", training}, {"validation", validation}} {
		n := len(part.cases)
		x := make([]float32, n*ds.Features())
		data.NewBatches(ds.Train, part.cases, data.NewStandardizer(weights.Mean, weights.Std), n).Fill(0, x, nil, nil)
		labels := make([]float32, n)
		for i, l := range ds.Labels(ds.Train, part.cases) {
			labels[i] = float32(l)
		}
		tensors = append(tensors,
			checkpoint.Tensor{Name: part.name + ".x", Shape: []int{n, ds.Features()}, Data: x},
			checkpoint.Tensor{Name: part.name + ".labels", Shape: []int{n}, Data: labels})
	}
	out, err := checkpoint.EncodeTensors(tensors, nil)
	if err != nil {
		return fail(err)
	}
	if err := os.WriteFile(path, out, 0o600); err != nil {
		return fail(err)
	}
	return nil
}
