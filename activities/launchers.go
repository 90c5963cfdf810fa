package activities

import "github.com/tenfold-ml/tenfold/sweeps"

// Launchers finds the launcher that a spec asks for.
type Launchers interface {
	// For returns the launcher of a spec's section launcher, always the same for the
	// same section. It does not wait for anything. Its error says that this worker
	// has none of that kind, and what to do.
	For(spec sweeps.Launcher) (Launcher, error)
}

// One is the launcher l, whatever a spec asks for.
func One(l Launcher) Launchers { return one{l} }

type one struct{ Launcher }

// For implements [Launchers].
func (o one) For(sweeps.Launcher) (Launcher, error) { return o.Launcher, nil }

// launcher is that of a section; an empty one is of a history from before there
// was another kind.
func (a *Activities) launcher(spec sweeps.Launcher) (Launcher, error) {
	if spec.Kind == "" {
		spec.Kind = sweeps.LocalLauncher
	}
	return a.Launchers.For(spec)
}
