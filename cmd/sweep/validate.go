package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tenfold-ml/tenfold/sweeps"
)

// validateJSON is the output of `validate -o json`.
type validateJSON struct {
	Valid bool `json:"valid"`
	// Problems in the order of the file.
	Problems []sweeps.Problem `json:"problems,omitzero"`
	Sweep    string           `json:"sweep,omitzero"`
	Trials   int              `json:"trials,omitzero"`
	Epochs   int              `json:"epochs,omitzero"`
	Members  int              `json:"members,omitzero"`
}

func newValidateCommand(a *app) *cobra.Command {
	var output format
	cmd := &cobra.Command{
		Use:   "validate SPEC",
		Short: "Check a spec without running it",
		Long: `Check a spec without running it. Every problem gets a line that says where it is
and what to do; the exit code is 2 if there is one.`,
		Example: `  sweep validate sweep.yaml
  sweep validate sweep.yaml -o json`,
		Args:              specArg,
		ValidArgsFunction: specFiles,
		RunE: func(_ *cobra.Command, args []string) error {
			spec, _, err := loadSpec(args[0])
			if err != nil {
				var bad *sweeps.SpecError
				if output != formatJSON {
					return err
				}
				problems := []sweeps.Problem{{Message: err.Error()}}
				if errors.As(err, &bad) {
					problems = bad.Problems
				}
				return errors.Join(writeJSON(a.stdout, validateJSON{Problems: problems}), &silentError{exitUser})
			}
			plan, err := sweeps.NewPlan(spec, "", "")
			if err != nil {
				return &userError{err}
			}
			v := validateJSON{Valid: true, Sweep: sweeps.SweepID(spec), Trials: plan.Len(),
				Epochs: spec.Train.Epochs, Members: spec.Ensemble.Size}
			if output == formatJSON {
				return writeJSON(a.stdout, v)
			}
			_, err = fmt.Fprintf(a.stdout, "%s is valid: sweep %s, %s%s\n", args[0], v.Sweep, plural(v.Trials, "trial"), ensembleWords(spec))
			return err
		},
	}
	addFormat(cmd, &output)
	return cmd
}

// ensembleWords says in a half-sentence what ensemble a spec asks for.
func ensembleWords(spec sweeps.Spec) string {
	if spec.Ensemble.Size == 0 {
		return ", no ensemble"
	}
	return fmt.Sprintf(", an ensemble of the best %d", spec.Ensemble.Size)
}
