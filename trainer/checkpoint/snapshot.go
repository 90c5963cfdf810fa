package checkpoint

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/sweeps"
)

// Names of the tensors that are not parameters: the statistics of the inputs,
// in units of byte/255 (see data.Standardizer).
const (
	MeanTensor = "input.mean"
	StdTensor  = "input.std"
)

// memoryPrefix tells the tensors of the state that are a network's memories from those
// of the optimiser.
const memoryPrefix = "memory/"

// Snapshot is a training run at the boundary of a step.
type Snapshot struct {
	// Parameters of the network, in its order.
	Parameters []Tensor
	// Log1p says that the inputs are logarithms of 1 plus the features, see
	// data.Dataset.Log1p. Mean and Std are of those.
	Log1p bool
	// Mean and Std standardise the inputs.
	Mean, Std []float32
	// Optimizer is the optimiser's state.
	Optimizer []Tensor
	// Memories are what a recurrent network carries to the next minibatch; none where it
	// begins anew, and in checkpoints from before there were any.
	Memories []Tensor
	State    State
}

// State is the part of a run that is no array. Floats survive JSON exactly;
// none of them is NaN or infinite, since a diverged run is not saved.
type State struct {
	Version int `json:"version"` // 1
	// Epoch is the number of epochs finished, with their validation.
	Epoch int `json:"epoch"`
	// Step is the number of steps done in the epoch after those.
	Step int `json:"step"`
	// StepsPerEpoch guards against going on with other data.
	StepsPerEpoch int `json:"steps_per_epoch"`
	// LearningRate of the next step.
	LearningRate float64 `json:"learning_rate"`
	// Schedule is the learning-rate schedule's own state.
	Schedule json.RawMessage `json:"schedule,omitempty"`
	// Partial sums up the Step steps.
	Partial Partial `json:"partial,omitzero"`
	// Curve has the metrics of the Epoch epochs.
	Curve []sweeps.EpochMetrics `json:"curve"`
	// Stopped says why there are no more epochs to come, if there are none.
	Stopped string `json:"stopped,omitzero"`
}

// Partial holds the sums over the steps of an unfinished epoch.
type Partial struct {
	Cases   int     `json:"cases,omitzero"`
	Loss    float64 `json:"loss,omitzero"` // of all cases
	Wrong   int     `json:"wrong,omitzero"`
	Norm    float64 `json:"norm,omitzero"` // of all steps
	Clipped int     `json:"clipped,omitzero"`
	// UpdateRatio is measured at the last step of the epoch.
	UpdateRatio map[string]float64 `json:"update_ratio,omitzero"`
	Seconds     float64            `json:"seconds,omitzero"`
}

// Metadata of the two files. The formats have their own version, apart from the
// trainer's identity, so that old checkpoints stay readable.
const (
	formatKey     = "format"
	weightsFormat = "tenfold-weights/1"
	stateFormat   = "tenfold-state/1"
	stateKey      = "state"
	// inputKey is left out where the inputs are the features themselves.
	inputKey = "input"
	log1p    = "log1p"
)

// Encode writes the two files. Weights alone are deterministic; the state has
// times in it.
func (s *Snapshot) Encode() (weights, state []byte, err error) {
	tensors := append(slices.Clone(s.Parameters),
		Tensor{MeanTensor, []int{len(s.Mean)}, s.Mean}, Tensor{StdTensor, []int{len(s.Std)}, s.Std})
	metadata := map[string]string{formatKey: weightsFormat}
	if s.Log1p {
		metadata[inputKey] = log1p
	}
	weights, err = EncodeTensors(tensors, metadata)
	if err != nil {
		return nil, nil, fmt.Errorf("encoding weights: %w", err)
	}
	j, err := json.Marshal(s.State)
	if err != nil {
		return nil, nil, fmt.Errorf("encoding the state of training: %w", err)
	}
	tensors = slices.Clone(s.Optimizer)
	for _, m := range s.Memories {
		tensors = append(tensors, Tensor{memoryPrefix + m.Name, m.Shape, m.Data})
	}
	state, err = EncodeTensors(tensors, map[string]string{formatKey: stateFormat, stateKey: string(j)})
	if err != nil {
		return nil, nil, fmt.Errorf("encoding the optimiser's state: %w", err)
	}
	return weights, state, nil
}

// Decode reads the two files. Errors wrap storage.ErrCorrupt.
func Decode(weights, state []byte) (*Snapshot, error) {
	s, err := DecodeWeights(weights)
	if err != nil {
		return nil, err
	}
	tensors, metadata, err := DecodeTensors(state)
	if err != nil {
		return nil, fmt.Errorf("state: %w", err)
	}
	for _, t := range tensors {
		if name, ok := strings.CutPrefix(t.Name, memoryPrefix); ok {
			s.Memories = append(s.Memories, Tensor{name, t.Shape, t.Data})
		} else {
			s.Optimizer = append(s.Optimizer, t)
		}
	}
	if f := metadata[formatKey]; f != stateFormat {
		return nil, fmt.Errorf("state: %w: its format is %q, not %q", storage.ErrCorrupt, f, stateFormat)
	}
	if err := json.Unmarshal([]byte(metadata[stateKey]), &s.State); err != nil {
		return nil, fmt.Errorf("state: %w: %w", storage.ErrCorrupt, err)
	}
	if s.State.Version != 1 {
		return nil, fmt.Errorf("state: %w: its version is %d, not 1", storage.ErrCorrupt, s.State.Version)
	}
	if s.State.Epoch != len(s.State.Curve) {
		return nil, fmt.Errorf("state: %w: %d epochs with the metrics of %d", storage.ErrCorrupt, s.State.Epoch, len(s.State.Curve))
	}
	return s, nil
}

// DecodeWeights reads a weights file alone, which is enough to predict: the
// snapshot has no optimiser and no state.
func DecodeWeights(weights []byte) (*Snapshot, error) {
	tensors, metadata, err := DecodeTensors(weights)
	if err != nil {
		return nil, fmt.Errorf("weights: %w", err)
	}
	if f := metadata[formatKey]; f != weightsFormat {
		return nil, fmt.Errorf("weights: %w: their format is %q, not %q", storage.ErrCorrupt, f, weightsFormat)
	}
	s := &Snapshot{Log1p: metadata[inputKey] == log1p}
	if input := metadata[inputKey]; input != "" && !s.Log1p {
		return nil, fmt.Errorf("weights: %w: their inputs are %q, which is not known", storage.ErrCorrupt, input)
	}
	for _, t := range tensors {
		switch t.Name {
		case MeanTensor:
			s.Mean = t.Data
		case StdTensor:
			s.Std = t.Data
		default:
			s.Parameters = append(s.Parameters, t)
		}
	}
	if s.Mean == nil || len(s.Mean) != len(s.Std) {
		return nil, fmt.Errorf("weights: %w: %s and %s are not there or do not match", storage.ErrCorrupt, MeanTensor, StdTensor)
	}
	return s, nil
}

// Fits says whether from has the names and shapes of to, in the same order; if
// not, the error wraps storage.ErrCorrupt and begins with what.
func Fits(to, from []Tensor, what string) error {
	if len(from) != len(to) {
		return fmt.Errorf("%s: %w: %d tensors, where the network has %d", what, storage.ErrCorrupt, len(from), len(to))
	}
	for i, t := range to {
		f := from[i]
		if f.Name != t.Name {
			return fmt.Errorf("%s: %w: tensor %d is %s, where the network has %s", what, storage.ErrCorrupt, i, f.Name, t.Name)
		}
		if len(f.Data) != len(t.Data) || !slices.Equal(f.Shape, t.Shape) {
			return fmt.Errorf("%s: %w: %s has shape %v, where the network has %v", what, storage.ErrCorrupt, f.Name, f.Shape, t.Shape)
		}
	}
	return nil
}

// Same is Fits, and the numbers agree as well.
func Same(to, from []Tensor, what string) error {
	if err := Fits(to, from, what); err != nil {
		return err
	}
	for i, t := range to {
		if !slices.Equal(t.Data, from[i].Data) {
			return fmt.Errorf("%s: %w: %s differs from that of the data", what, storage.ErrCorrupt, t.Name)
		}
	}
	return nil
}

// Copy copies the numbers of from to to, which it fits.
func Copy(to, from []Tensor) {
	for i := range to {
		copy(to[i].Data, from[i].Data)
	}
}
