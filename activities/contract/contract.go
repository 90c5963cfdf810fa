// Package contract declares the names, inputs and outputs of the activities: all
// that workflow code may know of them. It does nothing and imports nothing that
// could.
package contract

import "github.com/tenfold-ml/tenfold/sweeps"

// Names under which the activities are registered. They are in recorded
// histories, so they never change.
const (
	PrepareActivity  = "Prepare"
	TrainActivity    = "Train"
	StopActivity     = "Stop"
	AssembleActivity = "Assemble"
	ReportActivity   = "Report"
)

// PrepareInput asks for a sweep's data set and trainer to be found.
type PrepareInput struct {
	Sweep string      `json:"sweep"`
	Spec  sweeps.Spec `json:"spec"`
}

// PrepareOutput is what trial IDs depend on besides the spec. Prepare imports
// the data set into the store and writes the sweep's spec.yaml and plan.json.
type PrepareOutput struct {
	// Dataset is the digest of the data set; empty for a custom trainer.
	Dataset string `json:"dataset,omitzero"`
	// Trainer is the trainer's identity.
	Trainer string `json:"trainer"`
}

// TrainInput asks for one run. Train takes the committed result if there is
// one, else attaches to a running job of the trial, else launches one.
type TrainInput struct {
	Sweep   string         `json:"sweep"`
	ID      sweeps.TrialID `json:"id"`
	Trial   sweeps.Trial   `json:"trial"`
	Epochs  int            `json:"epochs"`
	Attempt int            `json:"attempt"`
	// Command is a custom trainer's; empty for the built-in one.
	Command   []string         `json:"command,omitzero"`
	Resources sweeps.Resources `json:"resources,omitzero"`
	// Parallelism of the sweep, from which a local launcher computes threads.
	Parallelism int `json:"parallelism"`
	// NoProgressSeconds is how long a trainer may be silent before it is
	// killed as hanging.
	NoProgressSeconds int `json:"no_progress_seconds"`
	// Launcher says where it runs; zero, as in histories that are older than this
	// field, means locally.
	Launcher sweeps.Launcher `json:"launcher,omitzero"`
}

// TrainOutput is how the run ended. Whatever goes wrong with a trainer is an
// outcome; an activity error means that the activity itself did not get to an
// end or, with the type [UserError], that no run of the sweep can: the store is
// full or refuses, and the sweep has to end. With the type [Denied] it has to pause.
type TrainOutput struct {
	Outcome         sweeps.Outcome `json:"outcome"`
	ValidationError float64        `json:"validation_error"`
	Message         string         `json:"message,omitzero"`
	// Reused says that the result had been committed before this run began.
	Reused bool `json:"reused,omitzero"`
}

// Phase says what a run is doing.
type Phase string

// The phases, in their order.
const (
	PhaseQueued   Phase = "queued"   // waits for a place: a free core, a node
	PhaseStarting Phase = "starting" // the process is up and has not reported yet
	PhaseTraining Phase = "training"
)

// Progress is a Train activity's heartbeat.
type Progress struct {
	ID              sweeps.TrialID `json:"id"`
	Attempt         int            `json:"attempt"`
	Phase           Phase          `json:"phase"`
	Epoch           int            `json:"epoch"`
	Epochs          int            `json:"epochs"`
	ValidationError float64        `json:"validation_error"`
}

// StopInput asks for whatever runs for a trial of a sweep to be killed.
type StopInput struct {
	Sweep  string         `json:"sweep"`
	ID     sweeps.TrialID `json:"id"`
	Epochs int            `json:"epochs"`
	// Launcher says where it runs; zero means locally.
	Launcher sweeps.Launcher `json:"launcher,omitzero"`
}

// AssembleInput asks for the ensemble of a sweep whose runs have all ended.
type AssembleInput struct {
	Sweep   string        `json:"sweep"`
	Spec    sweeps.Spec   `json:"spec"`
	Prepare PrepareOutput `json:"prepare"`
	// Failed are the indices of the failed trials, whose results are allowed to be
	// missing or damaged. Nil says nothing about which failed: so it is in histories
	// that are older than this field.
	Failed []int `json:"failed"`
}

// AssembleOutput sums up the ensemble; the whole is in the manifest.
type AssembleOutput struct {
	Manifest sweeps.Artifact `json:"manifest"`
	// Members are as many as were asked for, or fewer where fewer trials completed.
	Members int `json:"members"`
	// BestSingleTestError is that of the trial best on validation.
	BestSingleTestError float64 `json:"best_single_test_error"`
	// MinMemberTestError is the smallest among the members.
	MinMemberTestError float64 `json:"min_member_test_error"`
	EnsembleTestError  float64 `json:"ensemble_test_error"`
	EnsembleTestNLL    float64 `json:"ensemble_test_nll"`
}

// ReportInput asks for report.html.
type ReportInput struct {
	Sweep   string        `json:"sweep"`
	Spec    sweeps.Spec   `json:"spec"`
	Prepare PrepareOutput `json:"prepare"`
	// Failed maps the index of each failed trial to its message.
	Failed map[int]string `json:"failed,omitzero"`
}

// ReportOutput says where the report is.
type ReportOutput struct {
	Report sweeps.Artifact `json:"report"`
}
