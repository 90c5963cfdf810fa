package contract

// Types of the application errors that activities return. They are in recorded
// histories, so they never change.
const (
	// UserError is the type of an activity's error that no retry helps against, since
	// the spec or the environment is at fault. Workflows pass it on as their own.
	UserError = "UserError"
	// Detached is the type of the error of a Train activity whose worker went away
	// in good order, or of which somebody knows that it is gone. The run counts
	// as lost; its job goes on if the launcher does.
	Detached = "Detached"
	// Denied is the type of the error of a Train or Stop activity whose launcher may
	// not be used: the cluster refuses access, a token has expired, the worker has
	// none of that kind. It is no fault of the run's, which counts as lost and may go
	// on; the sweep pauses until somebody resumes it.
	Denied = "Denied"
)

// Exit codes of the trainer's contract; all others, and signals, count as the
// infrastructure's fault. docs/trainer-contract.md has the same table.
const (
	ExitCommitted = 0  // the result is committed, also when training diverged
	ExitConfig    = 64 // the configuration is at fault: no retry
	ExitData      = 65 // the data are at fault: no retry
	ExitStore     = 74 // the store is full or refuses: the sweep ends
	ExitPreempted = 75 // left when asked to, with a checkpoint: launched again
)
