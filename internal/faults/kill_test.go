//go:build faults

package faults

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tenfold-ml/tenfold/trainer/data/datatest"
)

// kills is how often the process that runs the sweep dies during one sweep. Trainers
// are killed on top of that.
const kills = 20

const spec = `
version: 1
name: faults
seed: 7
data: {name: %s, validation: 400}
model: {kind: mlp, hidden: [128, 128], dropout: {input: 0.1, hidden: 0.3}}
train: {batch_size: 16, epochs: 150, schedule: {kind: constant}}
parameters:
  train.learning_rate: {values: [0.01, 0.02, 0.04]}
  seed: {values: [1, 2, 3, 4]}
parallelism: 4
retries: {infra: 1000, preempted: 1000}
ensemble: {size: 10}
`

// TestKillEverything runs one sweep undisturbed and the same sweep with its process
// and its trainers killed at random moments, and demands the same manifest, byte
// for byte, each result once, and no trainer left behind.
func TestKillEverything(t *testing.T) {
	bin := build(t)
	data := datatest.Write(t, datatest.Size{Train: 2400, Test: 1000, Side: 8, Classes: 10})
	specFile := filepath.Join(t.TempDir(), "faults.yaml")
	if err := os.WriteFile(specFile, fmt.Appendf(nil, spec, data), 0o644); err != nil {
		t.Fatal(err)
	}
	calm, rough := t.TempDir(), t.TempDir()

	begun := time.Now()
	sweep(t, bin, calm, specFile).wait(t)
	undisturbed := time.Since(begun)
	t.Logf("undisturbed: %.1f s", undisturbed.Seconds())

	seed := uint64(time.Now().UnixNano())
	t.Logf("seed of the kills: %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	begun = time.Now()
	killed, trainersKilled := 0, 0
	for killed < kills {
		p := sweep(t, bin, rough, specFile)
		// From the middle of the start to far into training, and short enough that
		// the sweep cannot end before it was killed often enough.
		deadline := time.After(200*time.Millisecond + time.Duration(0.07*rng.Float64()*float64(undisturbed)))
	alive:
		for {
			select {
			case err := <-p.done:
				p.done <- err
				if err != nil {
					t.Fatalf("the sweep ended by itself after %d kills: %v\n%s", killed, err, p.output)
				}
				t.Fatalf("the sweep ended after %d kills; make it longer\n%s", killed, p.output)
			case <-deadline:
				break alive
			case <-time.After(time.Duration(100+rng.IntN(900)) * time.Millisecond):
				if trainers := trainersOf(t, bin); len(trainers) > 0 && rng.IntN(2) == 0 {
					if syscall.Kill(trainers[rng.IntN(len(trainers))], syscall.SIGKILL) == nil {
						trainersKilled++
					}
				}
			}
		}
		p.kill(t)
		killed++
		if left := waitForNoTrainer(t, bin); len(left) > 0 {
			t.Fatalf("trainers outlived their parent: pids %v", left)
		}
	}
	p := sweep(t, bin, rough, specFile)
	p.wait(t)
	t.Logf("with %d kills of the sweep and %d of trainers: %.1f s", killed, trainersKilled, time.Since(begun).Seconds())

	if left := waitForNoTrainer(t, bin); len(left) > 0 {
		t.Errorf("trainers left running: pids %v", left)
	}
	calmManifest, roughManifest := one(t, calm, "store/sweeps/*/ensemble/manifest.json"), one(t, rough, "store/sweeps/*/ensemble/manifest.json")
	if !bytes.Equal(calmManifest, roughManifest) {
		t.Errorf("the manifests differ:\n%s\n---\n%s", calmManifest, roughManifest)
	}
	calmResults, roughResults := results(t, calm), results(t, rough)
	if len(calmResults) != 12 {
		t.Errorf("%d results in the undisturbed sweep, want 12", len(calmResults))
	}
	for trial, want := range calmResults {
		got := roughResults[trial]
		if len(got) != 1 || len(want) != 1 {
			t.Errorf("trial %s has %d results, undisturbed %d; want one each", trial, len(got), len(want))
			continue
		}
		if got[0] != want[0] {
			t.Errorf("trial %s ended in other weights: %s, undisturbed %s", trial, got[0], want[0])
		}
	}
	if len(roughResults) != len(calmResults) {
		t.Errorf("%d trials have results, undisturbed %d", len(roughResults), len(calmResults))
	}
}

// process is a running `sweep run`.
type process struct {
	cmd    *exec.Cmd
	output *bytes.Buffer
	done   chan error
}

func sweep(t *testing.T, bin, dir, specFile string) *process {
	t.Helper()
	p := &process{output: new(bytes.Buffer), done: make(chan error, 1)}
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	t.Cleanup(cancel)
	p.cmd = exec.CommandContext(ctx, filepath.Join(bin, "sweep"), "--dir", dir, "run", specFile)
	p.cmd.Stdout, p.cmd.Stderr = p.output, p.output
	p.cmd.WaitDelay = time.Second
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.done <- p.cmd.Wait() }()
	return p
}

func (p *process) wait(t *testing.T) {
	t.Helper()
	if err := <-p.done; err != nil {
		t.Fatalf("sweep run: %v\n%s", err, p.output)
	}
}

func (p *process) kill(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
	t.Logf("killed: %v", <-p.done)
}

// build makes both binaries in a folder of the test's own, so that its trainers can
// be told from all others by their path.
func build(t *testing.T) string {
	t.Helper()
	bin := t.TempDir()
	cmd := exec.Command("go", "build", "-o", bin+"/", "./cmd/sweep", "./cmd/trainer")
	cmd.Dir = "../.."
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, out)
	}
	return bin
}

// trainersOf returns the pids of the processes that run bin's trainer.
func trainersOf(t *testing.T, bin string) []int {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Skip("needs /proc to find processes")
	}
	var pids []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		exe, err := os.Readlink(filepath.Join("/proc", e.Name(), "exe"))
		if err == nil && strings.TrimSuffix(exe, " (deleted)") == filepath.Join(bin, "trainer") {
			pids = append(pids, pid)
		}
	}
	return pids
}

// waitForNoTrainer gives the kernel a moment to reap, and returns who is left.
func waitForNoTrainer(t *testing.T, bin string) []int {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); ; {
		left := trainersOf(t, bin)
		if len(left) == 0 || time.Now().After(end) {
			return left
		}
		time.Sleep(20 * time.Millisecond) // the processes of a dead parent have no event to wait for
	}
}
