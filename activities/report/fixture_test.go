package report_test

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tenfold-ml/tenfold/activities/report"
	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/sweeps/ensemble"
	"github.com/tenfold-ml/tenfold/sweeps/space"
)

var writeTo = flag.String("write", "", "a folder to write the rendered examples to, for looking at them")

func ptr[T any](x T) *T { return &x }

// example is a sweep with learning rates × dropouts × hidden layers × seeds, with
// curves that look like those of real training.
func example(seeds, members int) report.Data {
	rng := rand.New(rand.NewPCG(1, 1))
	d := report.Data{
		Sweep: "mnist-mlp-4f2a91c0", SpecSHA256: strings.Repeat("4f2a91c0", 8),
		Dataset: "sha256:" + strings.Repeat("1f", 32), Trainer: "tenfold-trainer/1",
		SpecYAML: "version: 1\nname: mnist-mlp\nparameters:\n  train.learning_rate: {min: 0.01, max: 0.3, scale: log, count: 4}\n",
		Spec: sweeps.Spec{
			Name:   "mnist-mlp",
			Config: sweeps.Config{Data: sweeps.Data{Name: "mnist"}, Model: sweeps.Model{Kind: "mlp"}},
			Parameters: map[string]space.Parameter{
				"train.learning_rate":  {Min: ptr(0.01), Max: ptr(0.3), Scale: "log", Count: 4},
				"model.dropout.hidden": {Values: []any{0.0, 0.25, 0.5}},
				"model.hidden":         {Values: []any{[]any{128.0}, []any{512.0, 512.0}}},
				"seed":                 {Min: ptr(1.0), Max: ptr(float64(seeds)), Count: seeds},
			},
		},
	}
	var candidates []ensemble.Candidate
	for _, lr := range []float64{0.01, 0.0310723250595, 0.0965489384606, 0.3} {
		for _, dropout := range []float64{0, 0.25, 0.5} {
			for _, hidden := range [][]int{{128}, {512, 512}} {
				for seed := range seeds {
					i := len(d.Trials)
					row := report.TrialRow{
						ID: sweeps.TrialID(fmt.Sprintf("%016x", rng.Uint64())),
						Settings: []sweeps.Setting{
							{Path: "model.dropout.hidden", Value: dropout},
							{Path: "model.hidden", Value: hidden},
							{Path: "seed", Value: uint64(seed + 1)},
							{Path: "train.learning_rate", Value: lr},
						},
					}
					final := 0.0135 + 0.004*math.Abs(math.Log(lr/0.09)) + 0.004*math.Abs(dropout-0.25) + 0.004/float64(len(hidden)) + 0.0015*rng.NormFloat64()
					switch {
					case i%37 == 11:
						row.Failure = "exit code 1 after 6 attempts: out of memory: cannot allocate 2147483648 bytes"
					case lr == 0.3 && rng.Float64() < 0.2:
						row.Result = result(row.ID, 0.9, 3, rng)
						row.Result.Status, row.Result.ValidationError = sweeps.Diverged, 1
					default:
						row.Result = result(row.ID, final, 20, rng)
						candidates = append(candidates, ensemble.NewCandidate(*row.Result, uint64(seed+1), row.Settings))
					}
					d.Trials = append(d.Trials, row)
				}
			}
		}
	}
	if members > 0 {
		d.Manifest = manifest(d, ensemble.TopK(candidates, members), rng)
	}
	return d
}

func result(id sweeps.TrialID, final float64, epochs int, rng *rand.Rand) *sweeps.Result {
	r := &sweeps.Result{
		Version: 1, Trial: id, Epochs: 20, Attempt: 1, Status: sweeps.Completed, ValidationError: final, ValidationNLL: 3 * final,
		Engine: "cpu, OpenBLAS 0.3.21, 1 thread", Weights: 669706, Seconds: 60 + 20*rng.Float64(),
		Checkpoint: sweeps.Artifact{Key: "trials/" + string(id) + "/checkpoints/20-0123456789abcdef.safetensors", SHA256: strings.Repeat("0123456789abcdef", 4), Bytes: 2679000},
	}
	for e := 1; e <= epochs; e++ {
		x := final * (1 + 3*math.Exp(-float64(e)/4) + 0.08*rng.NormFloat64())
		wobble := func(k float64) float64 { return 0.3 * math.Sin(k*float64(e)*(1+1e3*final)) }
		r.Curve = append(r.Curve, sweeps.EpochMetrics{Epoch: e, ValidationError: min(x, 1), UpdateRatio: map[string]float64{
			"dense0.weight": 4e-3 * math.Exp(-float64(e)/6+wobble(1)), "dense0.bias": 0.5,
			"dense1.weight":  9e-4 * math.Exp(-float64(e)/9+wobble(2)),
			"dense10.weight": 2e-5 * math.Exp(2*wobble(3)), "dense2.weight": 0,
		}})
	}
	r.Curve[len(r.Curve)-1].ValidationError = final
	return r
}

func manifest(d report.Data, members []ensemble.Candidate, rng *rand.Rand) *ensemble.Manifest {
	m := &ensemble.Manifest{
		Version: 1, Sweep: d.Sweep, SpecSHA256: d.SpecSHA256, Dataset: d.Dataset, Trainer: d.Trainer, Strategy: "top_k", Size: len(members),
		Split:      ensemble.Split{Validation: 10000, Test: 10000, Classes: 10},
		BestSingle: ensemble.Single{Trial: members[0].ID, ValidationError: members[0].ValidationError},
		Measured: &ensemble.Measured{
			Validation: ensemble.Measures{Error: 0.0121, NLL: 0.041, Brier: 0.019},
			Test:       ensemble.Measures{Error: 0.0124, NLL: 0.0415, Brier: 0.0193}, MinMemberTestError: 1,
		},
	}
	for i, c := range members {
		e := math.Round(1e4*(c.ValidationError+0.002+0.0006*rng.NormFloat64())) / 1e4
		m.Members = append(m.Members, ensemble.Member{
			Rank: i + 1, Trial: c.ID, Settings: c.Settings, Seed: c.Seed, Epochs: 20, Weight: 1 / float64(len(members)),
			ValidationError: c.ValidationError, ValidationNLL: c.ValidationNLL, Test: &ensemble.Measures{Error: e, NLL: 3 * e, Brier: 1.5 * e}, Checkpoint: c.Checkpoint,
		})
		m.Measured.MeanMemberTestError += e / float64(len(members))
		m.Measured.MinMemberTestError = min(m.Measured.MinMemberTestError, e)
	}
	m.Measured.BestSingleTestError = m.Members[0].Test.Error
	return m
}

// render renders, and keeps the page where -write says.
func render(t *testing.T, name string, d report.Data) string {
	t.Helper()
	var b strings.Builder
	if err := report.Render(&b, d); err != nil {
		t.Fatal(err)
	}
	if *writeTo != "" {
		if err := os.WriteFile(filepath.Join(*writeTo, name+".html"), []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}
