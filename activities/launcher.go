package activities

import (
	"context"
	"errors"
	"io"

	"github.com/tenfold-ml/tenfold/sweeps"
)

// Errors of launchers.
var (
	// ErrNoJob says that a launcher knows no job of a key.
	ErrNoJob = errors.New("no such job")
	// ErrClosed says that a launcher has been closed and takes no more jobs.
	ErrClosed = errors.New("launcher is closed")
	// ErrDenied says that a launcher's cluster refuses access: a 403, an expired token.
	// It is wrapped with what to do about it, and without any secret.
	ErrDenied = errors.New("access denied")
	// ErrUnplaceable says that a job can never be placed on any machine that there
	// is. It is wrapped with what is missing.
	ErrUnplaceable = errors.New("no machine fits")
)

// JobKey names what a job trains. At most one job of a key runs at a time; its
// attempts follow each other.
type JobKey struct {
	Sweep  string
	Trial  sweeps.TrialID
	Epochs int
}

// Job is one launch of a trainer.
type Job struct {
	Key     JobKey
	Attempt int
	// Command and its environment (TENFOLD_*), on top of the launcher's own.
	Command []string
	Env     map[string]string
	// Cores that the job occupies: a launcher sets its trainer's threads to it. On
	// this machine it is at least 1; for a cluster 0 says that the spec leaves it open.
	Cores int
	// MemoryBytes is a hint for placement; 0 says nothing.
	MemoryBytes int64
	// GPUs that the job needs. A launcher that has none to give refuses such a job.
	GPUs int
}

// JobState is how far a job has got.
type JobState int

// The states, in their order.
const (
	JobQueued JobState = iota
	JobRunning
	JobEnded
)

// JobUpdate is sent to a watcher whenever something changed.
type JobUpdate struct {
	State JobState
	// Line is a line of the trainer's standard output, without its newline;
	// empty when only the state changed, or when the trainer wrote something
	// that is not (yet) a line of its standard output. Every update of a
	// running job is a sign of life.
	Line string
}

// Exit is how a job ended. It is a hint: the store's result is the truth.
type Exit struct {
	// Attempt that ended, which for an attached job is not the caller's.
	Attempt int
	// Code is the exit code, or -1 when there is none (Signal, Reason).
	Code int
	// Signal that ended it, 0 for none.
	Signal int
	// Reason says why a job has neither code nor signal: could not be started, lost.
	Reason string
	// NotStarted says that the command is not there or cannot be executed, so
	// that trying it again will not help.
	NotStarted bool
	// Stopped says that Stop ended it.
	Stopped bool
	// Stderr holds the last lines of its standard error.
	Stderr string
}

// Launcher runs trainers somewhere. Every method is idempotent and safe for
// concurrent use, and fails with ErrDenied where it is refused access. The
// implementations are activities/local (child processes), activities/nomad (jobs on a
// cluster) and activities/simulated (for tests); all pass activities/launchertest.
type Launcher interface {
	// Launch starts the job unless one of its key is queued or running, whose
	// attempt it then returns instead of job.Attempt. It does not wait for a
	// free place: a job may be queued. The job belongs to the launcher, not to
	// ctx, which ends only the call.
	Launch(ctx context.Context, job Job) (attempt int, err error)
	// Watch blocks until the job of key ends, and says how. Updates are
	// delivered in order and from one goroutine: first the state that the job
	// is in with its latest lines, as far as they are kept, then what changes.
	// A watcher that is slower than the trainer misses lines. When ctx ends,
	// Watch returns its error and the job goes on. Ended jobs are remembered
	// for a while, so a Watch that comes late gets their Exit at once; it
	// returns ErrNoJob when none is known.
	Watch(ctx context.Context, key JobKey, update func(JobUpdate)) (Exit, error)
	// Stop ends the job of key, first asking it to checkpoint (SIGTERM), then
	// with SIGKILL when it has not gone within the launcher's grace. It returns
	// when nothing of the job is left; a job that is not there is no error.
	Stop(ctx context.Context, key JobKey) error
	// Logs copies what is kept of the standard error of the latest job of key.
	Logs(ctx context.Context, key JobKey, w io.Writer) error
	// Close stops every job as Stop does and returns when none is left. One whose
	// jobs belong to a cluster lets them go on, and only detaches.
	Close(ctx context.Context) error
}

// Checker is what a [Launcher] implements in addition if it can tell before a sweep
// starts whether its jobs can be placed.
type Checker interface {
	// Check returns an ErrUnplaceable if a job like this one could never be placed. That
	// it would have to wait for room is no error.
	Check(ctx context.Context, job Job) error
}
