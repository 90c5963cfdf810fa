package main

import (
	"errors"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

const rootHelp = `sweep trains a grid of networks and makes an ensemble of the best of them.

Without further settings everything happens on this machine: "sweep run" starts
an embedded Temporal server, a worker and the trainers, and keeps what has to
last in .tenfold. It may be killed at any moment; the same command goes on
where it was.

With --address, --profile, TEMPORAL_ADDRESS, TEMPORAL_PROFILE or
TEMPORAL_CONFIG_FILE the same verbs talk to that Temporal server instead
(the further TEMPORAL_* variables say how), and "sweep worker" processes do
the work.

Exit codes:
  0    all is well
  1    the sweep failed or was cancelled, or something broke that is not yours
  2    something for you to change: the command line, the spec, the store
  130  interrupted; the same command goes on`

func newRootCommand(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "sweep",
		Short: "Train a grid of networks and average the best",
		Long:  rootHelp,
		Example: `  sweep preview sweep.yaml
  sweep run sweep.yaml
  sweep best
  sweep report`,
		Args:                       knownCommand,
		RunE:                       func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceErrors:              true,
		SilenceUsage:               true,
		SuggestionsMinimumDistance: 2,
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		if number := (*strconv.NumError)(nil); errors.As(err, &number) {
			return userErrorf("%s; see %q", strings.Replace(err.Error(), number.Error(), "want a whole number", 1), cmd.CommandPath()+" --help")
		}
		return userErrorf("%w; see %q", err, cmd.CommandPath()+" --help")
	})
	flags := root.PersistentFlags()
	flags.StringVar(&a.dir, "dir", ".tenfold", "folder of the embedded server, its lock and its log")
	flags.StringVar(&a.store, "store", "", "URL of the store (default file://DIR/store)")
	flags.StringVar(&a.address, "address", "", "Temporal server to use, host:port, instead of the embedded one")
	flags.StringVar(&a.profile, "profile", "", "profile of Temporal's configuration file to use")
	flags.BoolVarP(&a.verbose, "verbose", "v", false, "write the log to stderr too")
	for _, name := range []string{"store", "address", "profile"} {
		must(root.RegisterFlagCompletionFunc(name, cobra.NoFileCompletions))
	}
	must(root.MarkPersistentFlagDirname("dir"))

	root.AddGroup(
		&cobra.Group{ID: "run", Title: "Run sweeps:"},
		&cobra.Group{ID: "look", Title: "Look at sweeps:"},
		&cobra.Group{ID: "spec", Title: "Write specs:"},
	)
	add := func(group string, commands ...*cobra.Command) {
		for _, c := range commands {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	add("run", newRunCommand(a), newDevCommand(a), newSubmitCommand(a), newWorkerCommand(a),
		newPauseCommand(a), newResumeCommand(a), newCancelCommand(a), newKillCommand(a))
	add("look", newStatusCommand(a), newListCommand(a), newLogsCommand(a), newBestCommand(a), newReportCommand(a))
	add("spec", newValidateCommand(a), newPreviewCommand(a))
	root.AddCommand(newVersionCommand(a), newJSONTopic())
	root.SetHelpCommand(newHelpCommand())
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		if c.Name() == "completion" {
			strictCompletion(c)
		}
	}
	return root
}

// knownCommand allows no argument where there are subcommands: it is an unknown one.
func knownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := `"sweep --help" lists the commands`
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = `did you mean "` + strings.Join(near, `" or "`) + `"?`
	}
	return userErrorf("unknown command %q; %s", args[0], hint)
}

// newHelpCommand is cobra's, but for unknown commands, which are the user's fault.
func newHelpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Help about any command",
		Long:  "Help about any command, and about the output of -o json.",
		Example: `  sweep help run
  sweep help json`,
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			var names []string
			for _, c := range cmd.Root().Commands() {
				if len(args) == 0 {
					names = append(names, c.Name()+"\t"+c.Short)
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			topic, rest, err := cmd.Root().Find(args)
			if err != nil {
				return userErrorf("%w", err)
			}
			if err := knownCommand(topic, rest); err != nil {
				return err
			}
			topic.InitDefaultHelpFlag()
			return topic.Help()
		},
	}
}

// strictCompletion makes unknown shells the user's fault.
func strictCompletion(cmd *cobra.Command) {
	var shells []string
	for _, c := range cmd.Commands() {
		c.Args = noArgs
		shells = append(shells, c.Name())
	}
	cmd.Args = func(_ *cobra.Command, args []string) error {
		if len(args) > 0 {
			return userErrorf("completion is for %s, not for %q", strings.Join(shells, ", "), args[0])
		}
		return nil
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
}

// must is for errors that only a mistake in this program can cause.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// specArg wants exactly one argument, the spec.
func specArg(cmd *cobra.Command, args []string) error {
	switch len(args) {
	case 0:
		return userErrorf("%s needs a spec: %s SPEC", cmd.Name(), cmd.CommandPath())
	case 1:
		return nil
	default:
		return userErrorf("%s takes one spec, not %d", cmd.Name(), len(args))
	}
}

// sweepArg allows one argument, the sweep's name.
func sweepArg(required bool) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > 1 {
			return userErrorf("%s takes one sweep, not %d", cmd.Name(), len(args))
		}
		if required && len(args) == 0 {
			return userErrorf("%s needs a sweep; %q shows them", cmd.Name(), "sweep list")
		}
		return nil
	}
}

func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return userErrorf("%s takes no argument; got %q", cmd.Name(), args[0])
	}
	return nil
}

// specFiles completes the names of specs.
func specFiles(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return []string{"yaml", "yml"}, cobra.ShellCompDirectiveFilterFileExt
}

// sweepIDs completes the IDs of the store's sweeps. It asks no server: completion has
// to be quick, and to start nothing.
func (a *app) sweepIDs(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	store, err := a.openStore(cmd.Context())
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	ids, err := storedSweeps(cmd.Context(), store)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return ids, cobra.ShellCompDirectiveNoFileComp
}
