// Command engine measures how many trials a second go through the embedded
// engine when training takes no time: workflow, server with its SQLite file,
// worker, activities, launcher and store are all real.
//
//	go run ./bench/engine                 # in process and with children, 300 and 3,000 trials
//	go run ./bench/engine -trials 300 -launcher process -cpuprofile cpu.prof
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/tenfold-ml/tenfold/activities"
	"github.com/tenfold-ml/tenfold/activities/local"
	"github.com/tenfold-ml/tenfold/activities/simulated"
	"github.com/tenfold-ml/tenfold/bench/internal/rig"
	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/workflows"
)

type options struct {
	trials      string
	parallelism int
	launcher    string
	dir         string
	cpuprofile  string
}

func main() {
	var o options
	flag.StringVar(&o.trials, "trials", "300,3000", "`numbers` of trials to run, one sweep each")
	flag.IntVar(&o.parallelism, "parallelism", 100, "runs in flight")
	flag.StringVar(&o.launcher, "launcher", "function,process", "what a trainer is: `function` in this process, child process")
	flag.StringVar(&o.dir, "dir", "", "where the files go (default: a temporary folder, removed afterwards)")
	flag.StringVar(&o.cpuprofile, "cpuprofile", "", "write a CPU profile to `file`")
	flag.Parse()
	if err := run(context.Background(), o); err != nil {
		fmt.Fprintln(os.Stderr, "engine:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) (err error) {
	dir := o.dir
	if dir == "" {
		if dir, err = os.MkdirTemp("", "tenfold-bench-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	if o.cpuprofile != "" {
		f, err := os.Create(o.cpuprofile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	fmt.Printf("%s, %d cores, parallelism %d\n\n", runtime.Version(), runtime.GOMAXPROCS(0), o.parallelism)
	fmt.Println("| launcher | trials | trials/s | first trial after | CPU-ms/trial: own, children | store calls/trial, ms each | server calls/trial, ms each | Train ms | executions | peak RSS |")
	fmt.Println("|---|---|---|---|---|---|---|---|---|---|")
	for _, launcher := range strings.Split(o.launcher, ",") {
		for _, n := range strings.Split(o.trials, ",") {
			trials, err := strconv.Atoi(n)
			if err != nil {
				return fmt.Errorf("-trials: %w", err)
			}
			if err := measure(ctx, filepath.Join(dir, launcher+"-"+n), launcher, trials, o.parallelism); err != nil {
				return fmt.Errorf("%s, %d trials: %w", launcher, trials, err)
			}
		}
	}
	return nil
}

// measure runs one sweep on an engine of its own and prints a line.
func measure(ctx context.Context, dir, launcher string, trials, parallelism int) (err error) {
	var command []string
	launch := functions
	switch launcher {
	case "function":
	case "process":
		binary, err := buildTrainer(ctx, dir)
		if err != nil {
			return err
		}
		command = []string{binary}
		launch = processes(dir, parallelism)
	default:
		return fmt.Errorf("no such launcher: %q", launcher)
	}
	resetPeak()
	begin := time.Now()
	r, err := rig.Start(ctx, rig.Options{Dir: dir, Launcher: launch})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Stop(ctx)) }()
	submitted, own, children := time.Now(), cpuTime(syscall.RUSAGE_SELF), cpuTime(syscall.RUSAGE_CHILDREN)
	done := make(chan struct{})
	first := make(chan time.Duration, 1)
	go func() { first <- untilFirst(r, begin, done) }()
	run, err := r.Submit(ctx, workflows.SweepInput{
		Sweep: "bench-" + launcher, Spec: rig.Spec("bench", trials, parallelism, command...),
	})
	if err != nil {
		return err
	}
	var out workflows.SweepOutput
	err = run.Get(ctx, &out)
	close(done)
	if err != nil {
		return err
	}
	took := time.Since(submitted)
	if out.Verdict != sweeps.VerdictFinished || out.Counts.Completed != trials {
		return fmt.Errorf("the sweep ended as %+v", out)
	}
	status, err := r.Status(ctx, run.GetID())
	if err != nil {
		return fmt.Errorf("asking for the status: %w", err)
	}
	perTrial := func(d time.Duration) float64 { return d.Seconds() * 1000 / float64(trials) }
	fmt.Printf("| %s | %d | %.0f | %v | %.1f, %.1f | %.1f, %.1f | %.1f, %.1f | %.0f | %d | %d MiB |\n",
		launcher, trials, float64(trials)/took.Seconds(), (<-first).Round(time.Millisecond),
		perTrial(cpuTime(syscall.RUSAGE_SELF)-own), perTrial(cpuTime(syscall.RUSAGE_CHILDREN)-children),
		float64(r.StoreTime.Count())/float64(trials), mean(r.StoreTime),
		float64(r.ServerTime.Count())/float64(trials), mean(r.ServerTime),
		mean(r.TrainTime),
		status.Continued+1, peak()>>20)
	return nil
}

// mean is in milliseconds.
func mean(m *rig.Meter) float64 {
	return m.Total().Seconds() * 1000 / float64(max(1, m.Count()))
}

// untilFirst returns when the first Train activity has ended, or done was closed.
func untilFirst(r *rig.Rig, begin time.Time, done <-chan struct{}) time.Duration {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if r.TrainTime.Count() > 0 {
				return time.Since(begin)
			}
		case <-done:
			return time.Since(begin)
		}
	}
}

// functions launches trainers that are a function call.
func functions(store *storage.Store) (activities.Launcher, error) {
	return simulated.New(func(ctx context.Context, run *simulated.Run) activities.Exit {
		trial, err := store.Trial(ctx, run.Key.Trial)
		if err == nil {
			_, _, err = store.CommitResult(ctx, rig.Result(trial, run.Key.Trial, run.Attempt))
		}
		if err != nil {
			return activities.Exit{Code: 1, Stderr: err.Error()}
		}
		return activities.Exit{}
	}, simulated.Options{Cores: 1000}), nil
}

// processes launches trainers that are child processes, at most parallelism at a time.
func processes(dir string, parallelism int) func(*storage.Store) (activities.Launcher, error) {
	return func(*storage.Store) (activities.Launcher, error) {
		return local.New(local.Options{Scratch: filepath.Join(dir, "scratch"), Cores: parallelism})
	}
}

func buildTrainer(ctx context.Context, dir string) (string, error) {
	binary := filepath.Join(dir, "nooptrainer")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", binary, "github.com/tenfold-ml/tenfold/bench/nooptrainer")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the trainer: %w: %s", err, out)
	}
	return binary, nil
}

func cpuTime(who int) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(who, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// resetPeak makes the kernel forget the peak of the resident memory so far.
func resetPeak() {
	runtime.GC()
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // not everywhere; then it is that of all sweeps
}

// peak is the peak of the resident memory, in bytes; 0 where nobody says.
func peak() int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kib << 10
		}
	}
	return 0
}
