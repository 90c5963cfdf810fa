package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/tenfold-ml/tenfold/trainer"
	"github.com/tenfold-ml/tenfold/trainer/model"
)

// runDump prints the programs of a spec's network, as they are compiled for full
// minibatches.
func runDump(ctx context.Context, f trainFlags, stdout io.Writer) (err error) {
	spec, err := loadSpec(f.config)
	if err != nil {
		return err
	}
	_, trial, err := planOne(f.config, spec, "", f.trial)
	if err != nil {
		return err
	}
	ds, err := loadSet(ctx, "", trial.Config.Data)
	if err != nil {
		return err
	}
	options := trainer.ModelOptions(trial.Config, ds)
	options.Threads, options.BLAS = f.threads, f.blas
	net, err := model.New(trial.Config.Model, options)
	if errors.Is(err, model.ErrConfig) {
		return &trainer.ConfigError{Err: err}
	}
	if err != nil {
		return fmt.Errorf("building the network: %w", err)
	}
	defer func() { err = errors.Join(err, net.Close()) }()
	return net.Dump(stdout)
}
