package workdir

import (
	"path/filepath"
	"strings"

	"github.com/tenfold-ml/tenfold/internal/filelock"
)

// ServerLock is the lock of the process that runs the embedded server.
const ServerLock = "server"

// WorkerLock is the lock of the process that works on a task queue. Its file stays
// when the sweep that the queue was for is over, an empty one for each sweep:
// removing it would let two processes lock two files of one name.
func WorkerLock(queue string) string {
	return "worker-" + strings.ReplaceAll(queue, string(filepath.Separator), "_")
}

// ErrHeld says that another process has the lock.
var ErrHeld = filelock.ErrHeld

// Lock is held until Unlock or the end of the process, however it comes.
type Lock = filelock.Lock

// TryLock takes a lock of the folder, or returns [ErrHeld] at once.
func (d Dir) TryLock(name string) (*Lock, error) { return filelock.Try(d.lockFile(name)) }

// Held says whether some process has the lock now.
func (d Dir) Held(name string) (bool, error) { return filelock.Held(d.lockFile(name)) }

func (d Dir) lockFile(name string) string { return filepath.Join(d.path, "locks", name+".lock") }
