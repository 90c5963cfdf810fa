package jobs

import (
	"io"

	"github.com/tenfold-ml/tenfold/activities"
)

// Runner starts jobs.
type Runner interface {
	// Start starts a job and does not wait for it. It is called from one
	// goroutine, in the order of the queue. A job that cannot be started is a
	// Process whose Wait says so.
	Start(job activities.Job, out *Output) Process
}

// Process is a job that was started.
type Process interface {
	// Wait blocks until nothing of the job is left and all its output has been
	// delivered. It is called once. The caller fills in Attempt and Stopped.
	Wait() activities.Exit
	// Terminate asks the job to checkpoint and go. It does not block, and does
	// nothing once the job has ended.
	Terminate()
	// Kill makes Wait return soon, whatever the job does. Like Terminate otherwise.
	Kill()
	// Logs copies what is kept of the job's standard error.
	Logs(w io.Writer) error
	// Forget frees what is kept of an ended job. It may be called twice.
	Forget()
}
