package activities

import (
	"fmt"
	"strings"
	"syscall"

	"github.com/tenfold-ml/tenfold/activities/contract"
	"github.com/tenfold-ml/tenfold/sweeps"
)

// classify turns the end of a run without a result into an outcome.
func classify(e end) contract.TrainOutput {
	x := e.exit
	outcome, message := sweeps.OutcomeInfra, ""
	switch {
	case e.hung > 0:
		message = fmt.Sprintf("no output for %s; killed as hanging", e.hung)
	case e.failed != nil:
		message = "watch the trainer: " + e.failed.Error()
	case e.lost:
		outcome, message = sweeps.OutcomeLost, "the launcher no longer knows the trainer"
	case x.NotStarted:
		outcome, message = sweeps.OutcomeUserError, "the trainer cannot be started: "+x.Reason
	case x.Code == contract.ExitPreempted:
		outcome, message = sweeps.OutcomePreempted, "the trainer was preempted and saved a checkpoint"
	case x.Stopped:
		outcome, message = sweeps.OutcomeLost, "the trainer was stopped"
	case x.Code == contract.ExitCommitted:
		outcome, message = sweeps.OutcomeUserError, "trainer exited 0 without committing a result; "+printed(e.printed)
	case x.Code == contract.ExitConfig, x.Code == contract.ExitData:
		outcome, message = sweeps.OutcomeUserError, withStderr(fmt.Sprintf("trainer exited with code %d", x.Code), x)
	case x.Signal != 0:
		message = withStderr("trainer was ended by signal "+signalName(x.Signal), x)
	case x.Code < 0:
		message = withStderr("trainer did not end by itself: "+x.Reason, x)
	default:
		message = withStderr(fmt.Sprintf("trainer exited with code %d", x.Code), x)
	}
	return contract.TrainOutput{Outcome: outcome, Message: contract.OneLine(message)}
}

func printed(line string) string {
	if line == "" {
		return "it printed nothing"
	}
	return "it printed: " + line
}

// withStderr adds the last line of standard error that says something.
func withStderr(message string, x Exit) string {
	lines := strings.Split(strings.TrimRight(x.Stderr, "\r\n\t "), "\n")
	if last := contract.OneLine(lines[len(lines)-1]); last != "" {
		return message + ": " + last
	}
	return message
}

// signalName is "9 (killed)".
func signalName(n int) string { return fmt.Sprintf("%d (%s)", n, syscall.Signal(n)) }
