package sweeps

// ResultStatus says how a training run that ran to its end went.
type ResultStatus string

const (
	// Completed runs have finite weights and predictions.
	Completed ResultStatus = "completed"
	// Diverged runs met a loss or weight that is not finite. That is a result
	// too: it is not retried, and never a member of an ensemble.
	Diverged ResultStatus = "diverged"
)

// Artifact is an object in the store, together with what it must contain.
type Artifact struct {
	Key    string `json:"key"`
	SHA256 string `json:"sha256"`
	Bytes  int64  `json:"bytes"`
}

// EpochMetrics is one line of a run's metrics. Errors are shares in [0, 1] of the
// labels, losses and NLL are in nats per label. Where cases ask for values (see
// Result.Values), losses and NLL are mean squared errors.
type EpochMetrics struct {
	Epoch        int     `json:"epoch"`
	LearningRate float64 `json:"learning_rate"`
	// TrainLoss and TrainError are means over the epoch, of the network as it was at
	// each step, with dropout. Of values, TrainError is TrainLoss as a share of the
	// variance of the training cases' values.
	TrainLoss  float64 `json:"train_loss"`
	TrainError float64 `json:"train_error"`
	// ValidationError of values is ValidationNLL as a share of the variance of the
	// validation cases' values: 1 for guessing their mean, and it may exceed 1.
	ValidationError float64 `json:"validation_error"`
	ValidationNLL   float64 `json:"validation_nll"`
	// GradientNorm is the mean over the epoch's steps, before clipping.
	GradientNorm float64 `json:"gradient_norm"`
	// Clipped is the share of steps in which the norm was above the limit.
	Clipped float64 `json:"clipped"`
	// UpdateRatio is |update| / |weights| of each parameter at the epoch's last
	// step, by parameter name; about 1e-3 is healthy.
	UpdateRatio map[string]float64 `json:"update_ratio,omitzero"`
	Seconds     float64            `json:"seconds"`
}

// Result is the committed outcome of training one trial for a number of epochs,
// and the only truth about it. It is stored once, as
// trials/<trial>/results/<epochs>.json.
type Result struct {
	Version int          `json:"version"` // 1
	Trial   TrialID      `json:"trial"`
	Epochs  int          `json:"epochs"` // the budget, not the epochs used
	Attempt int          `json:"attempt"`
	Status  ResultStatus `json:"status"`
	// Values says that cases ask for values and not for labels, which changes what the
	// measures are.
	Values bool `json:"values,omitzero"`
	// ValidationError of the final weights: the share of labels predicted wrongly, in
	// [0, 1], or the mean squared error of values as a share of their variance, at
	// least 0; 1 when diverged.
	ValidationError float64 `json:"validation_error"`
	// ValidationNLL of the final weights, in nats per label, or the mean squared error
	// of values; 0 when diverged.
	ValidationNLL float64        `json:"validation_nll"`
	Curve         []EpochMetrics `json:"curve"`
	// Note says in words why a run ended before its epochs were up.
	Note string `json:"note,omitzero"`
	// Checkpoint holds the final weights (safetensors). The artifacts are zero
	// when the run diverged.
	Checkpoint Artifact `json:"checkpoint,omitzero"`
	// Predictions are .npy files, float32, in the order of the split: of shape [cases ·
	// labels of a case, classes], whose rows are probabilities, or [cases, values].
	ValidationPredictions Artifact `json:"validation_predictions,omitzero"`
	TestPredictions       Artifact `json:"test_predictions,omitzero"`
	// Labels of a custom trainer's own data, in the order of the predictions: .npy files,
	// int32 of shape [cases] or [cases, labels of a case], or float32 [cases, values].
	ValidationLabels Artifact `json:"validation_labels,omitzero"`
	TestLabels       Artifact `json:"test_labels,omitzero"`
	// Weights counts the trainable numbers of the network.
	Weights int `json:"weights,omitzero"`
	// Engine says what computed it: backend, BLAS and threads.
	Engine  string  `json:"engine,omitzero"`
	Seconds float64 `json:"seconds"`
}
