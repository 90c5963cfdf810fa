package sweeps

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/tenfold-ml/tenfold/sweeps/space"
)

// Plan is a spec's trials, in order. It is a pure function of its arguments and
// lazy: a trial is computed when asked for, so a plan of 100,000 trials takes no
// more memory than one of ten. It is safe for concurrent use.
type Plan struct {
	spec             Spec
	dataset, trainer string
	grid             *space.Grid
	targets          []target // in the grid's order
}

// ErrNoSuchTrial says that an index is outside a plan.
var ErrNoSuchTrial = errors.New("no such trial")

// NewPlan makes the plan of a spec from [Parse] (or from its JSON). The digest
// of the data set and the identity of the trainer are what trial IDs depend on
// besides the spec.
func NewPlan(spec Spec, dataset, trainer string) (*Plan, error) {
	grid, err := space.NewGrid(spec.Parameters)
	if err != nil {
		return nil, fmt.Errorf("plan the sweep %s: %w", spec.Name, err)
	}
	p := &Plan{spec: spec, dataset: dataset, trainer: trainer, grid: grid}
	for _, path := range grid.Names() {
		t, problem := findTarget(&spec, path)
		if problem != "" {
			return nil, fmt.Errorf("plan the sweep %s: parameter %s %s", spec.Name, path, problem)
		}
		p.targets = append(p.targets, t)
	}
	return p, nil
}

// Spec is the spec that the plan was made of.
func (p *Plan) Spec() Spec { return p.spec }

// Len is the number of trials.
func (p *Plan) Len() int { return p.grid.Len() }

// Trial resolves trial i, in [0, Len()), and names it. The config that it
// returns is the caller's.
func (p *Plan) Trial(i int) (TrialID, Trial, error) {
	values, err := p.values(i)
	if err != nil {
		return "", Trial{}, err
	}
	shared := p.spec.Config
	trial := Trial{Config: shared.clone(), Dataset: p.dataset, Trainer: p.trainer}
	for k, value := range values {
		p.targets[k].set(&trial.Config, value)
	}
	trial.Config.normalize()
	id, err := trial.ID()
	if err != nil {
		return "", Trial{}, fmt.Errorf("trial %d: %w", i, err)
	}
	return id, trial, nil
}

// Settings lists what trial i has for each parameter, in the order of their
// paths; nil when there is no such trial.
func (p *Plan) Settings(i int) []Setting {
	values, err := p.values(i)
	if err != nil {
		return nil
	}
	settings := make([]Setting, len(values))
	for k, value := range values {
		settings[k] = Setting{Path: p.targets[k].path, Value: cloneJSON(value.Interface())}
	}
	return settings
}

// values are the typed values of trial i, one for each target.
func (p *Plan) values(i int) ([]reflect.Value, error) {
	if i < 0 || i >= p.grid.Len() {
		return nil, fmt.Errorf("trial %d of %d: %w", i, p.grid.Len(), ErrNoSuchTrial)
	}
	point := p.grid.At(i)
	values := make([]reflect.Value, len(point))
	for k, assignment := range point {
		value, problem := p.targets[k].value(assignment.Value)
		if problem != "" {
			return nil, fmt.Errorf("trial %d: parameter %s %s", i, p.targets[k].path, problem)
		}
		values[k] = value
	}
	return values, nil
}
