package main

import (
	"os"
	"strings"
	"testing"

	"github.com/tenfold-ml/tenfold/trainer"
)

func TestDumpPrintsTheProgramsAndTrainsNothing(t *testing.T) {
	t.Parallel()
	cmd := byHand("train", "--config", writeSpec(t, 1, ""), "--dump")
	cmd.Dir = t.TempDir()
	code, stdout, stderr := run(t, cmd)
	if left, _ := os.ReadDir(cmd.Dir); code != 0 || stderr != "" || len(left) > 0 {
		t.Fatalf("exit code %d, %d files: %s", code, len(left), stderr)
	}
	for _, want := range []string{"training, 32 rows:", "prediction, 32 rows:", "linear[relu]", "arena: ", " flops"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("the dump does not have %q:\n%s", want, stdout)
		}
	}
	if strings.Contains(stdout, "epoch") {
		t.Errorf("it trained:\n%s", stdout)
	}
	if code, _, stderr := run(t, byHand("train", "--dump")); code != trainer.ExitConfig || !strings.Contains(stderr, "--config FILE is missing") {
		t.Errorf("without a spec: exit code %d: %s", code, stderr)
	}
}

func TestProfileGoesToStandardError(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := run(t, byHand("train", "--config", writeSpec(t, 1, ""), "--out", t.TempDir(), "--profile"))
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	for _, want := range []string{"training took ", "the optimizer", "training, 32 rows: ", "prediction, ", "GFLOP/s", "linear[relu]"} {
		if !strings.Contains(stderr, want) || strings.Contains(stdout, "GFLOP/s") {
			t.Errorf("standard error does not have %q alone:\n%s", want, stderr)
		}
	}
}
