package activities

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/tenfold-ml/tenfold/activities/contract"
	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/storage/backend"
	"github.com/tenfold-ml/tenfold/sweeps"
	"github.com/tenfold-ml/tenfold/sweeps/ensemble"
	"github.com/tenfold-ml/tenfold/trainer/data"
)

// Assemble picks the members on validation, averages their predictions, measures
// them on the test split, which is read here and nowhere before, and writes the
// manifest. All that goes into it is committed, so it writes the same bytes
// however often it is repeated.
func (a *Activities) Assemble(ctx context.Context, in contract.AssembleInput) (contract.AssembleOutput, error) {
	defer a.beat(ctx).stop()
	out, err := a.assemble(ctx, in)
	if err != nil {
		return contract.AssembleOutput{}, a.classified("assemble the ensemble", err)
	}
	return out, nil
}

func (a *Activities) assemble(ctx context.Context, in contract.AssembleInput) (contract.AssembleOutput, error) {
	spec := in.Spec
	if spec.Ensemble.Size < 1 {
		return contract.AssembleOutput{}, nil
	}
	if spec.Ensemble.Strategy != ensemble.TopKStrategy {
		return contract.AssembleOutput{}, faultf("ensemble.strategy %q is not available yet; %s is", spec.Ensemble.Strategy, ensemble.TopKStrategy)
	}
	members, err := a.members(ctx, in)
	if err != nil {
		return contract.AssembleOutput{}, err
	}
	if err := a.verify(ctx, members); err != nil {
		return contract.AssembleOutput{}, err
	}
	sum, err := specSHA256(spec)
	if err != nil {
		return contract.AssembleOutput{}, err
	}
	input := ensemble.Input{
		Sweep: in.Sweep, SpecSHA256: sum,
		Dataset: in.Prepare.Dataset, Trainer: in.Prepare.Trainer,
		Strategy: spec.Ensemble.Strategy, Size: spec.Ensemble.Size, SplitSeed: spec.Data.SplitSeed,
		Members: members,
	}
	if in.Prepare.Dataset != "" {
		input.Labels, err = a.labels(ctx, in)
	} else {
		input.Labels, err = a.ownLabels(ctx, members)
	}
	if err != nil {
		return contract.AssembleOutput{}, err
	}
	if input.Labels != nil {
		if input.Predictions, err = a.predictions(ctx, members, input.Labels); err != nil {
			return contract.AssembleOutput{}, err
		}
	}
	manifest, _, err := ensemble.Build(input)
	if err != nil {
		return contract.AssembleOutput{}, withKey(err, members)
	}
	return a.writeManifest(ctx, manifest)
}

// specSHA256 is the hash of a spec's canonical JSON, in hex.
func specSHA256(spec sweeps.Spec) (string, error) {
	b, err := sweeps.CanonicalJSON(spec)
	if err != nil {
		return "", fault{err}
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}

// members selects among the results of the sweep: as many as are wanted, or all
// that there are. Trials that failed have none to offer, whatever lies in the
// place of their results.
func (a *Activities) members(ctx context.Context, in contract.AssembleInput) ([]ensemble.Candidate, error) {
	plan, err := sweeps.NewPlan(in.Spec, in.Prepare.Dataset, in.Prepare.Trainer)
	if err != nil {
		return nil, fault{err}
	}
	var candidates []ensemble.Candidate
	diverged := 0
	var spoilt spoilt
	err = a.eachResult(ctx, plan, func(f finished) {
		switch {
		case f.result == nil && slices.Contains(in.Failed, f.index):
		case f.damage != nil:
			spoilt.add(f.index, f.damage)
		case f.result == nil:
			if in.Failed != nil {
				spoilt.add(f.index, faultf("the result of trial %s, %s, is missing from the store; run the sweep again to have it trained again",
					f.id, storage.ResultKey(f.id, f.trial.Config.Train.Epochs)))
			}
		case f.result.Status == sweeps.Diverged:
			diverged++
		default:
			candidates = append(candidates, ensemble.NewCandidate(*f.result, f.trial.Config.Seed, plan.Settings(f.index)))
		}
	})
	if err = cmp.Or(err, spoilt.err); err != nil {
		return nil, err
	}
	members := ensemble.TopK(candidates, in.Spec.Ensemble.Size)
	if len(members) == 0 {
		return nil, faultf("no ensemble: none of %d trials completed (%d diverged, %d have no result); try other settings",
			plan.Len(), diverged, plan.Len()-diverged)
	}
	return members, nil
}

// spoilt keeps the error about the first trial, in the plan's order, whose result
// should be there and cannot be used, so that it is the same each time.
type spoilt struct {
	index int
	err   error
}

func (s *spoilt) add(index int, err error) {
	if s.err == nil || index < s.index {
		s.index, s.err = index, err
	}
}

// verify reads the members' weights through and compares their hashes: a manifest
// names nothing that is not there.
func (a *Activities) verify(ctx context.Context, members []ensemble.Candidate) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(readers)
	for _, m := range members {
		if m.Checkpoint == (sweeps.Artifact{}) {
			continue // of a custom trainer, which need not keep its weights here
		}
		group.Go(func() error {
			err := a.Store.VerifyArtifact(ctx, m.Checkpoint)
			if errors.Is(err, backend.ErrNotFound) {
				err = faultf("%s is missing from the store: %w", m.Checkpoint.Key, err)
			}
			if err != nil {
				return fmt.Errorf("check the weights of trial %s: %w", m.ID, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// labels are what the held-out and the test cases ask for, in the order of the
// predictions.
func (a *Activities) labels(ctx context.Context, in contract.AssembleInput) (*ensemble.Labels, error) {
	set, err := data.LoadLabels(ctx, a.Store, in.Prepare.Dataset)
	if err != nil {
		return nil, err
	}
	_, validation, err := data.Partition(set, in.Spec.Data)
	if err != nil {
		return nil, err
	}
	labels := &ensemble.Labels{Classes: set.Classes, Outputs: set.Outputs}
	if set.Classes == 0 {
		labels.ValidationValues, labels.TestValues = set.Targets(set.Train, validation), set.Targets(set.Test, nil)
	} else {
		labels.Validation, labels.Test = set.Labels(set.Train, validation), set.Labels(set.Test, nil)
	}
	return labels, nil
}

// predictions reads those of all members.
func (a *Activities) predictions(ctx context.Context, members []ensemble.Candidate, labels *ensemble.Labels) (map[sweeps.TrialID]ensemble.Predictions, error) {
	var mu sync.Mutex
	all := make(map[sweeps.TrialID]ensemble.Predictions, len(members))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(readers)
	for _, m := range members {
		group.Go(func() error {
			validation, err := a.matrix(ctx, m.ValidationPredictions, labels.ValidationShape())
			if err != nil {
				return fmt.Errorf("read the validation predictions of trial %s: %w", m.ID, err)
			}
			test, err := a.matrix(ctx, m.TestPredictions, labels.TestShape())
			if err != nil {
				return fmt.Errorf("read the test predictions of trial %s: %w", m.ID, err)
			}
			mu.Lock()
			defer mu.Unlock()
			all[m.ID] = ensemble.Predictions{Validation: validation, Test: test}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return all, nil
}

// matrix reads a .npy artifact of a known shape.
func (a *Activities) matrix(ctx context.Context, from sweeps.Artifact, shape ensemble.Shape) ([]float32, error) {
	if from.Key == "" {
		return nil, faultf("its result names none")
	}
	b, err := a.Store.ReadArtifact(ctx, from)
	if errors.Is(err, backend.ErrNotFound) {
		return nil, faultf("%s is missing from the store: %w", from.Key, err)
	}
	if err != nil {
		return nil, err
	}
	values, r, c, err := parseNPY(b)
	if err != nil {
		return nil, faultf("%s: %w", from.Key, err)
	}
	if r != shape.Rows || c != shape.Columns {
		return nil, faultf("%s: its shape is (%d, %d), want (%d, %d): %s", from.Key, r, c, shape.Rows, shape.Columns, shape.Axes)
	}
	return values, nil
}

// withKey adds to an error about a member the object that it is about.
func withKey(err error, members []ensemble.Candidate) error {
	var member *ensemble.MemberError
	if !errors.As(err, &member) {
		return err
	}
	for _, m := range members {
		switch {
		case m.ID != member.Trial:
		case member.Part == "validation predictions":
			return fmt.Errorf("%s: %w", m.ValidationPredictions.Key, err)
		case member.Part == "test predictions":
			return fmt.Errorf("%s: %w", m.TestPredictions.Key, err)
		}
	}
	return err
}

func (a *Activities) writeManifest(ctx context.Context, m *ensemble.Manifest) (contract.AssembleOutput, error) {
	b, err := m.JSON()
	if err != nil {
		return contract.AssembleOutput{}, err
	}
	out := contract.AssembleOutput{Members: len(m.Members)}
	if out.Manifest, err = a.put(ctx, storage.ManifestKey(m.Sweep), b); err != nil {
		return contract.AssembleOutput{}, err
	}
	if m.Measured != nil {
		out.BestSingleTestError = m.Measured.BestSingleTestError
		out.MinMemberTestError = m.Measured.MinMemberTestError
		out.EnsembleTestError = m.Measured.Test.Error
		out.EnsembleTestNLL = m.Measured.Test.NLL
	}
	return out, nil
}

// put writes an object and describes it.
func (a *Activities) put(ctx context.Context, key string, b []byte) (sweeps.Artifact, error) {
	if err := a.Store.PutAll(ctx, key, b); err != nil {
		return sweeps.Artifact{}, err
	}
	sum := sha256.Sum256(b)
	return sweeps.Artifact{Key: key, SHA256: hex.EncodeToString(sum[:]), Bytes: int64(len(b))}, nil
}
