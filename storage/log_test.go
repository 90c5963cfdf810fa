package storage_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/storage/backend"
)

func TestLogs(t *testing.T) {
	t.Parallel()
	s := newStore()
	names := []storage.LogName{{Sweep: "a-a1-00000000", Attempt: 2}, {Sweep: "a-a1-00000000", Attempt: 10}, {Sweep: "b-11111111", Attempt: 1}}
	if got, err := s.Logs(t.Context(), trialA); err != nil || len(got) != 0 {
		t.Errorf("Logs of an empty store: %v, %v", got, err)
	}
	if _, err := s.ReadLog(t.Context(), trialA, names[0]); !errors.Is(err, backend.ErrNotFound) {
		t.Errorf("ReadLog before PutLog: %v, want ErrNotFound", err)
	}
	for i := range names {
		name := names[len(names)-1-i]
		for _, text := range []string{"first", name.Sweep} { // it is replaced
			if err := s.PutLog(t.Context(), trialA, name, []byte(text)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, strange := range []string{"notes.txt", "a-00000000-a0.txt", "a-00000000-a01.txt", "-a1.txt", "a-00000000-a1.json"} {
		if err := s.Backend().Put(t.Context(), storage.LogDir(trialA)+"/"+strange, strings.NewReader("x")); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.Logs(t.Context(), trialA)
	if diff := cmp.Diff(names, got); diff != "" || err != nil {
		t.Errorf("Logs: %v, (-want +got):\n%s", err, diff)
	}
	for _, name := range names {
		if text, err := s.ReadLog(t.Context(), trialA, name); err != nil || string(text) != name.Sweep {
			t.Errorf("ReadLog(%v) = %q, %v", name, text, err)
		}
	}
}

func TestPutLogRefuses(t *testing.T) {
	t.Parallel()
	s := newStore()
	for _, name := range []storage.LogName{{Attempt: 1}, {Sweep: "a/b", Attempt: 1}, {Sweep: "a", Attempt: 0}} {
		if err := s.PutLog(t.Context(), trialA, name, []byte("x")); !errors.Is(err, storage.ErrInvalid) {
			t.Errorf("PutLog(%+v) = %v, want ErrInvalid", name, err)
		}
	}
	if err := s.PutLog(t.Context(), "../x", storage.LogName{Sweep: "a", Attempt: 1}, []byte("x")); !errors.Is(err, storage.ErrInvalid) {
		t.Errorf("PutLog of no trial: %v, want ErrInvalid", err)
	}
}
