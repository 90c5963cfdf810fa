package sweeps

import "github.com/tenfold-ml/tenfold/sweeps/space"

// Spec is a sweep as a person writes it, with every default filled in.
type Spec struct {
	// Version of the format: 1.
	Version int `json:"version" yaml:"version"`
	// Name of the sweep: a lower-case letter, then letters, digits and dashes, at most 40.
	Name string `json:"name" yaml:"name"`
	// Config is what all trials share.
	Config `yaml:",inline"`
	// Trainer is set for a trainer that is not ours.
	Trainer Trainer `json:"trainer,omitzero" yaml:"trainer"`
	// Parameters maps dotted paths into Config ("train.learning_rate",
	// "seed", "config.layers") to the values to try.
	Parameters map[string]space.Parameter `json:"parameters" yaml:"parameters"`
	Search     Search                     `json:"search" yaml:"search"`
	Metric     Metric                     `json:"metric" yaml:"metric"`
	// Parallelism is the number of runs in flight, 1 to 500.
	Parallelism int       `json:"parallelism" yaml:"parallelism"`
	Launcher    Launcher  `json:"launcher" yaml:"launcher"`
	Resources   Resources `json:"resources" yaml:"resources"`
	Retries     Retries   `json:"retries" yaml:"retries"`
	// MaxFailedTrials is how many trials may fail before the sweep does. Default:
	// a tenth of the trials, at most 10: enough for a bad corner of a large grid,
	// and none where a failure is likely to be a mistake in all of it.
	MaxFailedTrials int `json:"max_failed_trials" yaml:"max_failed_trials"`
	// NoProgress is how long a trainer may print nothing before it is taken for
	// hanging and killed.
	NoProgress Duration `json:"no_progress" yaml:"no_progress"`
	Ensemble   Ensemble `json:"ensemble" yaml:"ensemble"`
}

// Trainer names a custom trainer.
type Trainer struct {
	// Command is run for each trial, with the TENFOLD_* environment of the
	// trainer's contract. Its first word is looked up beside the spec, then in PATH.
	Command []string `json:"command,omitzero" yaml:"command"`
}

// Search says what to try.
type Search struct {
	// Method is "grid".
	Method string `json:"method" yaml:"method"`
	// MaxTrials is the largest grid that is run without complaint; default 10,000.
	MaxTrials int `json:"max_trials" yaml:"max_trials"`
}

// Metric is what trials are compared by.
type Metric struct {
	Name string `json:"name" yaml:"name"` // validation_error
	Goal string `json:"goal" yaml:"goal"` // minimize
}

// Launcher says where trainers run.
type Launcher struct {
	Kind string `json:"kind" yaml:"kind"` // local, nomad
	// Nomad is zero for every other kind.
	Nomad Nomad `json:"nomad,omitzero" yaml:"nomad"`
}

// Resources of one trial.
type Resources struct {
	// CPU is the number of cores; 0 shares the machine's evenly.
	CPU int `json:"cpu,omitzero" yaml:"cpu"`
	// Memory is a hint for placement.
	Memory Bytes `json:"memory,omitzero" yaml:"memory"`
	// GPUs is the number of devices, which only launchers that place trials on
	// machines with GPUs can give.
	GPUs int `json:"gpus,omitzero" yaml:"gpus"`
}

// Retries bounds how often one trial is launched again, by cause.
type Retries struct {
	Infra     int `json:"infra" yaml:"infra"`
	Preempted int `json:"preempted" yaml:"preempted"`
	User      int `json:"user" yaml:"user"`
}

// Ensemble says what to make of the trials.
type Ensemble struct {
	// Size is the number of members; 0 makes none. Default: 10, or all trials
	// where they are fewer; 0 for a custom trainer, which may leave no predictions.
	Size int `json:"size" yaml:"size"`
	// Strategy is "top_k": the trials with the smallest validation error.
	Strategy string `json:"strategy" yaml:"strategy"`
}
