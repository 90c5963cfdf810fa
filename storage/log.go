package storage

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/tenfold-ml/tenfold/sweeps"
)

// LogName names the log of one run of a trial. Attempts count for each sweep apart.
type LogName struct {
	Sweep   string
	Attempt int
}

// PutLog writes trials/<trial>/logs/<sweep>-a<attempt>.txt, replacing it: the end of
// what the run printed on standard error.
func (s *Store) PutLog(ctx context.Context, id sweeps.TrialID, name LogName, text []byte) error {
	if err := checkRun(id, name.Attempt); err != nil {
		return fmt.Errorf("log: %w", err)
	}
	if name.Sweep == "" || strings.ContainsAny(name.Sweep, "/\\") {
		return fmt.Errorf("log: %w: %q is no sweep ID", ErrInvalid, name.Sweep)
	}
	return s.b.Put(ctx, LogKey(id, name), bytes.NewReader(text))
}

// ReadLog reads what PutLog wrote; ErrNotFound of storage/backend where it is not.
func (s *Store) ReadLog(ctx context.Context, id sweeps.TrialID, name LogName) ([]byte, error) {
	return s.ReadAll(ctx, LogKey(id, name))
}

// Logs lists the logs of a trial, by sweep and attempt.
func (s *Store) Logs(ctx context.Context, id sweeps.TrialID) ([]LogName, error) {
	var names []LogName
	for object, err := range s.b.List(ctx, LogDir(id)) {
		if err != nil {
			return nil, fmt.Errorf("list the logs of trial %s: %w", id, err)
		}
		if name, ok := parseLog(path.Base(object.Key)); ok {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b LogName) int {
		return cmp.Or(strings.Compare(a.Sweep, b.Sweep), a.Attempt-b.Attempt)
	})
	return names, nil
}

// parseLog takes the last segment of a [LogKey] apart; ok is false for every other
// name.
func parseLog(name string) (_ LogName, ok bool) {
	stem, isText := strings.CutSuffix(name, ".txt")
	at := strings.LastIndex(stem, "-a")
	if !isText || at < 1 {
		return LogName{}, false
	}
	attempt, ok := parseDecimal(stem[at+2:])
	return LogName{Sweep: stem[:at], Attempt: attempt}, ok && attempt > 0
}
