package model

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"runtime"
	"strings"
	"testing"

	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/trainer/optim"
)

// weightsAfter trains a network with everything switched on, large enough that
// products are computed in several tiles, and returns the hash of its weights and
// optimiser state.
func weightsAfter(t *testing.T, steps uint64, blas string, threads int) string {
	t.Helper()
	n := network(t, config([]int{70, 300}, sweeps.Dropout{Input: 0.2, Hidden: 0.5}),
		Options{Inputs: 30, Classes: 10, BatchSize: 64, Seed: 5, Threads: threads, BLAS: blas})
	sgd := optim.NewSGD(n.Params(), 0.9)
	h := sha256.New()
	for step := range steps {
		rows := 64
		if step%3 == 2 {
			rows = 17 // a partial minibatch
		}
		x, labels := cases(rows, 30, 10, step)
		loss, _ := trainStep(t, n, x, labels, step)
		if !(loss > 0 && loss < 10) {
			t.Fatalf("step %d: loss %v", step, loss)
		}
		optim.ClipNorm(n.Params(), 0.5)
		sgd.Step(0.05)
	}
	for _, p := range n.Params() {
		write(t, h, p.Value)
	}
	for _, s := range sgd.State() {
		write(t, h, s.Data)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func write(t *testing.T, h hash.Hash, x []float32) {
	t.Helper()
	if err := binary.Write(h, binary.LittleEndian, x); err != nil {
		t.Fatal(err)
	}
}

func TestSameBitsTwice(t *testing.T) {
	t.Parallel()
	for _, blas := range []string{"gonum", "openblas"} {
		for _, threads := range []int{1, 2, 3} {
			t.Run(fmt.Sprintf("%s/%d threads", blas, threads), func(t *testing.T) {
				t.Parallel()
				if a, b := weightsAfter(t, 30, blas, threads), weightsAfter(t, 30, blas, threads); a != b {
					t.Errorf("two runs differ: %s, %s", a, b)
				}
			})
		}
	}
}

// The numerics of a release are pinned: whoever changes this hash changes the
// trained weights of every trial, and has to change the trainer's revision with it,
// which is part of the trial's ID.
//
// Only gonum is pinned. OpenBLAS picks its kernels by the processor, and they
// differ in the order of additions. On other architectures than amd64 the
// compiler may fuse operations inside gonum.
func TestGoldenWeights(t *testing.T) {
	t.Parallel()
	if runtime.GOARCH != "amd64" {
		t.Skip("the hash is that of amd64")
	}
	const golden = "d2615864148735ec8ca3db8e740e76baf4aa1ef0efa7633cbbb7c3d772ec5de2"
	for _, threads := range []int{1, 2, 3} { // which must not matter with gonum
		if got := weightsAfter(t, 30, "gonum", threads); got != golden {
			t.Errorf("%d threads: weights hash to %s, want %s", threads, got, golden)
		}
	}
}

// A step in the steady state allocates nothing. (Not parallel: it counts the
// allocations of the whole process.)
func TestStepsDoNotAllocate(t *testing.T) {
	if raceDetector {
		t.Skip("under the race detector, sync.Pool drops entries on purpose")
	}
	for _, blas := range []string{"gonum", "openblas"} {
		for _, threads := range []int{1, 2} {
			t.Run(fmt.Sprintf("%s/%d threads", blas, threads), func(t *testing.T) {
				n := network(t, config([]int{70, 40}, sweeps.Dropout{Input: 0.2, Hidden: 0.5}),
					Options{Inputs: 30, Classes: 10, BatchSize: 64, Seed: 5, Threads: threads, BLAS: blas})
				sgd := optim.NewSGD(n.Params(), 0.9)
				x, labels := cases(64, 30, 10, 0)
				probs := make([]float32, 64*10)
				step := uint64(0)
				allocations := testing.AllocsPerRun(100, func() {
					trainStep(t, n, x, labels, step)
					trainStep(t, n, x[:30*17], labels[:17], step)
					optim.ClipNorm(n.Params(), 0.5)
					sgd.Step(0.05)
					if err := n.Predict(x, probs); err != nil {
						t.Fatal(err)
					}
					step++
				})
				// The garbage collector may empty a pool now and then.
				if allocations > 1 {
					t.Errorf("%v allocations a step", allocations)
				}
			})
		}
	}
}

func TestEngineName(t *testing.T) {
	t.Parallel()
	for blas, want := range map[string]string{"gonum": "cpu gonum threads=2", "openblas": "cpu openblas "} {
		t.Run(blas, func(t *testing.T) {
			t.Parallel()
			n := network(t, config(nil, sweeps.Dropout{}), Options{Inputs: 3, Classes: 2, BatchSize: 1, Threads: 2, BLAS: blas})
			if got := n.Engine(); !strings.HasPrefix(got, want) || !strings.HasSuffix(got, " threads=2") {
				t.Errorf("engine %q, want %q …", got, want)
			}
		})
	}
}
