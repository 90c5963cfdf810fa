// Command startup measures what a user waits for besides training: the time from
// `sweep run` to the first trial's start, the time of a whole sweep whose trainer
// does nothing, the same again with every result there, and the memory of the one
// process that is server, worker and command.
//
//	go run ./bench/startup -sweep bin/sweep
package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"time"
)

const spec = `{version: 1, name: startup, trainer: {command: [%q]},
parameters: {seed: {min: 0, max: 11, count: 12}}, parallelism: 4}
`

func main() {
	sweep := flag.String("sweep", "bin/sweep", "the `command` to measure")
	rounds := flag.Int("rounds", 5, "`number` of times")
	flag.Parse()
	if err := run(context.Background(), *sweep, *rounds); err != nil {
		fmt.Fprintln(os.Stderr, "startup:", err)
		os.Exit(1)
	}
}

// timing of one `sweep run`.
type timing struct {
	first, whole time.Duration // since the process began
	peak         int64         // resident memory, in bytes
}

func run(ctx context.Context, sweep string, rounds int) (err error) {
	dir, err := os.MkdirTemp("", "tenfold-startup-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	trainer := filepath.Join(dir, "nooptrainer")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", trainer, "./bench/nooptrainer").CombinedOutput(); err != nil {
		return fmt.Errorf("building the trainer: %w\n%s", err, out)
	}
	file := filepath.Join(dir, "startup.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, spec, trainer), 0o600); err != nil {
		return err
	}
	var fresh, again []timing
	for i := range rounds {
		home := filepath.Join(dir, fmt.Sprint(i))
		for _, list := range []*[]timing{&fresh, &again} {
			t, err := measure(ctx, sweep, home, file)
			if err != nil {
				return err
			}
			*list = append(*list, t)
		}
	}
	fmt.Printf("%s, %d cores, median of %d\n\n", runtime.Version(), runtime.NumCPU(), rounds)
	fmt.Println("| sweep of 12 trials that train nothing | first trial starts after | whole command | peak RSS |")
	fmt.Println("|---|---|---|---|")
	for _, row := range []struct {
		name    string
		timings []timing
	}{{"in an empty folder", fresh}, {"again, with every result there", again}} {
		fmt.Printf("| %s | %s | %s | %d MiB |\n", row.name,
			first(row.timings), median(row.timings, func(t timing) time.Duration { return t.whole }).Round(time.Millisecond),
			median(row.timings, func(t timing) int64 { return t.peak })>>20)
	}
	return nil
}

// first is the median time to the first trial, or a dash where none was started.
func first(timings []timing) string {
	d := median(timings, func(t timing) time.Duration { return t.first })
	if d == 0 {
		return "–"
	}
	return d.Round(time.Millisecond).String()
}

func median[T cmp.Ordered](timings []timing, of func(timing) T) T {
	values := make([]T, len(timings))
	for i, t := range timings {
		values[i] = of(t)
	}
	slices.Sort(values)
	return values[len(values)/2]
}

func measure(ctx context.Context, sweep, home, file string) (timing, error) {
	cmd := exec.CommandContext(ctx, sweep, "--dir", home, "run", "-o", "json", file)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return timing{}, err
	}
	var t timing
	begun := time.Now()
	if err := cmd.Start(); err != nil {
		return timing{}, err
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var event struct {
			Event string `json:"event"`
		}
		if err := json.Unmarshal(lines.Bytes(), &event); err == nil && event.Event == "trial_started" && t.first == 0 {
			t.first = time.Since(begun)
		}
	}
	if err := cmd.Wait(); err != nil {
		return timing{}, fmt.Errorf("sweep run: %w", err)
	}
	t.whole = time.Since(begun)
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		t.peak = usage.Maxrss << 10 // kB on Linux
	}
	return t, lines.Err()
}
