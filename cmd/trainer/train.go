package main

import (
	"context"
	"io"
	"log/slog"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/trainer"
)

// trainFlags are the trainer's contract: each has a variable of the environment,
// which the flag overrides.
type trainFlags struct {
	store, trial, scratch, blas string
	epochs, attempt, threads    int
	checkpointEvery             time.Duration
	verbose, profile, dump      bool
	// config, out and output are for training without a sweep.
	config, out, output string
}

// environment maps flags to the variables that a launcher sets.
var environment = []struct{ flag, variable string }{
	{"store", "TENFOLD_STORE"},
	{"trial", "TENFOLD_TRIAL"},
	{"epochs", "TENFOLD_EPOCHS"},
	{"attempt", "TENFOLD_ATTEMPT"},
	{"scratch", "TENFOLD_SCRATCH"},
	{"threads", "TENFOLD_THREADS"},
	{"blas", "TENFOLD_BLAS"},
}

func newTrain(stdout, stderr io.Writer) *cobra.Command {
	var f trainFlags
	cmd := &cobra.Command{
		Use:   "train",
		Short: "Train a network: from a spec in a file, or a trial of a sweep",
		Long: `Train one network. A run that was interrupted goes on at its newest checkpoint
when started again, and ends in the same weights, bit for bit.

With --config it trains the network of a spec, the same file that "sweep run"
takes, without a sweep or a server: --out is the folder for everything it keeps.
A spec with parameters describes many networks; --trial N trains number N of them
("sweep preview" lists them). It shows how far it is, and at the end the error on
the validation and the test cases; -o json prints the metrics instead, one JSON
object a line. Ctrl-C saves, and the same command goes on.

To see what a network computes, --dump prints its programs instead of training: every
instruction with its operands, shape, place in memory, bytes and arithmetic. What
each of them took, and the rest of an epoch, --profile says after training.

Without --config it is what a sweep's launcher starts: a trial, whose
configuration is in the store, is trained and its result committed. Metrics go
to standard output, one JSON object a line.

Launchers give the settings in the environment: TENFOLD_STORE, TENFOLD_TRIAL,
TENFOLD_EPOCHS, TENFOLD_ATTEMPT, TENFOLD_SCRATCH, TENFOLD_THREADS, TENFOLD_BLAS.
A flag overrides its variable.

On SIGTERM or SIGINT it saves a checkpoint and exits with 75; a second signal
ends it at once.`,
		Example: `  # train one network by hand; stop with Ctrl-C and repeat to go on
  trainer train --config mnist.yaml --out ./mnist

  # the smallest spec there is: MNIST and the defaults
  printf 'version: 1\nname: first\n' > first.yaml
  trainer train --config first.yaml --out ./first

  # what a step of training computes, instruction by instruction
  trainer train --config mnist.yaml --dump

  # the fourth network of a sweep's grid
  trainer train --config sweep.yaml --trial 3 --out ./fourth

  # train a trial again that a sweep has in its store
  trainer train --store file:///data/store --trial 0123456789abcdef --epochs 20 --attempt 9

  # follow the errors as they come
  trainer train … | jq -c 'select(.event == "epoch") | [.epoch, .validation_error]'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := fromEnvironment(cmd); err != nil {
				return err
			}
			if f.config != "" {
				if err := f.checkAlone(cmd); err != nil {
					return err
				}
				if f.dump {
					return runDump(cmd.Context(), f, stdout)
				}
				return runAlone(cmd.Context(), f, stdout, stderr)
			}
			if cmd.Flags().Changed("out") || cmd.Flags().Changed("output") || f.dump {
				return usageError("--out, -o and --dump are for training from a file: --config FILE is missing")
			}
			return runTrain(cmd.Context(), f, stdout, stderr)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.store, "store", "", "URL of the store, such as file:///data/store")
	flags.StringVar(&f.config, "config", "", "spec to train one network of, without a sweep")
	flags.StringVar(&f.out, "out", "", "with --config: folder for checkpoints, predictions and the result")
	flags.StringVarP(&f.output, "output", "o", "text", "with --config: text or json")
	flags.StringVar(&f.trial, "trial", "", "trial to train: 16 hex digits, or with --config its number, from 0")
	flags.IntVar(&f.epochs, "epochs", 0, "epochs to train for")
	flags.IntVar(&f.attempt, "attempt", 0, "number of this attempt; no two of a trial are the same")
	flags.StringVar(&f.scratch, "scratch", "", "folder for temporary files")
	flags.IntVar(&f.threads, "threads", runtime.NumCPU(), "threads to compute with")
	flags.StringVar(&f.blas, "blas", "auto", "matrix products by: auto, openblas, gonum")
	flags.DurationVar(&f.checkpointEvery, "checkpoint-every", time.Second, "save checkpoints at most this often")
	flags.BoolVar(&f.profile, "profile", false, "in the end, write to standard error what each part of training took, and each operation of the network")
	flags.BoolVar(&f.dump, "dump", false, "with --config: print the programs that the network is compiled to, and train nothing")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "log progress on standard error")
	return cmd
}

// fromEnvironment sets the flags that were not given from their variables.
func fromEnvironment(cmd *cobra.Command) error {
	for _, e := range environment {
		value := os.Getenv(e.variable)
		if value == "" || cmd.Flags().Lookup(e.flag) == nil || cmd.Flags().Changed(e.flag) {
			continue
		}
		// What a launcher says about its trial is not about a file's.
		if cmd.Flags().Changed("config") && e.flag != "threads" && e.flag != "blas" {
			continue
		}
		if err := cmd.Flags().Set(e.flag, value); err != nil {
			return usageError("%s=%q is not what --%s takes", e.variable, value, e.flag)
		}
	}
	return nil
}

// check says what is missing, by both its names.
func (f trainFlags) check() error {
	for _, need := range []struct{ value, name string }{
		{f.store, "TENFOLD_STORE or --store"},
		{f.trial, "TENFOLD_TRIAL or --trial"},
		{nonzero(f.epochs), "TENFOLD_EPOCHS or --epochs"},
		{nonzero(f.attempt), "TENFOLD_ATTEMPT or --attempt"},
	} {
		if need.value == "" {
			return usageError("%s is needed", need.name)
		}
	}
	switch {
	case !sweeps.TrialID(f.trial).Valid():
		return usageError("trial %q is not 16 hex digits", f.trial)
	case f.epochs < 1:
		return usageError("epochs: %d is less than 1", f.epochs)
	case f.attempt < 1:
		return usageError("attempt: %d is less than 1", f.attempt)
	}
	return f.checkComputing()
}

// checkComputing checks the flags that say how to compute.
func (f trainFlags) checkComputing() error {
	switch {
	case f.threads < 1:
		return usageError("threads: %d is less than 1", f.threads)
	case f.checkpointEvery < 0:
		return usageError("checkpoint-every: %s is negative", f.checkpointEvery)
	case f.blas != "auto" && f.blas != "openblas" && f.blas != "gonum":
		return usageError("blas: %q is none of auto, openblas, gonum", f.blas)
	}
	return nil
}

func nonzero(n int) string { return strings.TrimPrefix(strconv.Itoa(n), "0") }

func runTrain(ctx context.Context, f trainFlags, stdout, stderr io.Writer) error {
	if err := f.check(); err != nil {
		return err
	}
	// A launcher that gives one core means it: the Go side of the trainer, its
	// garbage collector included, keeps to it as well.
	runtime.GOMAXPROCS(f.threads)
	store, err := openStore(ctx, f.store)
	if err != nil {
		return err
	}
	o := f.options(store, stdout, stderr)
	o.Trial, o.Epochs, o.Attempt = sweeps.TrialID(f.trial), f.epochs, f.attempt
	return trainer.Run(ctx, o)
}

// options are those that do not depend on the trial.
func (f trainFlags) options(store *storage.Store, stdout, stderr io.Writer) trainer.Options {
	level := slog.LevelWarn
	if f.verbose {
		level = slog.LevelInfo
	}
	every := f.checkpointEvery
	if every == 0 {
		every = time.Nanosecond // 0 means the default to package trainer
	}
	o := trainer.Options{
		Store: store, Scratch: f.scratch, Threads: f.threads, BLAS: f.blas, CheckpointEvery: every,
		Log: newLog(stderr, level), Metrics: stdout,
	}
	if f.profile {
		o.Profile = stderr
	}
	return o
}

// openStore opens a store; a URL that is none is the user's fault.
func openStore(ctx context.Context, url string) (*storage.Store, error) {
	store, err := storage.Open(ctx, url)
	if err != nil {
		return nil, &trainer.ConfigError{Err: err}
	}
	return store, nil
}

// newLog logs without times, which whoever collects standard error adds.
func newLog(w io.Writer, level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{
		Level: level,
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey && len(groups) == 0 {
				return slog.Attr{}
			}
			return a
		},
	}))
}
