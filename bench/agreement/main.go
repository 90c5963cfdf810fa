// Command agreement checks that the trainer computes what PyTorch does, and that others
// can read what it keeps:
//
//	go run ./bench/agreement -trainer bin/trainer
//
// For each family of models the trainer trains a network on a small data set. PyTorch
// reads the weights of its checkpoint with the safetensors package, and predicts the
// test cases, which has to agree with the predictions that the trainer stored; and it
// computes the gradients of one minibatch, which have to agree with the trainer's.
// It fails where they do not.
//
// Then both train one configuration with some seeds, each with its own random numbers.
// The validation errors are printed side by side, and nothing is asserted about them.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/tenfold-ml/tenfold/bench/internal/pytorch"
)

// scripts is where our Python files are, from the root of the repository.
const scripts = "bench/agreement"

type options struct {
	trainer, venv, python, dir string
	seeds                      int
}

func main() {
	var o options
	flag.StringVar(&o.trainer, "trainer", "bin/trainer", "the trainer's `binary`")
	flag.StringVar(&o.venv, "venv", "bin/pytorch", "`folder` of the virtual environment with PyTorch; made if it is not there")
	flag.StringVar(&o.python, "python", "python3", "the `command` to make it with")
	flag.StringVar(&o.dir, "dir", "", "`folder` for what is trained (default: a temporary one, removed afterwards)")
	flag.IntVar(&o.seeds, "seeds", 5, "`number` of seeds that both train one configuration with; 0 leaves that out")
	flag.Parse()
	if err := run(context.Background(), o, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "agreement:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options, out, log io.Writer) (err error) {
	if o.dir == "" {
		if o.dir, err = os.MkdirTemp("", "tenfold-agreement-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(o.dir)) }()
	}
	if o.dir, err = filepath.Abs(o.dir); err != nil {
		return err
	}
	if err := os.MkdirAll(o.dir, 0o700); err != nil {
		return err
	}
	python, err := pytorch.Install(ctx, o.venv, o.python, log)
	if err != nil {
		return err
	}
	c := check{python: python, trainer: o.trainer, dir: o.dir, out: out}
	fmt.Fprintf(out, "%s\n\n", python.Origin)
	disagreed := c.families(ctx)
	if o.seeds > 0 {
		if err := c.seeds(ctx, o.seeds); err != nil {
			return errors.Join(disagreed, err)
		}
	}
	return disagreed
}

// check is one run.
type check struct {
	python  *pytorch.Environment
	trainer string
	dir     string
	out     io.Writer
}
