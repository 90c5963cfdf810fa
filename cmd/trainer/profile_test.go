package main

import (
	"strings"
	"testing"
)

func TestProfileGoesToStandardError(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := run(t, byHand("train", "--config", writeSpec(t, 1, ""), "--out", t.TempDir(), "--profile"))
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	for _, want := range []string{"training, 32 rows: ", "prediction, ", "GFLOP/s", "linear[relu]"} {
		if !strings.Contains(stderr, want) || strings.Contains(stdout, "GFLOP/s") {
			t.Errorf("standard error does not have %q alone:\n%s", want, stderr)
		}
	}
}
