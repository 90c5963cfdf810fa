package storage

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/tenfold-ml/tenfold/storage/backend"
)

// probeTime bounds a probe. A store that is away for longer is worth waiting for in the
// middle of a run, but not by those who only ask.
const probeTime = 30 * time.Second

// Probe checks that the store can be written to and read from, by doing it.
func (s *Store) Probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	key := "probe-" + rand.Text()
	want := []byte("a store that answers\n")
	if err := s.PutAll(ctx, key, want); err != nil {
		return fmt.Errorf("store %s cannot be written to: %w", s.URL(), err)
	}
	got, err := s.ReadAll(ctx, key)
	if err == nil && !bytes.Equal(got, want) {
		err = fmt.Errorf("%w: %s does not hold what was written", ErrCorrupt, key)
	}
	// Nobody wants to find the probe, least of all after an error.
	clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), probeTime/3)
	defer cancel()
	if e := s.b.Delete(clean, key); err == nil {
		err = e
	}
	if err != nil {
		return fmt.Errorf("store %s cannot be read from: %w", s.URL(), err)
	}
	return nil
}

// ReadAll reads an object whole.
func (s *Store) ReadAll(ctx context.Context, key string) ([]byte, error) {
	r, err := s.b.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	return b, nil
}

// ReadJSON reads an object and decodes it into v. An object that is not one JSON
// value of v's type is ErrCorrupt; fields that v lacks are ignored.
func (s *Store) ReadJSON(ctx context.Context, key string, v any) error {
	b, err := s.ReadAll(ctx, key)
	if err != nil {
		return err
	}
	if len(bytes.TrimSpace(b)) == 0 {
		return corrupt(key, errors.New("it is empty"))
	}
	if err := json.Unmarshal(b, v); err != nil {
		return corrupt(key, err)
	}
	return nil
}

// PutAll writes an object, replacing one that is there.
func (s *Store) PutAll(ctx context.Context, key string, b []byte) error {
	return s.b.Put(ctx, key, bytes.NewReader(b))
}

// PutAllIfAbsent writes an object unless it is there, and says whether it was
// this call that created it.
func (s *Store) PutAllIfAbsent(ctx context.Context, key string, b []byte) (created bool, err error) {
	err = s.b.PutIfAbsent(ctx, key, bytes.NewReader(b))
	if errors.Is(err, backend.ErrExists) {
		return false, nil
	}
	return err == nil, err
}

// hasSize says whether an object has n bytes, by reading at most two of them.
func (s *Store) hasSize(ctx context.Context, key string, n int64) (bool, error) {
	r, err := s.b.GetRange(ctx, key, max(n-1, 0), 2)
	if err != nil {
		return false, err
	}
	b, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		return false, fmt.Errorf("read %s: %w", key, err)
	}
	return int64(len(b)) == min(n, 1), nil
}

// corrupt makes an ErrCorrupt that names the object.
func corrupt(key string, why error) error {
	return fmt.Errorf("%w %s: %w", ErrCorrupt, key, why)
}
