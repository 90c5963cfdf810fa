// Command nooptrainer is a trainer that commits a result at once, or after -sleep, and
// exits: what remains of a sweep's time with it is the engine's. It reads the
// environment of the trainer's contract.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/sweeps"
)

// exitInfra is any exit code that the contract has no other meaning for.
const exitInfra = 1

func main() {
	sleep := flag.Duration("sleep", 0, "how long to train nothing")
	flag.Parse()
	time.Sleep(*sleep)
	if err := commit(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "nooptrainer:", err)
		os.Exit(exitInfra)
	}
}

func commit(ctx context.Context) error {
	id := sweeps.TrialID(os.Getenv("TENFOLD_TRIAL"))
	attempt, err := strconv.Atoi(os.Getenv("TENFOLD_ATTEMPT"))
	if err != nil {
		return fmt.Errorf("TENFOLD_ATTEMPT: %w", err)
	}
	store, err := storage.Open(ctx, os.Getenv("TENFOLD_STORE"))
	if err != nil {
		return err
	}
	trial, err := store.Trial(ctx, id)
	if err != nil {
		return err
	}
	_, _, err = store.CommitResult(ctx, sweeps.Result{
		Version: 1, Trial: id, Epochs: trial.Config.Train.Epochs, Attempt: attempt,
		Status:          sweeps.Completed,
		ValidationError: 1 / float64(1+trial.Config.Seed),
	})
	return err
}
