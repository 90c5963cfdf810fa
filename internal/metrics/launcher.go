package metrics

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/tenfold-ml/tenfold/activities"
	"github.com/tenfold-ml/tenfold/sweeps"
)

// Launchers are others that are counted. Each of them keeps what it can do besides.
func (m *Metrics) Launchers(of activities.Launchers) activities.Launchers {
	return &launchers{metrics: m, of: of, known: map[activities.Launcher]*launcher{}}
}

type launchers struct {
	metrics *Metrics
	of      activities.Launchers

	mu    sync.Mutex
	known map[activities.Launcher]*launcher
}

// For implements activities.Launchers.
func (l *launchers) For(spec sweeps.Launcher) (activities.Launcher, error) {
	inner, err := l.of.For(spec)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if known, ok := l.known[inner]; ok {
		return known, nil
	}
	counted := &launcher{Launcher: inner, metrics: l.metrics, kind: cmp.Or(spec.Kind, sweeps.LocalLauncher)}
	l.known[inner] = counted
	return counted, nil
}

// launcher counts what another one does.
type launcher struct {
	activities.Launcher
	metrics *Metrics
	kind    string
}

// Launch implements activities.Launcher.
func (l *launcher) Launch(ctx context.Context, job activities.Job) (int, error) {
	began := time.Now()
	attempt, err := l.Launcher.Launch(ctx, job)
	result := "launched"
	switch {
	case errors.Is(err, activities.ErrDenied):
		result = "denied"
	case err != nil:
		result = "failed"
	case attempt != job.Attempt:
		result = "attached"
	default:
		l.metrics.openLaunches.begin(job.Key, began)
	}
	l.metrics.launches.WithLabelValues(l.kind, result).Inc()
	return attempt, err
}

// Watch implements activities.Launcher.
func (l *launcher) Watch(ctx context.Context, key activities.JobKey, update func(activities.JobUpdate)) (activities.Exit, error) {
	launched, mine := l.metrics.openLaunches.end(key)
	var ran time.Time // zero while it is queued
	queued, running := l.metrics.runs.WithLabelValues(l.kind, "queued"), l.metrics.runs.WithLabelValues(l.kind, "running")
	state := queued
	state.Inc()
	defer func() { state.Dec() }()
	exit, err := l.Launcher.Watch(ctx, key, func(u activities.JobUpdate) {
		if u.State == activities.JobRunning && ran.IsZero() {
			ran = time.Now()
			state.Dec()
			state = running
			state.Inc()
			if mine {
				l.metrics.queueTime.WithLabelValues(l.kind).Observe(ran.Sub(launched).Seconds())
			}
		}
		update(u)
	})
	if err == nil && mine && !ran.IsZero() { // of one that was attached to nobody knows since when
		l.metrics.trialTime.WithLabelValues(l.kind).Observe(time.Since(ran).Seconds())
	}
	return exit, err
}

// Check implements activities.Checker where the launcher does; else anything fits.
func (l *launcher) Check(ctx context.Context, job activities.Job) error {
	if c, ok := l.Launcher.(activities.Checker); ok {
		return c.Check(ctx, job)
	}
	return nil
}

// Locate implements activities.Locator where the launcher does; else a command is where
// it says.
func (l *launcher) Locate(ctx context.Context, sweep string, command []string) ([]string, error) {
	if c, ok := l.Launcher.(activities.Locator); ok {
		return c.Locate(ctx, sweep, command)
	}
	return command, nil
}

// launchTimes remembers launches until somebody watches them.
type launchTimes struct {
	mu sync.Mutex
	at map[activities.JobKey]time.Time
}

func newLaunchTimes() *launchTimes { return &launchTimes{at: map[activities.JobKey]time.Time{}} }

func (t *launchTimes) begin(key activities.JobKey, at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.at[key] = at
}

func (t *launchTimes) end(key activities.JobKey) (time.Time, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	at, ok := t.at[key]
	delete(t.at, key)
	return at, ok
}
