package model

import (
	"strings"
	"testing"

	"github.com/tenfold-ml/tenfold/sweeps"
)

func TestDumpAndProfile(t *testing.T) {
	t.Parallel()
	n := network(t, convConfig(convLayers(), []int{9}, sweeps.Dropout{}),
		Options{Inputs: 84, Shape: []int{2, 7, 6}, Classes: 4, BatchSize: 5, Seed: 1})
	var dump, profile strings.Builder
	if err := n.Dump(&dump); err != nil {
		t.Fatal(err)
	}
	// 2 · rows · filters · taps · positions: 2·5·4·18·42.
	for _, want := range []string{"training, 5 rows:", "prediction, 5 rows:", "conv[identity 2×7×6 size=3 stride=1 padding=1]", "30240 flops", "[5 168]", "arena"} {
		if !strings.Contains(dump.String(), want) {
			t.Errorf("the dump has no %q:\n%s", want, dump.String())
		}
	}
	n.StartProfile()
	x, labels := cases(5, 84, 4, 0)
	for range 3 {
		trainStep(t, n, x, labels, 0)
	}
	trainStep(t, n, x[:2*84], labels[:2], 0)
	if err := n.WriteProfile(&profile); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"training, 5 rows: 3 calls", "training, 2 rows: 1 calls", "conv_filter_grad[", "GFLOP/s", "%"} {
		if !strings.Contains(profile.String(), want) {
			t.Errorf("the profile has no %q:\n%s", want, profile.String())
		}
	}
}
