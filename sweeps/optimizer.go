package sweeps

import "github.com/tenfold-ml/tenfold/sweeps/space"

// The defaults of Adam, which are its authors'.
const (
	adamRate    = 0.001
	adamBeta1   = 0.9
	adamBeta2   = 0.999
	adamEpsilon = 1e-8
)

// fillOptimizer sets the defaults that depend on the optimiser. The default one is
// written as an empty word, so that trials of before there was a choice keep
// their names.
func (t *Train) fillOptimizer(parameters map[string]space.Parameter, given func(path string) bool) {
	_, swept := parameters["train.optimizer"]
	if t.Optimizer == "sgd" || swept {
		t.Optimizer = ""
	}
	if t.Optimizer != "adam" && !swept {
		return
	}
	if !given("train.learning_rate") && !swept {
		t.LearningRate = adamRate
	}
	for _, setting := range []struct {
		name  string
		field *float64
		value float64
	}{
		{"beta1", &t.Adam.Beta1, adamBeta1}, {"beta2", &t.Adam.Beta2, adamBeta2}, {"epsilon", &t.Adam.Epsilon, adamEpsilon},
	} {
		if !given("train.adam." + setting.name) {
			*setting.field = setting.value
		}
	}
}

// normalizeOptimizer clears what the optimiser does not look at.
func (t *Train) normalizeOptimizer() {
	switch t.Optimizer {
	case "adam":
		t.Momentum, t.Nesterov = 0, false
	default:
		t.Optimizer, t.Adam = "", Adam{}
		t.Nesterov = t.Nesterov && t.Momentum > 0 // else both forms are the same
	}
}

// checkOptimizer reports settings of an optimiser that is not the one that is
// used, and asks for a rate when optimisers differ, since its default does.
func (d *decoder) checkOptimizer() {
	kinds, swept := d.spec.Parameters["train.optimizer"]
	uses := map[any]bool{}
	for i := range kinds.Len() {
		uses[kinds.At(i)] = true
	}
	if !swept {
		uses[d.spec.Train.Optimizer] = true
	}
	const kind = "parameters.train.optimizer"
	if swept && !d.given("parameters.train.learning_rate") && !d.given("train.learning_rate") {
		d.problem(d.keys[kind], kind, "needs train.learning_rate, set or swept, since the default is 0.1 for sgd and %s for adam", space.Format(adamRate))
	}
	if uses["adam"] {
		d.withoutEffect("train.optimizer is adam", swept, "train.momentum", "train.nesterov")
	}
	momenta, momentumSwept := d.spec.Parameters["train.momentum"]
	still := !momentumSwept && d.spec.Train.Momentum == 0 && !uses["adam"]
	for i := range momenta.Len() {
		still = still || momenta.At(i) == 0.0
	}
	if still {
		d.withoutEffect("train.momentum is 0", true, "train.nesterov")
	}
	if uses["sgd"] || uses[""] {
		d.withoutEffect("train.optimizer is sgd", swept, "train.adam.beta1", "train.adam.beta2", "train.adam.epsilon")
	}
}

// withoutEffect reports those of the settings that are swept, or set while nothing
// but the condition can hold.
func (d *decoder) withoutEffect(when string, varies bool, paths ...string) {
	for _, path := range paths {
		if swept := join("parameters", path); d.given(swept) {
			d.problem(d.keys[swept], swept, "has no effect when %s, so trials would repeat; remove one of the two", when)
		} else if d.given(path) && !varies {
			d.problem(d.keys[path], path, "has no effect when %s; remove it", when)
		}
	}
}
