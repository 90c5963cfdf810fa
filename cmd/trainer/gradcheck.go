package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/trainer"
	"github.com/tenfold-ml/tenfold/trainer/data"
	"github.com/tenfold-ml/tenfold/trainer/gradcheck"
	"github.com/tenfold-ml/tenfold/trainer/model"
	"github.com/tenfold-ml/tenfold/trainer/philox"
)

type gradcheckFlags struct {
	config, trial, store, output string
	cases, entries               int
}

func newGradcheck(stdout io.Writer) *cobra.Command {
	var f gradcheckFlags
	cmd := &cobra.Command{
		Use:   "gradcheck",
		Short: "Check a network's gradients against finite differences",
		Long: fmt.Sprintf(`Build the network of a spec in double precision, with its initial weights, each
moved a little at random so that none is on a kink, and fixed dropout masks. Take a
few training cases, and compare the gradient with finite differences of the loss at
sampled entries of each parameter.

It fails (exit code 1) when a relative error is above %.0e, or %.0e in networks
with relu or max-pool, whose loss has kinks. Entries whose perturbation crosses a
kink have no derivative to compare with; they are counted apart. An error is
relative to the entry or to a thousandth of the parameter's largest gradient,
whichever is larger. What rounding does to the differences is subtracted; entries
so small that it is more than what is allowed are counted as noisy.`, gradcheck.Smooth, gradcheck.Kinked),
		Example: `  trainer gradcheck --config mnist.yaml
  trainer gradcheck --config sweep.yaml --trial 3 --cases 20 --entries 200`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case f.config == "":
				return usageError("--config FILE is needed")
			case f.cases < 1:
				return usageError("cases: %d is less than 1", f.cases)
			case f.entries < 1:
				return usageError("entries: %d is less than 1", f.entries)
			}
			if err := checkOutput(f.output); err != nil {
				return err
			}
			return runGradcheck(cmd.Context(), f, stdout)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.config, "config", "", "spec of the network")
	flags.StringVar(&f.trial, "trial", "", "number of the trial, from 0, of a spec with parameters")
	flags.StringVar(&f.store, "store", os.Getenv("TENFOLD_STORE"), "URL of a store to keep the data set in; default: none")
	flags.IntVar(&f.cases, "cases", 5, "cases to compute the loss of")
	flags.IntVar(&f.entries, "entries", 50, "entries of each parameter to check")
	flags.StringVarP(&f.output, "output", "o", "text", "text or json")
	return cmd
}

func runGradcheck(ctx context.Context, f gradcheckFlags, stdout io.Writer) (err error) {
	spec, err := loadSpec(f.config)
	if err != nil {
		return err
	}
	_, trial, err := planOne(f.config, spec, "", f.trial)
	if err != nil {
		return err
	}
	cfg := trial.Config
	ds, err := loadSet(ctx, f.store, cfg.Data)
	if err != nil {
		return err
	}
	if cfg.Data.Log1p {
		if err := ds.Log1p(); err != nil {
			return err
		}
	}
	train, _, err := data.Partition(ds, cfg.Data)
	if err != nil {
		return err
	}
	cases := min(f.cases, len(train))
	options := trainer.ModelOptions(cfg, ds)
	options.BatchSize, options.Threads = cases, runtime.NumCPU()
	net, err := model.NewFloat64(cfg.Model, options)
	if errors.Is(err, model.ErrConfig) {
		return &trainer.ConfigError{Err: err}
	}
	if err != nil {
		return fmt.Errorf("building the network: %w", err)
	}
	defer func() { err = errors.Join(err, net.Close()) }()
	nudge(net.Params(), cfg.Seed)
	if err := net.Bind(someCases(ds, train, cases, cfg), 0); err != nil {
		return err
	}
	if _, err := net.Gradient(); err != nil {
		return fmt.Errorf("computing the gradient: %w", err)
	}
	var params []gradcheck.Parameter
	for _, p := range net.Params() {
		params = append(params, gradcheck.Parameter{Name: p.Name, Value: p.Value, Grad: p.Grad})
	}
	o := gradcheck.Options{Entries: f.entries, Seed: cfg.Seed, Kinked: net.Kinked()}
	rows, err := gradcheck.Check(net.Loss, params, o)
	if err != nil {
		return err
	}
	return reportGradcheck(stdout, f.output, rows, o, cases)
}

// nudge moves every weight by a little: a bias of exactly 0 under blank inputs is
// on relu's kink, where there is nothing to compare.
func nudge(params []model.Param64, seed uint64) {
	const size = 0.01
	for i, p := range params {
		z := make([]float64, len(p.Value))
		philox.New(seed, philox.Init, 2, uint64(i)).Normals(z)
		for j := range z {
			p.Value[j] += size * z[j]
		}
	}
}

// someCases are the first cases of the first epoch, in double precision.
func someCases(ds *data.Dataset, train []int32, n int, cfg sweeps.Config) (m model.Minibatch64) {
	std := data.Identity(ds.Features())
	switch {
	case ds.Symbols > 0:
		std = data.Symbols(ds.Features())
	case cfg.Data.Standardize:
		std = data.Fit(ds.Train, ds.Features(), train, cfg.Data.StdFloor)
	}
	batches := data.NewBatches(ds.Train, train, std, n)
	batches.Shuffle(cfg.Seed, 0)
	narrow := make([]float32, n*ds.Features())
	var targets []float32
	if ds.Classes > 0 {
		m.Labels = make([]int32, n*ds.Outputs)
	} else {
		targets = make([]float32, n*ds.Outputs)
	}
	batches.Fill(0, narrow, m.Labels, targets)
	m.X, m.Targets = widen(narrow), widen(targets)
	return m
}

func widen(x []float32) []float64 {
	wide := make([]float64, len(x))
	for i, v := range x {
		wide[i] = float64(v)
	}
	return wide
}

func reportGradcheck(w io.Writer, output string, rows []gradcheck.Row, o gradcheck.Options, cases int) error {
	wrong := 0
	for _, r := range rows {
		if !r.OK {
			wrong++
		}
	}
	var err error
	if output == "json" {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		err = e.Encode(struct {
			Tolerance float64         `json:"tolerance"`
			Cases     int             `json:"cases"`
			OK        bool            `json:"ok"`
			Rows      []gradcheck.Row `json:"parameters"`
		}{o.Tolerance(), cases, wrong == 0, rows})
	} else {
		err = gradcheckTable(w, rows, o, cases)
	}
	if err == nil && wrong > 0 {
		err = fmt.Errorf("the gradients of %d of %d parameters are wrong", wrong, len(rows))
	}
	return err
}

func gradcheckTable(w io.Writer, rows []gradcheck.Row, o gradcheck.Options, cases int) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprint(tw, "parameter\tsize\tchecked\tkinks\tnoisy\tlargest relative error\t\n")
	for _, r := range rows {
		verdict := "ok"
		if r.Checked == 0 {
			verdict = "NOT CHECKED: all perturbations crossed kinks"
		} else if !r.OK {
			verdict = fmt.Sprintf("WRONG: entry %d is %.10g, by differences %.10g", r.WorstEntry, r.Gradient, r.Numeric)
		}
		fmt.Fprintf(tw, "%s\t%d\t%d\t%d\t%d\t%.1e\t%s\n", r.Name, r.Size, r.Checked, r.Kinks, r.Noisy, r.Worst, verdict)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	through := ""
	if o.Kinked {
		through = ", for the loss goes through relu or max-pool; entries that cross a kink are not compared"
	}
	noisy := 0
	for _, r := range rows {
		noisy += r.Noisy
	}
	if noisy > 0 {
		through += fmt.Sprintf("; noisy, for rounding in the differences is more than that: %d", noisy)
	}
	_, err := fmt.Fprintf(w, "in float64, on %d cases; allowed: %.0e%s\n", cases, o.Tolerance(), through)
	return err
}

// loadSet imports a data set, into memory when there is no store, and loads it.
func loadSet(ctx context.Context, url string, cfg sweeps.Data) (*data.Dataset, error) {
	if url == "" {
		url = "mem:"
	}
	store, err := openStore(ctx, url)
	if err != nil {
		return nil, err
	}
	digest, err := data.Import(ctx, store, cfg, data.SourceFromEnv())
	if err != nil {
		return nil, err
	}
	return data.Load(ctx, store, digest)
}
