package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/storage/backend"
	"github.com/tenfold-ml/tenfold/sweeps"
)

// faketrainer is the command `faketrainer`: a trainer that behaves, or misbehaves,
// as its first argument says.
func faketrainer() int {
	how, rest := os.Args[1], os.Args[2:]
	switch how {
	case "commit":
		return fakeCommit()
	case "epochs": // takes a time for each epoch, and checkpoints after each
		return fakeEpochs(rest[0])
	case "diverge":
		return fakeResult(sweeps.Diverged)
	case "garbage": // prints what is no JSON, and commits all the same
		fmt.Print("\x00\xff\x1b[2J{\"event\":\"epoch\"\n{}\n[1,2]\n{\"event\":7}\nnull\n", strings.Repeat("\x80", 1000), "\n")
		return fakeCommit()
	case "long": // prints 10 MB without a line's end
		fmt.Print(strings.Repeat("x", 10<<20))
		return fakeCommit()
	case "chatter": // prints something, and commits nothing
		fmt.Println("epoch 1: \x1b[31mloss\x1b[0m 0.5")
		return 0
	case "silent": // commits nothing, and says nothing
		return 0
	case "hang":
		time.Sleep(time.Hour) // blocked for good, it would end: the runtime would see a deadlock
	case "exit":
		fmt.Fprintln(os.Stderr, "first line")
		fmt.Fprintln(os.Stderr, "out of luck")
		code, err := strconv.Atoi(rest[0])
		if err != nil {
			panic(err)
		}
		return code
	case "kill":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case "flaky": // fails at the first attempt
		if os.Getenv("TENFOLD_ATTEMPT") == "1" {
			fmt.Fprintln(os.Stderr, "the first attempt never works")
			return 1
		}
		return fakeCommit()
	case "fail-seed": // fails with a code if the seed is the one given
		store, id := fakeStore()
		trial, err := store.Trial(context.Background(), id)
		if err != nil {
			panic(err)
		}
		if strconv.FormatUint(trial.Config.Seed, 10) == rest[0] {
			fmt.Fprintln(os.Stderr, "cannot learn with this seed")
			return 64
		}
		return fakeCommit()
	}
	fmt.Fprintf(os.Stderr, "faketrainer: unknown behaviour %q\n", how)
	return 64
}

func fakeStore() (*storage.Store, sweeps.TrialID) {
	store, err := storage.Open(context.Background(), os.Getenv("TENFOLD_STORE"))
	if err != nil {
		panic(err)
	}
	return store, sweeps.TrialID(os.Getenv("TENFOLD_TRIAL"))
}

func fakeCommit() int { return fakeResult(sweeps.Completed) }

// fakeResult commits a result whose error is seed percent.
func fakeResult(status sweeps.ResultStatus) int {
	ctx := context.Background()
	store, id := fakeStore()
	trial, err := store.Trial(ctx, id)
	if err != nil {
		panic(err)
	}
	epochs, _ := strconv.Atoi(os.Getenv("TENFOLD_EPOCHS"))
	attempt, _ := strconv.Atoi(os.Getenv("TENFOLD_ATTEMPT"))
	r := sweeps.Result{Version: 1, Trial: id, Epochs: epochs, Attempt: attempt, Status: status, ValidationError: 1}
	if status == sweeps.Completed {
		r.ValidationError, r.ValidationNLL = float64(trial.Config.Seed)/100, 0.5
		weights := fmt.Appendf(nil, "weights of seed %d", trial.Config.Seed)
		if r.Checkpoint, err = store.PutArtifact(ctx, storage.CheckpointDir(id), strconv.Itoa(epochs), "safetensors", weights); err != nil {
			panic(err)
		}
	}
	if _, _, err := store.CommitResult(ctx, r); err != nil {
		panic(err)
	}
	return 0
}

// fakeEpochs trains for TENFOLD_EPOCHS epochs of the time given, going on where a
// former attempt was. On SIGTERM it leaves with 75.
func fakeEpochs(each string) int {
	step, err := time.ParseDuration(each)
	if err != nil {
		panic(err)
	}
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	ctx := context.Background()
	store, id := fakeStore()
	epochs, _ := strconv.Atoi(os.Getenv("TENFOLD_EPOCHS"))
	key := storage.TrialDir(id) + "/fake.txt"
	from := 0
	if b, err := store.ReadAll(ctx, key); err == nil {
		from, _ = strconv.Atoi(string(bytes.TrimSpace(b)))
	} else if !errors.Is(err, backend.ErrNotFound) {
		panic(err)
	}
	fmt.Fprintf(os.Stderr, "from epoch %d\n", from)
	for epoch := from + 1; epoch <= epochs; epoch++ {
		select {
		case <-term:
			return 75
		case <-time.After(step):
		}
		if err := store.PutAll(ctx, key, []byte(strconv.Itoa(epoch))); err != nil {
			panic(err)
		}
		fmt.Printf("{\"event\":\"epoch\",\"epoch\":%d,\"validation_error\":%g}\n", epoch, 1/float64(epoch+1))
	}
	return fakeCommit()
}
