package sweeps

import "time"

// Defaults that depend on nothing else in the spec.
func defaultSpec() Spec {
	return Spec{
		Config: Config{
			Data: Data{Name: "mnist", Validation: 10_000, Standardize: true},
			Model: Model{
				Kind:       "mlp",
				Hidden:     []int{512, 512},
				Activation: "relu",
				Init:       Init{Kind: "scaled", Scale: 1},
			},
			Train: Train{
				BatchSize:    128,
				Epochs:       20,
				LearningRate: 0.1,
				Momentum:     0.9,
				Schedule:     Schedule{Kind: "plateau", DivideBy: 2, Patience: 2, StopBelow: 1e-5},
				ClipNorm:     15,
			},
		},
		Search:      Search{Method: "grid", MaxTrials: 10_000},
		Metric:      Metric{Name: "validation_error", Goal: "minimize"},
		Parallelism: 4,
		Launcher:    Launcher{Kind: LocalLauncher},
		Retries:     Retries{Infra: 5, Preempted: 100, User: 0},
		NoProgress:  Duration(10 * time.Minute),
		Ensemble:    Ensemble{Size: 10, Strategy: "top_k"},
	}
}

const (
	normalInitScale = 0.02
	signInitBias    = 2
	// limitShare of a limited training split is held out by default.
	limitShare = 6
	// failedShare of the trials may fail by default, up to maxFailedDefault.
	failedShare      = 10
	maxFailedDefault = 10
)

// fillConfig sets the defaults of Config that depend on other settings, and
// clears what has no meaning. given tells which paths the spec's author wrote.
func fillConfig(spec *Spec, given func(path string) bool) {
	if spec.custom() {
		spec.Data, spec.Model, spec.Train = Data{}, Model{}, Train{Epochs: spec.Train.Epochs}
		return
	}
	if !given("data.split_seed") {
		spec.Data.SplitSeed = spec.Seed
	}
	if limit := spec.Data.Limit; limit > 0 && !given("data.validation") {
		spec.Data.Validation = max(1, min(spec.Data.Validation, limit/limitShare))
	}
	spec.Data.fillSized(given)
	_, kindSwept := spec.Parameters["model.kind"]
	spec.fillRecurrent(kindSwept, given)
	if spec.Model.Init.Kind == "normal" && !given("model.init.scale") {
		spec.Model.Init.Scale = normalInitScale
	}
	if spec.Model.Init.Kind == "sign" && !given("model.init.bias") {
		spec.Model.Init.Bias = signInitBias
	}
	spec.Train.fillOptimizer(spec.Parameters, given)
	// What is swept needs what a trial with another value would clear.
	if _, swept := spec.Parameters["train.schedule.kind"]; !swept {
		spec.Train.Schedule.normalize()
	}
	if _, swept := spec.Parameters["train.optimizer"]; !swept {
		spec.Train.normalizeOptimizer()
	}
	if _, swept := spec.Parameters["data.standardize"]; !swept {
		spec.Data.normalize()
	}
	if !kindSwept {
		spec.Model.normalize()
		spec.normalizeRecurrent()
	}
}

// fillLauncher sets the defaults of the section that the launcher's kind has.
func fillLauncher(spec *Spec, given func(path string) bool) {
	if spec.Launcher.Kind == NomadLauncher {
		spec.Launcher.Nomad.fill(spec.Resources.GPUs, given)
	}
}

// fillSizes sets the defaults that depend on the number of trials.
func fillSizes(spec *Spec, trials int, given func(path string) bool) {
	if !given("ensemble.size") {
		spec.Ensemble.Size = min(spec.Ensemble.Size, trials)
		if spec.custom() {
			spec.Ensemble.Size = 0
		}
	}
	if !given("max_failed_trials") {
		spec.MaxFailedTrials = min(trials/failedShare, maxFailedDefault)
	}
}

// normalize clears the settings that the others leave without effect, so that
// they do not tell apart trials that are the same.
func (c *Config) normalize() {
	c.Data.normalize()
	c.Model.normalize()
	c.Train.normalize()
	c.normalizeRecurrent()
}

func (d *Data) normalize() {
	if !d.Standardize {
		d.StdFloor = 0
	}
}

func (t *Train) normalize() {
	t.Schedule.normalize()
	t.normalizeOptimizer()
}

func (s *Schedule) normalize() {
	if s.Kind == "constant" {
		*s = Schedule{Kind: "constant"}
	}
}

// custom reports whether the trainer is not the built-in one.
func (s *Spec) custom() bool { return len(s.Trainer.Command) > 0 }
