package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/trainer"
	"github.com/tenfold-ml/tenfold/trainer/data"
	"github.com/tenfold-ml/tenfold/trainer/model"
)

type describeFlags struct {
	dataFlags
	config, trial   string
	allowDuplicates bool
}

func newDataDescribe(stdout io.Writer) *cobra.Command {
	var f describeFlags
	cmd := &cobra.Command{
		Use:   "describe [NAME|DIGEST]",
		Short: "Print a data set's sizes, classes, scale and duplicates",
		Long: `Print a data set's digest, its sizes and classes or values, how large its features
are, how many cases are there twice, and how well the test split is guessed without
looking at the inputs: from the most frequent labels, the mean value, or the
frequencies of a text's characters. By its digest it is looked up in the store. By
name it is imported into the store if there is one (--store), else only read.

With --config the data set is the spec's, unless one is named with its settings, and
the network's number of parameters is compared with the number of training cases.

Test cases with the inputs of training cases are an error (exit code 65), and so
are, with --config, such validation cases: what is measured on them says little
about new cases. --allow-duplicates only counts them; the windows of a text may
repeat.`,
		Example: `  trainer data describe mnist
  trainer data describe ./my-images -o json
  trainer data describe ./book.txt --length 50
  trainer data describe parity --bits 31 --cases 2000000
  trainer data describe --config mnist.yaml
  trainer data describe sha256:a85700c9… --store file:///data/store`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) == 0 && f.config == "":
				return usageError("the name of a data set, or --config FILE, is needed")
			case f.config == "" && f.trial != "":
				return usageError("--trial is for the trials of --config FILE")
			}
			if err := checkOutput(f.output); err != nil {
				return err
			}
			return runDescribe(cmd.Context(), f, args, stdout)
		},
	}
	f.add(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.config, "config", "", "spec whose network is compared with the data")
	flags.StringVar(&f.trial, "trial", "", "number of the trial, from 0, of a spec with parameters")
	flags.BoolVar(&f.allowDuplicates, "allow-duplicates", false, "cases that are in two splits are no error")
	flags.StringVarP(&f.output, "output", "o", "text", "text or json")
	return cmd
}

// describedNetwork compares a network with the cases that it is trained on.
type describedNetwork struct {
	Parameters      int `json:"parameters"`
	TrainingCases   int `json:"training_cases"`
	ValidationCases int `json:"validation_cases"`
	// CasesPerParameter is TrainingCases / Parameters.
	CasesPerParameter float64 `json:"cases_per_parameter"`
	// LabelsPerParameter is as many times that as a case has labels or values; left out
	// if it has one.
	LabelsPerParameter float64 `json:"labels_per_parameter,omitempty"`
	// Duplicates are validation cases with the inputs of training cases.
	Duplicates int `json:"validation_duplicates"`
}

func runDescribe(ctx context.Context, f describeFlags, args []string, stdout io.Writer) error {
	var cfg sweeps.Config
	if f.config != "" {
		spec, err := loadSpec(f.config)
		if err != nil {
			return err
		}
		_, trial, err := planOne(f.config, spec, "", f.trial)
		if err != nil {
			return err
		}
		cfg = trial.Config
	}
	if len(args) > 0 {
		named := f.named(args[0])
		named.Validation, named.Limit, named.Log1p = cfg.Data.Validation, cfg.Data.Limit, cfg.Data.Log1p
		cfg.Data = named
	}
	ds, err := loadNamed(ctx, f.store, cfg.Data)
	if err != nil {
		return err
	}
	if cfg.Data.Log1p {
		if err := ds.Log1p(); err != nil {
			return err
		}
	}
	d, network := data.Describe(ds), (*describedNetwork)(nil)
	if f.config != "" {
		if network, err = describeNetwork(ds, cfg); err != nil {
			return err
		}
	}
	if f.output == "json" {
		e := json.NewEncoder(stdout)
		e.SetIndent("", "  ")
		err = e.Encode(struct {
			data.Description
			Network *describedNetwork `json:"network,omitempty"`
		}{d, network})
	} else {
		err = writeDescription(stdout, d, network)
	}
	if err != nil || f.allowDuplicates {
		return err
	}
	if err := d.Leakage(); err != nil {
		return fmt.Errorf("%w (--allow-duplicates: no error)", err)
	}
	if network != nil && network.Duplicates > 0 && !ds.Ordered {
		err := &data.Error{Where: d.Name, Problem: fmt.Sprintf("leaks: %d of %d validation cases have the inputs of training cases",
			network.Duplicates, network.ValidationCases)}
		return fmt.Errorf("%w (--allow-duplicates: no error)", err)
	}
	return nil
}

// loadNamed loads a data set that is named, or known by its digest.
func loadNamed(ctx context.Context, url string, cfg sweeps.Data) (*data.Dataset, error) {
	if !strings.HasPrefix(cfg.Name, "sha256:") {
		return loadSet(ctx, url, cfg)
	}
	if url == "" {
		return nil, usageError("TENFOLD_STORE or --store is needed to look up a digest")
	}
	store, err := openStore(ctx, url)
	if err != nil {
		return nil, err
	}
	return data.Load(ctx, store, cfg.Name)
}

func describeNetwork(ds *data.Dataset, cfg sweeps.Config) (*describedNetwork, error) {
	train, validation, err := data.Partition(ds, cfg.Data)
	if err != nil {
		return nil, err
	}
	count, err := model.CountParameters(cfg.Model, trainer.ModelOptions(cfg, ds))
	if errors.Is(err, model.ErrConfig) {
		return nil, &trainer.ConfigError{Err: err}
	}
	if err != nil {
		return nil, fmt.Errorf("counting the network's parameters: %w", err)
	}
	n := &describedNetwork{
		Parameters: count, TrainingCases: len(train), ValidationCases: len(validation),
		CasesPerParameter: float64(len(train)) / float64(count),
		Duplicates:        data.Shared(ds, train, validation),
	}
	if ds.Outputs > 1 {
		n.LabelsPerParameter = n.CasesPerParameter * float64(ds.Outputs)
	}
	return n, nil
}

func writeDescription(w io.Writer, d data.Description, n *describedNetwork) error {
	if err := d.Write(w); err != nil || n == nil {
		return err
	}
	labels := ""
	if n.LabelsPerParameter > 0 {
		labels = fmt.Sprintf(", %.3g labels", n.LabelsPerParameter)
	}
	_, err := fmt.Fprintf(w, "network  %d parameters for %d training cases: %.3g cases%s per parameter\nheld out %d validation cases, %d of them with the inputs of training cases\n",
		n.Parameters, n.TrainingCases, n.CasesPerParameter, labels, n.ValidationCases, n.Duplicates)
	return err
}
