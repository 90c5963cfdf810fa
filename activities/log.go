package activities

import (
	"bytes"
	"context"
	"errors"

	"github.com/tenfold-ml/tenfold/storage"
)

// maxLog is how much of a run's standard error is kept in the store, in bytes: its
// end.
const maxLog = 64 << 10

// keepLog puts what a run that has ended printed on standard error into the store,
// since launchers forget it. A log that is lost is worth a line of our own, and no
// more than that.
func (a *Activities) keepLog(ctx context.Context, launcher Launcher, key JobKey, attempt int) {
	var text tail
	err := launcher.Logs(ctx, key, &text)
	if err == nil && len(text.kept) > 0 {
		err = a.Store.PutLog(ctx, key.Trial, storage.LogName{Sweep: key.Sweep, Attempt: attempt}, text.last())
	}
	if err != nil && !errors.Is(err, ErrNoJob) && ctx.Err() == nil {
		a.Log.Warn("a trainer's standard error is lost", "sweep", key.Sweep, "trial", key.Trial, "attempt", attempt, "error", err)
	}
}

// tail keeps the end of what is written to it.
type tail struct {
	kept []byte
	cut  bool
}

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.kept = append(t.kept, p...)
	if over := len(t.kept) - 2*maxLog; over > 0 { // not for every line
		t.trim()
	}
	return len(p), nil
}

func (t *tail) trim() {
	if over := len(t.kept) - maxLog; over > 0 {
		t.kept, t.cut = append(t.kept[:0], t.kept[over:]...), true
	}
}

// last is at most maxLog bytes; where something was cut off, it begins with a line.
func (t *tail) last() []byte {
	t.trim()
	if _, rest, ok := bytes.Cut(t.kept, []byte("\n")); t.cut && ok && len(rest) > 0 {
		return rest
	}
	return t.kept
}
