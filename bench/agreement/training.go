package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/sweeps"
)

// trained is what `trainer train` left behind.
type trained struct {
	store  *storage.Store
	dir    string
	id     sweeps.TrialID
	trial  sweeps.Trial
	result sweeps.Result
}

// train has the trainer train one network of a spec.
func (c *check) train(ctx context.Context, name, spec string) (t trained, err error) {
	fail := func(err error) (trained, error) { return trained{}, fmt.Errorf("training %s: %w", name, err) }
	file := filepath.Join(c.dir, name+".yaml")
	if err := os.WriteFile(file, []byte(spec), 0o600); err != nil {
		return fail(err)
	}
	t.dir = filepath.Join(c.dir, name)
	cmd := exec.CommandContext(ctx, c.trainer, "train", "--config", file, "--out", t.dir, "--threads", "1")
	if said, err := cmd.CombinedOutput(); err != nil {
		return fail(fmt.Errorf("%w: %s", err, said))
	}
	if t.store, err = storage.Open(ctx, (&url.URL{Scheme: "file", Path: filepath.ToSlash(t.dir)}).String()); err != nil {
		return fail(err)
	}
	results, err := filepath.Glob(filepath.Join(t.dir, "trials", "*", "results", "*.json"))
	if err != nil || len(results) != 1 {
		return fail(fmt.Errorf("%d results: %w", len(results), errors.Join(err, errors.New("want one"))))
	}
	t.id = sweeps.TrialID(filepath.Base(filepath.Dir(filepath.Dir(results[0]))))
	epochs := filepath.Base(results[0])
	n, err := strconv.Atoi(epochs[:len(epochs)-len(".json")])
	if err != nil {
		return fail(err)
	}
	if t.trial, err = t.store.Trial(ctx, t.id); err != nil {
		return fail(err)
	}
	if t.result, err = t.store.Result(ctx, t.id, n); err != nil {
		return fail(err)
	}
	return t, nil
}

// file is the path of one of its artifacts.
func (t trained) file(a sweeps.Artifact) string {
	return filepath.Join(t.dir, filepath.FromSlash(a.Key))
}
