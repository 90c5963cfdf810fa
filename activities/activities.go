// Package activities holds what a sweep does to the world: importing data,
// running trainers, putting ensembles and reports together. Deciding is left to
// package sweeps, and the order of things to package workflows, which knows of
// these activities only what activities/contract declares.
//
// Start reading at [Activities], then train.go for the one that matters most.
// Where trainers run is behind [Launcher]: activities/local starts child
// processes, activities/nomad registers jobs, activities/simulated calls functions,
// and activities/launchertest is what every launcher has to pass.
package activities

import (
	"errors"
	"log/slog"
	"runtime"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/tenfold-ml/tenfold/activities/contract"
	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/trainer/data"
)

// Options of [New].
type Options struct {
	// Store is where everything goes; required.
	Store *storage.Store
	// Launchers run the trainers; required. They are not closed here.
	Launchers Launchers
	// TrainerPath is the built-in trainer's binary; needed for specs that name
	// no trainer of their own.
	TrainerPath string
	// Source says where data sets come from.
	Source data.Source
	// Cores are shared among the trials of a sweep that does not say how many
	// each gets. Default: those that this process may use.
	Cores int
	// Heartbeat is the longest time between heartbeats. Default: 1 s.
	Heartbeat time.Duration
	// Log receives what goes wrong and is not part of an outcome. Default:
	// nothing is logged.
	Log *slog.Logger
}

// Activities are what a worker registers. All methods are safe for concurrent
// use and may be repeated.
type Activities struct{ Options }

// New checks the options and fills in defaults.
func New(opts Options) (*Activities, error) {
	if opts.Store == nil || opts.Launchers == nil {
		return nil, errors.New("activities need a store and launchers")
	}
	if opts.Cores <= 0 {
		opts.Cores = runtime.GOMAXPROCS(0)
	}
	if opts.Heartbeat <= 0 {
		opts.Heartbeat = time.Second
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	return &Activities{opts}, nil
}

// Registry is the part of a worker that Register needs.
type Registry interface {
	RegisterActivityWithOptions(a any, options activity.RegisterOptions)
}

// Register registers all activities under the names of activities/contract.
func (a *Activities) Register(r Registry) {
	for name, f := range map[string]any{
		contract.PrepareActivity:  a.Prepare,
		contract.TrainActivity:    a.Train,
		contract.StopActivity:     a.Stop,
		contract.AssembleActivity: a.Assemble,
		contract.ReportActivity:   a.Report,
	} {
		r.RegisterActivityWithOptions(f, activity.RegisterOptions{Name: name})
	}
}
