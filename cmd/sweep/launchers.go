package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/nomad/api"
	"github.com/spf13/cobra"

	"github.com/tenfold-ml/tenfold/activities"
	"github.com/tenfold-ml/tenfold/activities/nomad"
	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/sweeps"
)

// cluster is where trainers may run besides this machine.
type cluster interface {
	Launcher(sweeps.Nomad) *nomad.Launcher
	// Close lets go of the cluster, whose jobs go on.
	Close()
}

// askPatience is the patience of a command that somebody waits for.
const askPatience = 15 * time.Second

// addNomad adds the flag --nomad.
func addNomad(cmd *cobra.Command, address *string) {
	cmd.Flags().StringVar(address, "nomad", "", "address of the Nomad cluster for specs with launcher.kind: nomad (default $NOMAD_ADDR)")
	must(cmd.RegisterFlagCompletionFunc("nomad", cobra.NoFileCompletions))
}

// openCluster opens the cluster of --nomad or NOMAD_ADDR; it is nil where neither is set.
// It does not ask whether anybody answers there. The store and the trainer are for those
// who launch. While nobody answers, requests are made anew for as long as patience says;
// 0 means that of a worker, minutes.
func (a *app) openCluster(address string, store *storage.Store, trainer string, patience time.Duration, l *logs) (cluster, error) {
	if address == "" && a.getenv("NOMAD_ADDR") == "" {
		return nil, nil
	}
	config := api.DefaultConfig() // of NOMAD_*
	if address != "" {
		config.Address = address
	}
	c, err := nomad.Open(nomad.Options{Nomad: config, Store: store, Trainer: trainer, Patience: patience, Log: l.own})
	if err != nil {
		return nil, userErrorf("%w; see --nomad and NOMAD_ADDR", err)
	}
	return c, nil
}

// router finds the launcher that a spec asks for.
type router struct {
	local   activities.Launcher
	cluster cluster // nil where there is none

	mu    sync.Mutex
	known map[string]activities.Launcher // by how a spec describes it
}

func newRouter(local activities.Launcher, c cluster) *router {
	return &router{local: local, cluster: c, known: map[string]activities.Launcher{}}
}

// errNoCluster is what a worker says to a spec that asks for Nomad.
var errNoCluster = errors.New("the spec says launcher.kind: nomad, and this worker has no Nomad cluster; start it with NOMAD_ADDR or --nomad")

// For implements activities.Launchers.
func (r *router) For(spec sweeps.Launcher) (activities.Launcher, error) {
	switch spec.Kind {
	case "", sweeps.LocalLauncher:
		return r.local, nil
	case sweeps.NomadLauncher:
	default:
		return nil, fmt.Errorf("the spec says launcher.kind: %s, which this worker does not know; it is older than whoever submitted it", spec.Kind)
	}
	if r.cluster == nil {
		return nil, errNoCluster
	}
	described, err := json.Marshal(spec.Nomad)
	if err != nil {
		return nil, fmt.Errorf("the spec's launcher: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	l, ok := r.known[string(described)]
	if !ok {
		l = r.cluster.Launcher(spec.Nomad)
		r.known[string(described)] = l
	}
	return l, nil
}
