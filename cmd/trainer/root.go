package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/tenfold-ml/tenfold/trainer"
)

// usageError makes a mistake on the command line an error of the configuration.
func usageError(format string, args ...any) error {
	return &trainer.ConfigError{Err: fmt.Errorf(format, args...)}
}

func newRoot(stdout, stderr io.Writer) *cobra.Command {
	root := &cobra.Command{
		Use:   "trainer",
		Short: "Train one network of a sweep",
		Long: `trainer trains one trial of a sweep from its configuration in the store to its
committed result. A sweep's launcher starts it. By hand, "trainer train --config"
trains one network from a spec, without a sweep and without a server.

Exit codes:
   0  the result is committed (also when the run diverged: that is a result)
  64  the configuration or the command line is at fault; a retry does not help
  65  the data are at fault; a retry does not help
  70  a bug in the trainer
  74  the store is full or may not be written to
  75  preempted by SIGTERM or SIGINT; a checkpoint is saved
   1  anything else; a retry goes on at the newest checkpoint`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return cmd.Help()
		},
	}
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError("%w; see %s --help", err, cmd.CommandPath())
	})
	root.AddCommand(newTrain(stdout, stderr), newExec(stdout, stderr), newGradcheck(stdout), newData(stdout), newVersion(stdout))
	strict(root)
	return root
}

// strict makes the errors of every command's arguments usage errors.
func strict(cmd *cobra.Command) {
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return usageError("%w; see %s --help", err, cmd.CommandPath())
			}
			return nil
		}
	}
	for _, c := range cmd.Commands() {
		strict(c)
	}
}

// checkOutput checks the value of a command's -o.
func checkOutput(format string) error {
	if format != "text" && format != "json" {
		return usageError("-o %s: the formats are text and json", format)
	}
	return nil
}
