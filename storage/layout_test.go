package storage_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/storage/backend"
	"github.com/tenfold-ml/tenfold/sweeps"
)

const trialA, trialB = sweeps.TrialID("00112233445566aa"), sweeps.TrialID("00112233445566bb")

// TestLayout pins every key: they are in stores that exist.
func TestLayout(t *testing.T) {
	t.Parallel()
	const sum = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	for got, want := range map[string]string{
		storage.SpecKey("mnist-1a2b3c4d"):                  "sweeps/mnist-1a2b3c4d/spec.yaml",
		storage.PlanKey("mnist-1a2b3c4d"):                  "sweeps/mnist-1a2b3c4d/plan.json",
		storage.ManifestKey("mnist-1a2b3c4d"):              "sweeps/mnist-1a2b3c4d/ensemble/manifest.json",
		storage.ReportHTMLKey("mnist-1a2b3c4d"):            "sweeps/mnist-1a2b3c4d/ensemble/report.html",
		storage.ReportJSONKey("mnist-1a2b3c4d"):            "sweeps/mnist-1a2b3c4d/ensemble/report.json",
		storage.TrialDir(trialA):                           "trials/00112233445566aa",
		storage.TrialConfigKey(trialA):                     "trials/00112233445566aa/config.json",
		storage.CheckpointDir(trialA):                      "trials/00112233445566aa/checkpoints",
		storage.CheckpointRecordKey(trialA, 7, 12):         "trials/00112233445566aa/checkpoints/7-a12.json",
		storage.CheckpointStepRecordKey(trialA, 7, 0, 12):  "trials/00112233445566aa/checkpoints/7-a12.json",
		storage.CheckpointStepRecordKey(trialA, 7, 30, 12): "trials/00112233445566aa/checkpoints/7.30-a12.json",
		storage.MetricsKey(trialA, 3):                      "trials/00112233445566aa/metrics/a3.jsonl",
		storage.PredictionsDir(trialA, 20):                 "trials/00112233445566aa/predictions/20",
		storage.ResultKey(trialA, 20):                      "trials/00112233445566aa/results/20.json",
		storage.DatasetDir("sha256:" + sum):                "datasets/" + sum,
		storage.DatasetDir(sum):                            "datasets/" + sum,
		storage.DatasetManifestKey("sha256:" + sum):        "datasets/" + sum + "/manifest.json",
		storage.ArtifactKey("a/b", "test", "npy", sum):     "a/b/test-0123456789abcdef.npy",
		storage.ArtifactKey("a/b", "test", "", sum):        "a/b/test-0123456789abcdef",
	} {
		if got != want {
			t.Errorf("key %s, want %s", got, want)
		}
		if err := backend.CheckKey(got); err != nil {
			t.Errorf("%s: %v", got, err)
		}
	}
}

func TestParseCheckpointRecord(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"", "7-a1", "7-a1.json.json", "a1.json", "-a1.json", "7-a.json", "7-1.json", "07-a1.json", "7-a01.json",
		"7-a0.json", "+7-a1.json", "7-a+1.json", "-7-a1.json", "7-a-1.json", " 7-a1.json", "7-a1.JSON", "7-a1.jsonl",
		"99999999999999999999-a1.json", "x/7-a1.json", "7-0123456789abcdef.safetensors",
		"7.-a1.json", "7.0-a1.json", "7.01-a1.json", ".1-a1.json", "7.1.2-a1.json",
	} {
		if epoch, attempt, ok := storage.ParseCheckpointRecord(name); ok {
			t.Errorf("%q is taken for epoch %d, attempt %d", name, epoch, attempt)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		epoch, attempt := rapid.IntRange(0, 1<<40).Draw(t, "epoch"), rapid.IntRange(1, 1<<40).Draw(t, "attempt")
		step := rapid.IntRange(0, 1000).Draw(t, "step")
		key := storage.CheckpointStepRecordKey(trialA, epoch, step, attempt)
		e, a, ok := storage.ParseCheckpointRecord(key[len(storage.CheckpointDir(trialA))+1:])
		if !ok || e != epoch || a != attempt {
			t.Errorf("%s parses as %d, %d, %v", key, e, a, ok)
		}
	})
}
