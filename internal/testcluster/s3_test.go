//go:build linux && cluster

package testcluster

import (
	"context"
	"strings"
	"syscall"
	"testing"

	"github.com/tenfold-ml/tenfold/storage"
)

// TestS3Restart: what the server has taken is there after a crash, at the same address.
func TestS3Restart(t *testing.T) {
	c, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	s, err := c.StartS3(t.Context(), S3Options{})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time it is there
		if err := s.CreateBucket(t.Context(), "restart"); err != nil {
			t.Fatal(err)
		}
	}
	for _, setting := range s.Env() {
		name, value, _ := strings.Cut(setting, "=")
		if strings.Contains(value, s.SecretKey) || strings.Contains(value, s.AccessKey) {
			t.Errorf("%s holds a secret", name)
		}
		t.Setenv(name, value)
	}
	store, err := storage.Open(t.Context(), "s3://restart/store")
	if err != nil {
		t.Fatal(err)
	}
	if err := store.PutAll(t.Context(), "a/b", []byte("kept")); err != nil {
		t.Fatal(err)
	}
	pid := s.Pid()
	for _, end := range []func() error{s.Kill, func() error { return s.Stop(t.Context()) }, func() error { return s.Signal(syscall.SIGKILL) }} {
		if err := end(); err != nil {
			t.Error(err)
		}
		if err := s.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got, err := store.ReadAll(t.Context(), "a/b"); err != nil || string(got) != "kept" {
			t.Errorf("after a restart: %q, %v", got, err)
		}
	}
	if s.Pid() == pid {
		t.Error("it is the same process")
	}
}
