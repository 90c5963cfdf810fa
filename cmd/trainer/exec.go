package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/trainer/adapter"
)

// execFlags are the trainer's contract, as far as a command needs it.
type execFlags struct {
	store, trial, scratch string
	epochs, attempt       int
	grace                 time.Duration
	verbose               bool
}

func newExec(stdout, stderr io.Writer) *cobra.Command {
	var f execFlags
	cmd := &cobra.Command{
		Use:   "exec [flags] -- COMMAND [ARG…]",
		Short: "Make any program the trainer of a sweep",
		Long: `Run a command that trains one trial in whatever framework it likes, and keep the
trainer's contract for it. The command sees no store, only files:

  $TENFOLD_CONFIG          JSON: config (the spec's, with the trial's values), seed,
                           epochs, and epoch: how many are done
  $TENFOLD_RESUME          folder with the newest checkpoint; empty at the beginning
  $TENFOLD_CHECKPOINT_DIR  a checkpoint is a folder of any files here, named by the
                           number of epochs, and finished with a line on standard
                           output: {"event": "checkpoint", "epoch": 7}
  $TENFOLD_OUT             result.json with validation_error, and for ensembles
                           validation.npy, test.npy, validation_labels.npy,
                           test_labels.npy

After each epoch it prints {"event": "epoch", "epoch": 7, "validation_error": 0.02}.
On SIGTERM or SIGINT it gets SIGTERM, once, and has --grace to save a checkpoint.
docs/trainer-contract.md has all of it, recipes/custom-trainer an example.

In a spec: trainer: {command: [trainer, exec, --, python3, train.py]}.

Exit codes: 0 the result is committed; 64 the command cannot be run or leaves no
result, or its own 64; 65 what it left cannot be used, or its own 65; 74 the store
is full or refuses; 75 preempted; 128 and the number of the signal that ended the
command; else the command's own.`,
		Example: `  # what a launcher does, by hand
  TENFOLD_STORE=file:///data/store TENFOLD_TRIAL=0123456789abcdef \
    TENFOLD_EPOCHS=20 TENFOLD_ATTEMPT=9 trainer exec -- python3 train.py`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("there is no command: trainer exec -- COMMAND [ARG…]")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := fromEnvironment(cmd); err != nil {
				return err
			}
			return runExec(cmd.Context(), f, args, stdout, stderr)
		},
	}
	flags := cmd.Flags()
	flags.SetInterspersed(false) // what follows the command is its own
	flags.StringVar(&f.store, "store", "", "URL of the store, such as file:///data/store")
	flags.StringVar(&f.trial, "trial", "", "trial to train: 16 hex digits")
	flags.IntVar(&f.epochs, "epochs", 0, "epochs to train for")
	flags.IntVar(&f.attempt, "attempt", 0, "number of this attempt; no two of a trial are the same")
	flags.StringVar(&f.scratch, "scratch", "", "folder for the command's files")
	flags.DurationVar(&f.grace, "grace", adapter.DefaultGrace, "time for the command to save and end after SIGTERM")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "log progress on standard error")
	return cmd
}

func runExec(ctx context.Context, f execFlags, command []string, stdout, stderr io.Writer) error {
	contract := trainFlags{store: f.store, trial: f.trial, epochs: f.epochs, attempt: f.attempt, threads: 1, blas: "auto"}
	if err := contract.check(); err != nil {
		return err
	}
	if f.grace <= 0 {
		return usageError("grace: %s is not above 0", f.grace)
	}
	// The cores are the command's.
	runtime.GOMAXPROCS(1)
	store, err := openStore(ctx, f.store)
	if err != nil {
		return err
	}
	level := slog.LevelWarn
	if f.verbose {
		level = slog.LevelInfo
	}
	return adapter.Run(ctx, adapter.Options{
		Store: store, Trial: sweeps.TrialID(f.trial), Epochs: f.epochs, Attempt: f.attempt,
		Command: command, Scratch: f.scratch, Grace: f.grace,
		Stdout: stdout, Stderr: stderr, Log: newLog(stderr, level),
	})
}

// commandCode is the exit code that a command's own failure leads to.
func commandCode(err error) (int, bool) {
	var failed *adapter.ExitError
	if !errors.As(err, &failed) {
		return 0, false
	}
	return failed.Code, true
}

// saidByCommand says that the last line on standard error is the command's, which tells
// more than we could.
func saidByCommand(err error) bool {
	var failed *adapter.ExitError
	return errors.As(err, &failed) && failed.Problem == ""
}
