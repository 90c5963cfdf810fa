package storage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/tenfold-ml/tenfold/storage/backend"
	"github.com/tenfold-ml/tenfold/sweeps"
)

// PutArtifactFrom is [Store.PutArtifact] for what need not fit into memory. It reads r
// from its start to its end twice, once for the hash, so nobody may write to it
// meanwhile.
func (s *Store) PutArtifactFrom(ctx context.Context, dir, name, ext string, r io.ReadSeeker) (sweeps.Artifact, error) {
	sum := sha256.New()
	_, err := r.Seek(0, io.SeekStart)
	var n int64
	if err == nil {
		n, err = io.Copy(sum, r)
	}
	if err != nil {
		return sweeps.Artifact{}, fmt.Errorf("hash %s/%s: %w", dir, name, err)
	}
	digest := hex.EncodeToString(sum.Sum(nil))
	a := sweeps.Artifact{Key: ArtifactKey(dir, name, ext, digest), SHA256: digest, Bytes: n}
	for {
		if _, err := r.Seek(0, io.SeekStart); err != nil {
			return sweeps.Artifact{}, fmt.Errorf("read what becomes %s: %w", a.Key, err)
		}
		err := s.b.PutIfAbsent(ctx, a.Key, r)
		if err == nil {
			return a, nil
		}
		if !errors.Is(err, backend.ErrExists) {
			return sweeps.Artifact{}, err
		}
		same, err := s.hasSize(ctx, a.Key, a.Bytes)
		switch {
		case errors.Is(err, backend.ErrNotFound):
			continue // deleted since
		case err != nil:
			return sweeps.Artifact{}, err
		case !same:
			return sweeps.Artifact{}, corrupt(a.Key, fmt.Errorf("it is there and has not %d bytes; remove it", a.Bytes))
		}
		return a, nil
	}
}

// CopyArtifact writes an artifact to w, and checks its size and SHA-256 on the way
// (ErrCorrupt). Until it has returned nil, what w has got may be anything.
func (s *Store) CopyArtifact(ctx context.Context, a sweeps.Artifact, w io.Writer) error {
	if err := checkArtifact(a); err != nil {
		return fmt.Errorf("copy artifact: %w", err)
	}
	r, err := s.b.Get(ctx, a.Key)
	if err != nil {
		return err
	}
	sum := sha256.New()
	// One byte more than wanted tells that there is too much, however much.
	n, err := io.Copy(io.MultiWriter(sum, w), io.LimitReader(r, a.Bytes+1))
	if err := errors.Join(err, r.Close()); err != nil {
		return fmt.Errorf("copy %s: %w", a.Key, err)
	}
	switch digest := hex.EncodeToString(sum.Sum(nil)); {
	case n < a.Bytes:
		return corrupt(a.Key, fmt.Errorf("it has %d bytes, not %d", n, a.Bytes))
	case n > a.Bytes:
		return corrupt(a.Key, fmt.Errorf("it has more than its %d bytes", a.Bytes))
	case digest != a.SHA256:
		return corrupt(a.Key, fmt.Errorf("its SHA-256 is %s, not %s", digest, a.SHA256))
	}
	return nil
}
