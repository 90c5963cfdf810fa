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

// PutArtifact writes bytes to ArtifactKey(dir, name, ext, their SHA-256). It is
// there already when somebody else computed the same: then its size is checked
// (ErrCorrupt) and it is left alone, so that nothing is ever overwritten.
func (s *Store) PutArtifact(ctx context.Context, dir, name, ext string, b []byte) (sweeps.Artifact, error) {
	sum := sha256.Sum256(b)
	digest := hex.EncodeToString(sum[:])
	a := sweeps.Artifact{Key: ArtifactKey(dir, name, ext, digest), SHA256: digest, Bytes: int64(len(b))}
	for {
		created, err := s.PutAllIfAbsent(ctx, a.Key, b)
		if err != nil {
			return sweeps.Artifact{}, err
		}
		if created {
			return a, nil
		}
		same, err := s.hasSize(ctx, a.Key, a.Bytes)
		switch {
		case errors.Is(err, backend.ErrNotFound):
			continue // deleted since: a checkpoint that somebody else had no more use for
		case err != nil:
			return sweeps.Artifact{}, err
		case !same:
			return sweeps.Artifact{}, corrupt(a.Key, fmt.Errorf("it is there and has not %d bytes; remove it", a.Bytes))
		}
		return a, nil
	}
}

// ReadArtifact reads an artifact and checks its size and SHA-256 (ErrCorrupt).
func (s *Store) ReadArtifact(ctx context.Context, a sweeps.Artifact) ([]byte, error) {
	if err := checkArtifact(a); err != nil {
		return nil, fmt.Errorf("read artifact: %w", err)
	}
	r, err := s.b.Get(ctx, a.Key)
	if err != nil {
		return nil, err
	}
	// One byte more than wanted tells that there is too much, however much.
	b := make([]byte, 0, min(a.Bytes+1, maxTrusted))
	b, err = readAppend(b, io.LimitReader(r, a.Bytes+1))
	if err := errors.Join(err, r.Close()); err != nil {
		return nil, fmt.Errorf("read %s: %w", a.Key, err)
	}
	switch n := int64(len(b)); {
	case n < a.Bytes:
		return nil, corrupt(a.Key, fmt.Errorf("it ends after %d of %d bytes", n, a.Bytes))
	case n > a.Bytes:
		return nil, corrupt(a.Key, fmt.Errorf("it has more than its %d bytes", a.Bytes))
	}
	if sum := sha256.Sum256(b); hex.EncodeToString(sum[:]) != a.SHA256 {
		return nil, corrupt(a.Key, fmt.Errorf("its SHA-256 is %x, not %s", sum, a.SHA256))
	}
	return b, nil
}

// VerifyArtifact is ReadArtifact for those who only want to know whether it is
// whole: it takes no memory to speak of.
func (s *Store) VerifyArtifact(ctx context.Context, a sweeps.Artifact) error {
	return s.CopyArtifact(ctx, a, io.Discard)
}

// maxTrusted is the most memory that is set aside before anything was read, on
// the word of a record that may be damaged.
const maxTrusted = 64 << 20

// readAppend is io.ReadAll into a buffer of the caller's.
func readAppend(b []byte, r io.Reader) ([]byte, error) {
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if errors.Is(err, io.EOF) {
			return b, nil
		}
		if err != nil {
			return b, err
		}
	}
}

// checkArtifact says with ErrInvalid what is wrong with a reference to an artifact.
func checkArtifact(a sweeps.Artifact) error {
	if err := backend.CheckKey(a.Key); err != nil {
		return fmt.Errorf("%w: artifact: %w", ErrInvalid, err)
	}
	if len(a.SHA256) != 2*sha256.Size || !isHex(a.SHA256) {
		return fmt.Errorf("%w: artifact %s: %q is no SHA-256 in lower-case hex", ErrInvalid, a.Key, a.SHA256)
	}
	if a.Bytes < 0 {
		return fmt.Errorf("%w: artifact %s: a size of %d bytes", ErrInvalid, a.Key, a.Bytes)
	}
	return nil
}
