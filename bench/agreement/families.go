package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/trainer/checkpoint"
	"github.com/tenfold-ml/tenfold/trainer/data"
	"github.com/tenfold-ml/tenfold/trainer/model"
)

// The bounds: of the absolute differences of probabilities, and of the differences of
// gradients relative to the largest of their parameter.
const (
	predictionBound = 1e-4
	gradientBound   = 1e-4
)

// families are the models that are compared, in YAML without the braces. The cases are [8, 8]: vectors of
// 64, planes of 8×8, or sequences of eight steps. All are trained with dropout, which
// predictions have to be free of.
var families = []struct{ name, model string }{
	{"mlp", "kind: mlp, hidden: [40, 30], activation: relu, dropout: {input: 0.1, hidden: 0.3}"},
	{"mlp-tanh", "kind: mlp, hidden: [40], activation: tanh"},
	{"mlp-sigmoid", "kind: mlp, hidden: [40], activation: sigmoid"},
	{"convnet", "kind: convnet, conv: [{channels: 6, kernel: 3, padding: 1, pool: 2}, {channels: 8, kernel: 3}], hidden: [20], activation: relu, dropout: {input: 0, hidden: 0.3}"},
	{"convnet-stride", "kind: convnet, conv: [{channels: 6, kernel: 4, stride: 2, padding: 2}, {channels: 8, kernel: 2, pool: 2}], hidden: [12], activation: tanh"},
	{"lstm", "kind: lstm, hidden: [24], dropout: {input: 0.1, hidden: 0.3}"},
	{"lstm-deep", "kind: lstm, hidden: [24, 16], forget_bias: 2"},
	{"rnn", "kind: rnn, hidden: [24], activation: tanh"},
}

const familySpec = `version: 1
name: %s
data: {name: %q, validation: 100}
model: {init: {kind: he, scale: 1}, %s}
train: {epochs: 12, batch_size: 32, learning_rate: 0.02, momentum: 0.9}
`

// minibatch is the size of the one whose gradients are compared.
const minibatch = 32

// compared is what compare.py says about one network.
type compared struct {
	// Predictions is the largest difference of a probability, Gradients that of a
	// gradient relative to the largest of its parameter, which is Worst.
	Predictions float64 `json:"predictions"`
	Cases       int     `json:"cases"`
	Error       float64 `json:"error"` // of PyTorch's predictions
	Gradients   float64 `json:"gradients"`
	Worst       string  `json:"worst"`
	Loss        float64 `json:"loss"` // relative difference of the minibatch's loss
}

// families compares one network of each; where some disagree, the error says which.
func (c *check) families(ctx context.Context) error {
	file := filepath.Join(c.dir, "cases.npz")
	if said, err := c.python.Command(ctx, scripts+"/cases.py", file).CombinedOutput(); err != nil {
		return fmt.Errorf("making cases: %w: %s", err, said)
	}
	fmt.Fprintf(c.out, "| network | test error | predictions: largest difference of %d cases (bound %g) | gradients: largest relative difference (bound %g) | in |\n|---|---|---|---|---|\n",
		casesPredicted, predictionBound, gradientBound)
	var errs []error
	for _, f := range families {
		got, err := c.family(ctx, f.name, fmt.Sprintf(familySpec, f.name, file, f.model), file)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", f.name, err))
			continue
		}
		fmt.Fprintf(c.out, "| %s | %.1f%% | %.1e | %.1e | %s |\n", f.name, 100*got.Error, got.Predictions, got.Gradients, got.Worst)
		if got.Cases != casesPredicted {
			errs = append(errs, fmt.Errorf("%s: %d cases predicted, not %d", f.name, got.Cases, casesPredicted))
		}
		// What is not a number fails too.
		if !(got.Predictions <= predictionBound && got.Gradients <= gradientBound && got.Loss <= gradientBound) {
			errs = append(errs, fmt.Errorf("%s: predictions differ by %.1e, gradients by %.1e (%s), the loss by %.1e", f.name, got.Predictions, got.Gradients, got.Worst, got.Loss))
		}
	}
	fmt.Fprintln(c.out)
	return errors.Join(errs...)
}

// casesPredicted is how many test cases cases.py makes.
const casesPredicted = 300

// family trains a network, leaves its gradients in a file and has PyTorch compare.
func (c *check) family(ctx context.Context, name, spec, cases string) (compared, error) {
	var got compared
	t, err := c.train(ctx, name, spec)
	if err != nil {
		return got, err
	}
	gradients := filepath.Join(c.dir, name+"-gradients.safetensors")
	shape, err := writeGradients(ctx, t, gradients)
	if err != nil {
		return got, err
	}
	about, err := json.Marshal(map[string]any{"model": t.trial.Config.Model, "shape": shape})
	if err != nil {
		return got, fmt.Errorf("the model: %w", err)
	}
	cmd := c.python.Command(ctx, scripts+"/compare.py", string(about), cases,
		t.file(t.result.Checkpoint), t.file(t.result.TestPredictions), gradients)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return got, fmt.Errorf("comparing: %w: %s", err, said.String())
	}
	if err := json.Unmarshal(out, &got); err != nil {
		return got, fmt.Errorf("comparing: %w: %s", err, out)
	}
	return got, nil
}

// writeGradients writes a minibatch of the data, standardised, and the gradients that
// the trained network has on it, without dropout. It returns the shape of a case.
func writeGradients(ctx context.Context, t trained, path string) (shape []int, err error) {
	fail := func(err error) ([]int, error) { return nil, fmt.Errorf("gradients: %w", err) }
	ds, err := data.Load(ctx, t.store, t.trial.Dataset, data.TrainImages, data.TrainLabels)
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
	cfg := t.trial.Config.Model
	cfg.Dropout = sweeps.Dropout{}
	n, err := model.New(cfg, model.Options{
		Inputs: ds.Features(), Shape: ds.Shape, Classes: ds.Classes, BatchSize: minibatch, Threads: 1,
	})
	if err != nil {
		return fail(err)
	}
	defer func() { _ = n.Close() }()
	for i, p := range n.Params() {
		if p.Name != weights.Parameters[i].Name {
			return fail(fmt.Errorf("parameter %d is %s, in the checkpoint %s", i, p.Name, weights.Parameters[i].Name))
		}
		copy(p.Value, weights.Parameters[i].Data)
	}
	first := make([]int32, minibatch)
	for i := range first {
		first[i] = int32(i)
	}
	m := model.Minibatch{X: make([]float32, minibatch*ds.Features()), Labels: make([]int32, minibatch)}
	data.NewBatches(ds.Train, first, data.NewStandardizer(weights.Mean, weights.Std), minibatch).Fill(0, m.X, m.Labels, nil)
	loss, _, err := n.TrainStep(m, 0)
	if err != nil {
		return fail(err)
	}
	labels := make([]float32, minibatch)
	for i, l := range m.Labels {
		labels[i] = float32(l)
	}
	tensors := []checkpoint.Tensor{
		{Name: "x", Shape: []int{minibatch, ds.Features()}, Data: m.X},
		{Name: "labels", Shape: []int{minibatch}, Data: labels},
		{Name: "loss", Shape: []int{1}, Data: []float32{float32(loss)}},
	}
	for _, p := range n.Params() {
		tensors = append(tensors, checkpoint.Tensor{Name: "gradient/" + p.Name, Shape: p.Shape, Data: p.Grad})
	}
	out, err := checkpoint.EncodeTensors(tensors, nil)
	if err != nil {
		return fail(err)
	}
	if err := os.WriteFile(path, out, 0o600); err != nil {
		return fail(err)
	}
	return ds.Shape, nil
}
