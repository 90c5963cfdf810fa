package trainer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"github.com/tenfold-ml/tenfold/sweeps"
)

// The events of a run's metrics, one JSON object a line, told apart by "event".
type (
	// startEvent says what is about to be trained, and from where on.
	startEvent struct {
		Event   string         `json:"event"` // "start"
		Trial   sweeps.TrialID `json:"trial"`
		Attempt int            `json:"attempt"`
		Epochs  int            `json:"epochs"`
		// Epoch and Step say how much was done by earlier attempts.
		Epoch      int    `json:"epoch"`
		Step       int    `json:"step"`
		Train      int    `json:"train_cases"`
		Validation int    `json:"validation_cases"`
		Weights    int    `json:"weights"`
		Engine     string `json:"engine"`
		Task       Task   `json:"task,omitzero"`
	}
	// epochEvent follows each epoch.
	epochEvent struct {
		Event string `json:"event"` // "epoch"
		sweeps.EpochMetrics
	}
	// progressEvent is a sign of life within a long epoch. It goes to the output
	// alone, for those who take a silent trainer for a hanging one.
	progressEvent struct {
		Event string `json:"event"` // "progress"
		Epoch int    `json:"epoch"` // that is under way, from 1
		Step  int    `json:"step"`
		Steps int    `json:"steps"`
		// LearningRate of the epoch.
		LearningRate float64 `json:"learning_rate"`
		// TrainLoss is the mean so far in this epoch.
		TrainLoss float64 `json:"train_loss"`
	}
	// checkpointEvent follows each checkpoint.
	checkpointEvent struct {
		Event   string  `json:"event"` // "checkpoint"
		Epoch   int     `json:"epoch"`
		Step    int     `json:"step"`
		Weights string  `json:"weights"` // key
		Seconds float64 `json:"seconds"`
	}
	// warningEvent says what went wrong and was got around.
	warningEvent struct {
		Event   string `json:"event"` // "warning"
		Message string `json:"message"`
	}
	// endEvent is the last, when there is a result.
	endEvent struct {
		Event           string              `json:"event"` // "end"
		Status          sweeps.ResultStatus `json:"status"`
		ValidationError float64             `json:"validation_error"`
		Note            string              `json:"note,omitzero"`
		// Committed says whether this attempt committed the result, or found one.
		Committed bool `json:"committed"`
	}
)

// metricsLog writes events to the run's output and keeps them for the store.
type metricsLog struct {
	out  io.Writer
	kept bytes.Buffer
}

// emit writes one event as one line. A reader that has gone away is no reason to
// stop training, so errors of the output are dropped.
func (m *metricsLog) emit(event any) {
	m.kept.Write(m.print(event))
}

// print writes one event to the output only, and returns its line.
func (m *metricsLog) print(event any) []byte {
	b, err := json.Marshal(event)
	if err != nil {
		// Only a number that is not finite can't be encoded, and a run with
		// such a number has ended as diverged.
		panic(fmt.Sprintf("encoding metrics: %v", err))
	}
	b = append(b, '\n')
	if m.out != nil {
		_, _ = m.out.Write(b)
	}
	return b
}
