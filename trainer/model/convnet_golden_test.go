package model

import (
	"crypto/sha256"
	"encoding/hex"
	"runtime"
	"testing"

	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/trainer/optim"
)

// The numerics of convolutional networks are pinned like those in TestGoldenWeights,
// and for the same reasons.
func TestGoldenConvnet(t *testing.T) {
	t.Parallel()
	if runtime.GOARCH != "amd64" {
		t.Skip("the hash is that of amd64")
	}
	const golden = "d15c822d64dfb9d9a088e7814fc6db5901615b8bd21804042ab787ea1882a806"
	layer := func(channels int) sweeps.ConvLayer {
		return sweeps.ConvLayer{Channels: channels, Kernel: 3, Stride: 1, Padding: 1, Pool: 2}
	}
	cfg := config([]int{20}, sweeps.Dropout{Input: 0.1, Hidden: 0.3})
	cfg.Kind, cfg.Conv = "convnet", []sweeps.ConvLayer{layer(8), layer(9)}
	for _, threads := range []int{1, 2, 3} {
		n := network(t, cfg, Options{Inputs: 28 * 28, Shape: []int{28, 28}, Classes: 10, BatchSize: 32, Seed: 5, Threads: threads, BLAS: "gonum"})
		sgd := optim.NewSGD(n.Params(), 0.9)
		for step := range uint64(6) {
			rows := 32
			if step%3 == 2 {
				rows = 17 // a partial minibatch
			}
			x, labels := cases(rows, 28*28, 10, step)
			trainStep(t, n, x, labels, step)
			sgd.Step(0.02)
		}
		h := sha256.New()
		for _, p := range n.Params() {
			write(t, h, p.Value)
		}
		if got := hex.EncodeToString(h.Sum(nil)); got != golden {
			t.Errorf("%d threads: weights hash to %s, want %s", threads, got, golden)
		}
	}
}
