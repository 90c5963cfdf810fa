// Command trainer measures the trainer against PyTorch's newest release on the same
// CPU and number of threads: both train the same networks on minibatches in memory,
// in turns, so that what else the machine does falls on both.
//
//	go run ./bench/trainer -trainer bin/trainer               # all
//	go run ./bench/trainer -threads 1 -only 'mlp 784-128'     # some
//	go run ./bench/trainer -json                              # for programs
//
// One step is forward, loss, backward and the update with momentum; with -clip the
// constraint on the gradient's norm too. PyTorch is run eagerly and compiled, the
// convnet also with channels last, and the fastest of these counts.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"

	"github.com/tenfold-ml/tenfold/bench/internal/pytorch"
	"github.com/tenfold-ml/tenfold/trainer/model"
)

// scripts is where our Python files are, from the root of the repository.
const scripts = "bench/trainer"

// bench is one run of it.
type bench struct {
	python  *pytorch.Environment
	trainer string // the binary
	rounds  int
	seconds float64
	cpu     bool
	profile string // folder of CPU profiles; empty for none
	log     io.Writer
}

type options struct {
	threads, only, venv, python, trainer string
	rounds                               int
	seconds, clip                        float64
	json, cpu                            bool
	child, profile                       string
}

func main() {
	var o options
	flag.StringVar(&o.threads, "threads", "1,2", "`numbers` of threads")
	flag.StringVar(&o.only, "only", "", "measure only workloads whose names have this `text`")
	flag.IntVar(&o.rounds, "rounds", 5, "`number` of rounds, of which the median counts")
	flag.Float64Var(&o.seconds, "seconds", 0.7, "length of a round for each side")
	flag.Float64Var(&o.clip, "clip", 0, "`limit` of the gradient's norm, on both sides; 0 for none")
	flag.BoolVar(&o.cpu, "cpu", false, "count the time that cores worked for a side instead of the clock's, for a machine that does other things too")
	flag.BoolVar(&o.json, "json", false, "print JSON")
	flag.StringVar(&o.trainer, "trainer", "bin/trainer", "the trainer's `binary`, for the time to the first step; empty leaves that out")
	flag.StringVar(&o.venv, "venv", "bin/pytorch", "`folder` of the virtual environment with PyTorch; made if it is not there")
	flag.StringVar(&o.python, "python", "python3", "the `command` to make it with")
	flag.StringVar(&o.profile, "cpuprofile", "", "write a CPU profile of our side of each workload into this `folder`")
	flag.StringVar(&o.child, "child", "", "train this `workload`: what the benchmark starts")
	flag.Parse()
	var err error
	if o.child != "" {
		err = child(o, os.Stdin, os.Stdout)
	} else {
		err = run(context.Background(), o, os.Stdout, os.Stderr)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "trainer:", err)
		os.Exit(1)
	}
}

// child is our side's process: a workload, or the size of a square product.
func child(o options, in io.Reader, out io.Writer) error {
	threads, err := strconv.Atoi(o.threads)
	if err != nil {
		return fmt.Errorf("-threads: %w", err)
	}
	if o.profile != "" {
		f, err := os.Create(o.profile)
		if err != nil {
			return fmt.Errorf("-cpuprofile: %w", err)
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return fmt.Errorf("-cpuprofile: %w", err)
		}
		defer pprof.StopCPUProfile()
	}
	if n, err := strconv.Atoi(o.child); err == nil {
		return serveProduct(n, threads, in, out)
	}
	return serveWorkload(o.child, threads, in, out)
}

func run(ctx context.Context, o options, out, log io.Writer) error {
	python, err := pytorch.Install(ctx, o.venv, o.python, log)
	if err != nil {
		return err
	}
	b := &bench{python: python, trainer: o.trainer, rounds: o.rounds, seconds: o.seconds, cpu: o.cpu, profile: o.profile, log: log}
	r := report{Go: runtime.Version(), Cores: runtime.NumCPU(), PyTorch: python.Origin, Clip: o.clip, Rounds: o.rounds, Seconds: o.seconds, CPU: o.cpu}
	if o.trainer != "" && o.only == "" {
		fmt.Fprintln(log, "time to the first step")
		var s [2]startup
		if s[0], s[1], err = measureStartup(ctx, b); err != nil {
			return err
		}
		r.Startup = s[:]
	}
	for _, text := range strings.Split(o.threads, ",") {
		threads, err := strconv.Atoi(text)
		if err != nil || threads < 1 {
			return fmt.Errorf("-threads: %q is no number of threads", text)
		}
		roof, err := b.roofline(ctx, threads)
		if err != nil {
			return err
		}
		r.Rooflines = append(r.Rooflines, roof)
		for _, w := range workloads(o.clip) {
			if !strings.Contains(w.Name, o.only) {
				continue
			}
			if _, err := model.CountParameters(w.Model, w.options(threads)); errors.Is(err, model.ErrConfig) {
				r.Missing = append(r.Missing, fmt.Sprintf("%s: %v", w.Name, err))
				continue
			}
			fmt.Fprintf(log, "%s, %d threads\n", w.Name, threads)
			m, err := b.measure(ctx, w, threads)
			if err != nil {
				return fmt.Errorf("%s, %d threads: %w", w.Name, threads, err)
			}
			m.Roof = max(roof.Ours, roof.PyTorch)
			r.Workloads = append(r.Workloads, m)
		}
	}
	if o.json {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		return e.Encode(r)
	}
	return r.print(out)
}

// ours is the command of our side of a workload, or of a product.
func (b *bench) ours(ctx context.Context, name, child string, threads int) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this program: %w", err)
	}
	args := []string{"-threads", strconv.Itoa(threads), "-child", child}
	if b.profile != "" {
		file := strings.NewReplacer(" ", "-", ",", "").Replace(fmt.Sprintf("%s %d.prof", name, threads))
		args = append(args, "-cpuprofile", filepath.Join(b.profile, file))
	}
	return exec.CommandContext(ctx, self, args...), nil
}

func (b *bench) peer(ctx context.Context, child, variant string, threads int) *exec.Cmd {
	return b.python.Command(ctx, filepath.Join(scripts, "peer.py"), child, variant, strconv.Itoa(threads))
}

// roofline measures square products, which is about the most that a CPU can do.
func (b *bench) roofline(ctx context.Context, threads int) (roofline, error) {
	const n = 2048
	r := roofline{Threads: threads}
	cmd, err := b.ours(ctx, "product", strconv.Itoa(n), threads)
	if err != nil {
		return r, err
	}
	sides, err := startSides(map[string]*exec.Cmd{"ours": cmd, "mm": b.peer(ctx, strconv.Itoa(n), "mm", threads)}, "ours", "mm")
	if err != nil {
		return r, err
	}
	if err := b.alternate(sides, threads); err != nil {
		return r, errors.Join(err, stopSides(sides))
	}
	r.Ours, r.PyTorch = 2*n*n*n*slices.Max(sides[0].rates), 2*n*n*n*slices.Max(sides[1].rates)
	return r, stopSides(sides)
}

// measure has all sides train one workload.
func (b *bench) measure(ctx context.Context, w workload, threads int) (measured, error) {
	m := measured{Workload: w.Name, Threads: threads, Batch: w.Batch, Goal: w.Goal, Flops: w.flops(), Peers: map[string]float64{}}
	text, err := json.Marshal(w)
	if err != nil {
		return m, fmt.Errorf("the workload: %w", err)
	}
	cmd, err := b.ours(ctx, w.Name, string(text), threads)
	if err != nil {
		return m, err
	}
	ours, err := startSide("ours", cmd)
	if err != nil {
		return m, err
	}
	sides := []*side{ours}
	for _, variant := range w.variants() {
		peer, err := startSide(variant, b.peer(ctx, string(text), variant, threads))
		if err != nil && variant != "eager" { // where nothing can be compiled
			fmt.Fprintf(b.log, "  PyTorch, %s: %v\n", variant, err)
			continue
		}
		if err != nil {
			return m, errors.Join(err, stopSides(sides))
		}
		sides = append(sides, peer)
	}
	if err := b.alternate(sides, threads); err != nil {
		return m, errors.Join(err, stopSides(sides))
	}
	m.Engine = ours.engine
	m.compare(sides)
	return m, stopSides(sides)
}

// alternate has sides train in turns.
func (b *bench) alternate(sides []*side, threads int) error {
	for range b.rounds {
		for _, s := range sides {
			if err := s.round(b.seconds, threads, b.cpu); err != nil {
				return err
			}
		}
	}
	return nil
}
