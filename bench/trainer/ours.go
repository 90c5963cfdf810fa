package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"syscall"
	"time"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/trainer/engine"
	"github.com/tenfold-ml/tenfold/trainer/engine/cpu"
	"github.com/tenfold-ml/tenfold/trainer/model"
	"github.com/tenfold-ml/tenfold/trainer/ops"
	"github.com/tenfold-ml/tenfold/trainer/optim"
)

// The process of one workload says that it is ready, and then answers each line
// "round SECONDS" with what it did in that time. peer.py does the same.
type (
	ready struct {
		Ready  bool   `json:"ready"`
		Engine string `json:"engine"`
	}
	roundDone struct {
		Steps   int     `json:"steps"`
		Seconds float64 `json:"seconds"`
		CPU     float64 `json:"cpu"` // seconds of all cores
		Loss    float64 `json:"loss"`
		// Allocated is the bytes of heap that a step took; ours only.
		Allocated float64 `json:"allocated"`
	}
)

// minibatches is how many are trained on in turn.
const minibatches = 8

// serveWorkload is our side's process.
func serveWorkload(text string, threads int, in io.Reader, out io.Writer) (err error) {
	var w workload
	if err := json.Unmarshal([]byte(text), &w); err != nil {
		return fmt.Errorf("the workload: %w", err)
	}
	n, err := model.New(w.Model, w.options(threads))
	if err != nil {
		return err
	}
	defer func() { _ = n.Close() }()
	random := rand.New(rand.NewPCG(1, 2))
	batches := make([]model.Minibatch, minibatches)
	for i := range batches {
		b := model.Minibatch{X: make([]float32, w.Batch*w.Inputs), Labels: make([]int32, w.Batch)}
		for j := range b.X {
			b.X[j] = float32(random.NormFloat64())
		}
		for j := range b.Labels {
			b.Labels[j] = int32(random.IntN(w.Classes))
		}
		batches[i] = b
	}
	update := optim.New(n.Params(), sweeps.Train{Momentum: w.Momentum})
	step := func(i int) (float64, error) {
		loss, _, err := n.TrainStep(batches[i%minibatches], uint64(i))
		if err != nil {
			return 0, err
		}
		if w.Clip > 0 {
			optim.ClipNorm(n.Params(), w.Clip)
		}
		update.Step(w.Rate)
		return loss, nil
	}
	return serve(step, n.Engine(), threads, in, out)
}

// options are those of the workload's network.
func (w workload) options(threads int) model.Options {
	return model.Options{
		Inputs: w.Inputs, Shape: w.Shape, Classes: w.Classes, BatchSize: w.Batch, Seed: 1, Threads: threads,
	}
}

// serveProduct is our side's process for the rate of a square product.
func serveProduct(n, threads int, in io.Reader, out io.Writer) (err error) {
	b, err := cpu.New(cpu.Options{Threads: threads})
	if err != nil {
		return err
	}
	defer func() { _ = b.Close() }()
	g := gorgonia.NewGraph()
	random := rand.New(rand.NewPCG(1, 2))
	leaf := func(shape ...int) *gorgonia.Node {
		v := make([]float32, tensor.Shape(shape).TotalSize())
		for i := range v {
			v[i] = float32(random.NormFloat64())
		}
		return gorgonia.NewTensor(g, tensor.Float32, len(shape), gorgonia.WithShape(shape...), gorgonia.WithName(fmt.Sprint(shape, random.Uint64())),
			gorgonia.WithValue(tensor.New(tensor.WithShape(shape...), tensor.WithBacking(v))))
	}
	y, err := ops.Dense(leaf(n, n), leaf(n, n), leaf(n), ops.Identity)
	if err != nil {
		return fmt.Errorf("the graph of a product: %w", err)
	}
	p, err := engine.Compile(b, engine.Result{Node: y})
	if err != nil {
		return err
	}
	defer func() { _ = p.Close() }()
	return serve(func(int) (float64, error) { return 0, p.RunAll() }, b.Name(), threads, in, out)
}

// cpuSeconds is the time that cores have worked for this process.
func cpuSeconds() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}

// serve warms step up and then answers until in ends.
func serve(step func(i int) (loss float64, err error), engine string, threads int, in io.Reader, out io.Writer) error {
	runtime.GOMAXPROCS(threads) // as the trainer does
	done := 0
	for ; done < 3; done++ {
		if _, err := step(done); err != nil {
			return err
		}
	}
	answers := json.NewEncoder(out)
	if err := answers.Encode(ready{true, engine}); err != nil {
		return fmt.Errorf("saying ready: %w", err)
	}
	questions := bufio.NewScanner(in)
	for questions.Scan() {
		var seconds float64
		if _, err := fmt.Sscanf(questions.Text(), "round %g", &seconds); err != nil {
			return fmt.Errorf("%q is no round: %w", questions.Text(), err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		var r roundDone
		busy := cpuSeconds()
		for begin := time.Now(); r.Seconds < seconds; r.Seconds = time.Since(begin).Seconds() {
			loss, err := step(done)
			if err != nil {
				return err
			}
			r.Loss = loss
			done++
			r.Steps++
		}
		r.CPU = cpuSeconds() - busy
		runtime.ReadMemStats(&after)
		r.Allocated = float64(after.TotalAlloc-before.TotalAlloc) / float64(r.Steps)
		if err := answers.Encode(r); err != nil {
			return fmt.Errorf("answering: %w", err)
		}
	}
	return questions.Err()
}
