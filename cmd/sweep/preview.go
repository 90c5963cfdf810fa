package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/tenfold-ml/tenfold/internal/terminal"
	"github.com/tenfold-ml/tenfold/sweeps"
)

// previewJSON is the output of `preview -o json`.
type previewJSON struct {
	Sweep  string `json:"sweep"`
	Trials int    `json:"trials"` // in the whole grid
	// Points are the first of them, at most --limit.
	Points []previewPoint `json:"points"`
}

type previewPoint struct {
	Index    int              `json:"index"`
	Settings []sweeps.Setting `json:"settings"`
}

func newPreviewCommand(a *app) *cobra.Command {
	var output format
	var limit int
	cmd := &cobra.Command{
		Use:   "preview SPEC",
		Short: "List the trials of a spec without running them",
		Example: `  sweep preview sweep.yaml
  sweep preview sweep.yaml --limit 0            # all of them
  sweep preview sweep.yaml -o json | jq .trials`,
		Args:              specArg,
		ValidArgsFunction: specFiles,
		RunE: func(_ *cobra.Command, args []string) error {
			if limit < 0 {
				return userErrorf("--limit is a number of trials, or 0 for all; got %d", limit)
			}
			spec, _, err := loadSpec(args[0])
			if err != nil {
				return err
			}
			plan, err := sweeps.NewPlan(spec, "", "")
			if err != nil {
				return &userError{err}
			}
			show := plan.Len()
			if limit > 0 {
				show = min(show, limit)
			}
			v := previewJSON{Sweep: sweeps.SweepID(spec), Trials: plan.Len(), Points: make([]previewPoint, show)}
			for i := range show {
				v.Points[i] = previewPoint{Index: i, Settings: plan.Settings(i)}
			}
			if output == formatJSON {
				return writeJSON(a.stdout, v)
			}
			return previewTable(a, spec, v)
		},
	}
	addFormat(cmd, &output)
	cmd.Flags().IntVar(&limit, "limit", 20, "list at most so many trials; 0 lists all")
	return cmd
}

func previewTable(a *app, spec sweeps.Spec, v previewJSON) error {
	paths := slices.Sorted(maps.Keys(spec.Parameters))
	names := settingNames(paths)
	table := terminal.Table{Header: []string{"#"}, Right: []bool{true}}
	for _, p := range paths {
		table.Header = append(table.Header, names[p])
		table.Right = append(table.Right, true)
	}
	for _, p := range v.Points {
		of := make(map[string]string, len(p.Settings))
		for _, s := range p.Settings {
			of[s.Path] = settingValue(s.Value)
		}
		row := []string{strconv.Itoa(p.Index)}
		for _, path := range paths {
			row = append(row, of[path])
		}
		table.Add(row...)
	}
	if err := table.Write(a.stdout, a.style()); err != nil {
		return err
	}
	if rest := v.Trials - len(v.Points); rest > 0 {
		fmt.Fprintf(a.stdout, "… and %d more (--limit 0 lists all)\n", rest)
	}
	_, err := fmt.Fprintf(a.stdout, "sweep %s: %s%s\n", v.Sweep, plural(v.Trials, "trial"), ensembleWords(spec))
	return err
}
