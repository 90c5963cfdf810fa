//go:build unix

package file_test

import (
	"bytes"
	"io"
	"testing"

	"github.com/tenfold-ml/tenfold/storage/file"
)

// slowPut is a write that has begun and waits for the rest of its source.
type slowPut struct {
	rest []byte
	w    *io.PipeWriter
	done chan error
}

func startSlowPut(t *testing.T, b *file.Backend, key string) *slowPut {
	t.Helper()
	r, w := io.Pipe()
	data := sealed(key, 100_000)
	s := &slowPut{rest: data[len(data)/2:], w: w, done: make(chan error, 1)}
	go func() { s.done <- b.PutIfAbsent(t.Context(), key, r) }()
	if _, err := io.Copy(w, bytes.NewReader(data[:len(data)/2])); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *slowPut) finish(t *testing.T) {
	t.Helper()
	if _, err := s.w.Write(s.rest); err != nil {
		t.Error(err)
	}
	if err := s.w.Close(); err != nil {
		t.Error(err)
	}
	if err := <-s.done; err != nil {
		t.Errorf("PutIfAbsent: %v", err)
	}
}
