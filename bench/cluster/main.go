//go:build linux

// Command cluster measures sweeps on a cluster of this machine (internal/testcluster).
//
//   - Throughput (throughput.go): a sweep of trials that sleep for a second and commit a
//     result, through Temporal, a worker, Nomad with the driver raw_exec and an S3 store;
//     and the same with trainers that are children of workers.
//   - Watching (watching.go): thousands of jobs that run at once and do nothing, Nomad's
//     mock_driver, watched as a worker watches them.
//
// Start reading at run. Requests to Nomad are counted by requests.go.
//
//	go run ./bench/cluster                       # all of it: 10 minutes
//	go run ./bench/cluster -trials 100 -watch 0
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/tenfold-ml/tenfold/internal/testcluster"
)

type options struct {
	bin    string // folder of the binaries
	trials int
	local  int
	places int
	watch  int
	end    time.Duration
	nodes  int
	out    io.Writer
	log    *slog.Logger
}

func main() {
	o := options{out: os.Stdout}
	flag.StringVar(&o.bin, "bin", "bin", "`folder` of the binaries")
	flag.IntVar(&o.trials, "trials", 1000, "one-second trials on Nomad, 0 for none")
	flag.IntVar(&o.local, "local", 1000, "one-second trials through the local launcher, 0 for none")
	flag.IntVar(&o.places, "places", 32, "how many of them run at a time")
	flag.IntVar(&o.watch, "watch", 2000, "jobs that run at once and are watched, 0 for none")
	flag.DurationVar(&o.end, "end", 3*time.Minute, "when the first of those ends, from the first launch on")
	flag.IntVar(&o.nodes, "nodes", 3, "Nomad clients")
	verbose := flag.Bool("v", false, "tell of servers that start and end")
	flag.Parse()
	level := slog.LevelWarn
	if *verbose {
		level = slog.LevelInfo
	}
	o.log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

// run makes the measurements that are asked for, one after the other, each on a cluster
// of its own.
func run(ctx context.Context, o options) error {
	fmt.Fprintf(o.out, "%s, %d cores, %d nodes; load when it began: %s\n", runtime.Version(), runtime.NumCPU(), o.nodes, load())
	if o.trials > 0 {
		if err := o.on(ctx, o.onNomad); err != nil {
			return fmt.Errorf("trials on Nomad: %w", err)
		}
	}
	if o.local > 0 {
		if err := o.on(ctx, o.onWorkers); err != nil {
			return fmt.Errorf("trials on workers: %w", err)
		}
	}
	if o.watch > 0 {
		if err := o.on(ctx, o.watching); err != nil {
			return fmt.Errorf("watching: %w", err)
		}
	}
	return nil
}

// on has something measured on a cluster that is there for it alone.
func (o options) on(ctx context.Context, measure func(context.Context, *testcluster.Cluster) error) (err error) {
	c, err := testcluster.New(testcluster.Options{Bin: o.bin, Log: o.log})
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Minute)
		defer cancel()
		err = errors.Join(err, c.Stop(ctx))
	}()
	return measure(ctx, c)
}

// load is the machine's load of the last minute: what else it had to do.
func load() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(b), " ")
	return first
}

// row prints a row of a table.
func (o options) row(what, format string, args ...any) {
	fmt.Fprintf(o.out, "| %s | %s |\n", what, fmt.Sprintf(format, args...))
}

// table prints the head of a table.
func (o options) table(format string, args ...any) {
	fmt.Fprintf(o.out, "\n| %s | |\n|---|---|\n", fmt.Sprintf(format, args...))
}

// data is where the S3 server of a cluster keeps a bucket, as files.
func data(c *testcluster.Cluster, bucket string) string {
	return filepath.Join(c.Dir(), "s3", "data", bucket)
}
