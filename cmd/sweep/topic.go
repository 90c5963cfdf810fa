package main

import "github.com/spf13/cobra"

// newJSONTopic is `sweep help json`. The scripts in testdata check what it says.
func newJSONTopic() *cobra.Command {
	return &cobra.Command{
		Use:   "json",
		Short: "What -o json writes",
		Long: `What -o json writes. Fields are added, but never renamed or removed. Errors are
shares between 0 and 1, times are RFC 3339, settings are lists of {path, value}.
Fields with a ? are missing where there is nothing to say.

One document:
  validate  valid, problems? [path, line, column, message], sweep?, trials?, epochs?, members?
  preview   sweep, trials, points [index, settings]
  submit    sweep, trials, attached
  pause, resume, cancel
            sweep, state
  kill      sweep, state, stopped
  list      [sweep, state, trials?, started, ended?]
  status    sweep, state, started, ended?, trials, counts, relaunched?, reason? (of the
            last pause, resume or cancel), best? [index, trial,
            settings, validation_error], running? [index, trial, settings, attempt?,
            phase?, epoch, epochs, validation_error?], failures? [index, trial, settings,
            message], note?, summary? (of a sweep that has ended)
  best      sweep, final, trials [rank, trial, settings, validation_error, test_error?,
            checkpoint? {key, sha256, bytes}], best_single?, ensemble?
  report    sweep, report, manifest?
  version   version, go, os, arch

  state     preparing, running, paused, failing, cancelling, assembling, reporting,
            finished, failed, cancelled; stopped: unfinished, and nobody works on it
  counts    pending, running, completed, diverged, failed, retries
  relaunched  how many of the retries followed a preemption or a lost worker
  summary   sweep, state, message?, seconds?, trials, counts, relaunched?, reused?,
            members? [rank, trial, settings, validation_error, test_error?],
            members_wanted? (where there are fewer), best_single?, ensemble?
            {members, validation_error, test_error, test_nll}, failures?, report?, manifest?

One event a line (run, status --follow), each with event, time and sweep:
  sweep_started   trials, attached?
  trial_started   trial, index, attempt, settings
  trial_retried   the same; outcome and message of the attempt before
  trial_finished  the same; outcome (completed, diverged), validation_error?, reused?
  trial_failed    the same; outcome, message, log?
  sweep_paused, sweep_resumed, sweep_cancelled
                  message? (the reason given)
  waiting         message
  sweep_finished  state, message?, summary`,
	}
}
