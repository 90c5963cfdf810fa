package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// startup is what it takes to train the first minibatch of a small network.
type startup struct {
	// Seconds until the first step was done, and Peak, the largest resident memory in
	// bytes; medians.
	Seconds float64 `json:"seconds"`
	Peak    float64 `json:"peak"`
}

const startupSpec = `version: 1
name: startup
data: {name: %q, validation: 16, standardize: false}
model: {kind: mlp, hidden: [128, 128]}
train: {epochs: 1, batch_size: 128, learning_rate: 0.1, momentum: 0.9}
`

// measureStartup starts the trainer and PyTorch in turn, each to train one step on the
// data of a file. Ours also keeps its data, a checkpoint and its result in a folder,
// and measures on validation cases before it says that the step is done.
func measureStartup(ctx context.Context, b *bench) (ours, peer startup, err error) {
	dir, err := os.MkdirTemp("", "tenfold-startup-")
	if err != nil {
		return ours, peer, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	file, spec := filepath.Join(dir, "data.npz"), filepath.Join(dir, "startup.yaml")
	make := b.python.Command(ctx, scripts+"/startup.py", "make", file)
	if out, err := make.CombinedOutput(); err != nil {
		return ours, peer, fmt.Errorf("making data: %w: %s", err, out)
	}
	if err := os.WriteFile(spec, fmt.Appendf(nil, startupSpec, file), 0o600); err != nil {
		return ours, peer, err
	}
	const rounds = 5
	var seconds, peaks [2][]float64
	for round := range rounds + 1 { // the first only warms the file system's caches
		for i, cmd := range []*exec.Cmd{
			exec.CommandContext(ctx, b.trainer, "train", "--config", spec, "--out", filepath.Join(dir, strconv.Itoa(round)), "--output", "json", "--threads", "1"),
			b.python.Command(ctx, scripts+"/startup.py", "1", file),
		} {
			took, peak, err := untilStep(cmd)
			if err != nil {
				return ours, peer, err
			}
			if round > 0 {
				seconds[i], peaks[i] = append(seconds[i], took.Seconds()), append(peaks[i], float64(peak))
			}
		}
	}
	return startup{median(seconds[0]), median(peaks[0])}, startup{median(seconds[1]), median(peaks[1])}, nil
}

// untilStep is the time from a process' start to its event "epoch", and its peak of
// resident memory in bytes.
func untilStep(cmd *exec.Cmd) (took time.Duration, peak int64, err error) {
	fail := func(err error) (time.Duration, int64, error) {
		return 0, 0, fmt.Errorf("the time to the first step of %s: %w", filepath.Base(cmd.Path), err)
	}
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	if err != nil {
		return fail(err)
	}
	begun := time.Now()
	if err := cmd.Start(); err != nil {
		return fail(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var event struct {
			Event string `json:"event"`
		}
		if err := json.Unmarshal(lines.Bytes(), &event); err == nil && event.Event == "epoch" && took == 0 {
			took = time.Since(begun)
		}
	}
	if err := cmd.Wait(); err != nil {
		return fail(fmt.Errorf("%w: %s", err, said.String()))
	}
	if took == 0 {
		return fail(errors.New("it made none"))
	}
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		peak = usage.Maxrss << 10 // kB on Linux
	}
	return took, peak, lines.Err()
}
