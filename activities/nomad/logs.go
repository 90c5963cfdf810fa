package nomad

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/tenfold-ml/tenfold/activities"
)

const (
	// lastBytes of standard error are kept of a run that has ended.
	lastBytes = 64 << 10
	// allLogs bounds what Logs reads.
	allLogs = 2 * logFiles * logFileMB * mib
	logPath = "/v1/client/fs/logs/"
)

// Logs implements activities.Launcher: from the node as long as it has the job's
// files, else what was kept when the job ended.
func (l *Launcher) Logs(ctx context.Context, key activities.JobKey, w io.Writer) error {
	f, err := l.feed(ctx)
	if err != nil {
		return err
	}
	r, err := f.find(ctx, key)
	if err != nil {
		return err
	}
	f.c.mu.Lock()
	first, over, kept := r.history.first(), r.over, r.stderr
	f.c.mu.Unlock()
	switch {
	case over && first == nil:
		return nil
	case first == nil || !first.started():
		return nil // nothing yet, or never
	}
	text, err := f.stderr(ctx, first, "start", 0)
	if err != nil {
		if errors.Is(err, activities.ErrDenied) && !over {
			return fmt.Errorf("read the logs of trial %s: %w", key.Trial, err)
		}
		if !over {
			return fmt.Errorf("read the logs of trial %s from node %s: %w", key.Trial, first.NodeName, err)
		}
		text = []byte(kept)
	}
	_, err = w.Write(text)
	return err
}

// stderr reads a trainer's standard error.
func (f *feed) stderr(ctx context.Context, a *allocation, origin string, offset int64) ([]byte, error) {
	return f.raw(ctx, logPath+a.ID, map[string]string{
		"task": taskName, "type": "stderr", "plain": "true", "follow": "false",
		"origin": origin, "offset": strconv.FormatInt(offset, 10),
	}, allLogs)
}
