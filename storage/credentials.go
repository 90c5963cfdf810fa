package storage

import (
	"context"
	"errors"
	"fmt"
	"path"
	"time"

	"github.com/tenfold-ml/tenfold/storage/s3"
	"github.com/tenfold-ml/tenfold/sweeps"
)

// ErrNoCredentials says that a store is of a kind that needs no credentials.
var ErrNoCredentials = errors.New("the store has no credentials to hand out")

// TrialCredentials are credentials of an AWS role for one trial's run: they last for
// duration and reach what TrialScope says. A store that is not on s3:// gives
// ErrNoCredentials, and a role that may not be assumed backend.ErrPermission.
func (s *Store) TrialCredentials(ctx context.Context, id sweeps.TrialID, roleARN string, duration time.Duration) (s3.Credentials, error) {
	b, ok := s.b.(*s3.Backend)
	if !ok {
		return s3.Credentials{}, fmt.Errorf("%w: %s", ErrNoCredentials, s.URL())
	}
	if !id.Valid() {
		return s3.Credentials{}, fmt.Errorf("credentials: %w: %q is no trial's ID", ErrInvalid, id)
	}
	c, err := b.AssumeRole(ctx, s3.Role{ARN: roleARN, Session: "tenfold-" + string(id), Duration: duration}, TrialScope(id))
	if err != nil {
		return s3.Credentials{}, fmt.Errorf("credentials for trial %s: %w", id, err)
	}
	return c, nil
}

// TrialScope is what a trainer needs of a store to train a trial: its own folder, where
// it also removes checkpoints that newer ones have superseded, and, to read, the data and
// the programs.
func TrialScope(id sweeps.TrialID) s3.Scope {
	return s3.Scope{
		ReadWrite: []string{TrialDir(id)},
		Delete:    []string{CheckpointDir(id)},
		Read:      []string{path.Dir(DatasetDir("x")), "programs"},
	}
}
