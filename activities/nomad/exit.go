package nomad

import (
	"fmt"
	"strings"

	"github.com/hashicorp/nomad/api"

	"github.com/tenfold-ml/tenfold/activities"
	"github.com/tenfold-ml/tenfold/activities/contract"
)

// exitOf translates the end of an allocation. What Nomad calls complete or failed
// says little: a trainer that was stopped and left with 75 is complete. The code is
// in the event of its end alone.
func exitOf(a *allocation) activities.Exit {
	if a.ClientStatus == clientLost || a.ClientStatus == clientUnknown {
		return activities.Exit{Code: -1, Reason: fmt.Sprintf("node %s was lost: %s", a.NodeName, or(a.DesiredDescription, a.ClientDescription, "it does not answer"))}
	}
	if e := a.event(api.TaskTerminated); e != nil {
		return terminated(e)
	}
	for _, kind := range []string{api.TaskDriverFailure, api.TaskSetupFailure, api.TaskArtifactDownloadFailed, api.TaskFailedValidation} {
		if e := a.event(kind); e != nil {
			text := messageOf(e)
			return activities.Exit{Code: -1, Reason: lowerFirst(text), NotStarted: kind == api.TaskDriverFailure && hopeless(text)}
		}
	}
	reason := or(a.ClientDescription, a.DesiredDescription, "Nomad does not say why")
	if t := a.TaskStates[taskName]; t != nil && len(t.Events) > 0 {
		if last := messageOf(t.Events[len(t.Events)-1]); last != "" {
			reason = last
		}
	}
	return activities.Exit{Code: -1, Reason: "it ended before it was started: " + lowerFirst(reason)}
}

// terminated reads the event of a task's end.
func terminated(e *api.TaskEvent) activities.Exit {
	code, sig := detail(e, "exit_code", e.ExitCode), detail(e, "signal", e.Signal)
	switch {
	case e.Details["oom_killed"] == "true":
		return activities.Exit{Code: -1, Reason: "killed for lack of memory: it needed more than resources.memory grants"}
	case sig > 0:
		return activities.Exit{Code: -1, Signal: sig}
	case code < 0 || code > 255:
		return activities.Exit{Code: -1, Reason: "its end was not seen: " + or(e.Details["exit_message"], e.Message, e.DisplayMessage, "the node does not say why")}
	}
	return activities.Exit{Code: code}
}

// hopeless says that starting the same command again will fail in the same way, from
// what drivers say of commands that are not there or cannot be executed.
func hopeless(text string) bool {
	text = strings.ToLower(text)
	for _, sign := range []string{"not found", "not be found", "no such file", "permission denied", "exec format error", "is not executable"} {
		if strings.Contains(text, sign) {
			return true
		}
	}
	return false
}

// messageOf is what an event says, in one line.
func messageOf(e *api.TaskEvent) string {
	return contract.OneLine(or(e.DisplayMessage, e.DriverError, e.SetupError, e.DownloadError, e.ValidationError, e.Message, e.Type))
}

// or is the first text that is not empty.
func or(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

func lowerFirst(s string) string {
	if len(s) > 1 && s[1] >= 'a' && s[1] <= 'z' {
		return strings.ToLower(s[:1]) + s[1:]
	}
	return s
}
