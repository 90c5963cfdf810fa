package storage_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/storage/backend"
	"github.com/tenfold-ml/tenfold/storage/mem"
	"github.com/tenfold-ml/tenfold/sweeps"
)

func putCheckpoint(t *testing.T, s *storage.Store, epoch, step, attempt int, content string) storage.Checkpoint {
	t.Helper()
	c, err := s.PutCheckpointAt(t.Context(), trialA, epoch, step, attempt, []byte("weights "+content), []byte("state "+content))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func wantCheckpoints(t *testing.T, s *storage.Store, bad int, want ...storage.Checkpoint) []error {
	t.Helper()
	good, errs, err := s.Checkpoints(t.Context(), trialA)
	if err != nil {
		t.Fatalf("Checkpoints: %v", err)
	}
	if diff := cmp.Diff(want, good); diff != "" {
		t.Errorf("Checkpoints (-want +got):\n%s", diff)
	}
	if len(errs) != bad {
		t.Errorf("Checkpoints reports %v, want %d errors", errs, bad)
	}
	return errs
}

func TestCheckpoints(t *testing.T) {
	t.Parallel()
	s := newStore()
	wantCheckpoints(t, s, 0)
	// Numbers order, not digits: 10 after 9, a10 after a9.
	c2a1 := putCheckpoint(t, s, 2, 0, 1, "two")
	c10a1 := putCheckpoint(t, s, 10, 0, 1, "ten")
	c10a10 := putCheckpoint(t, s, 10, 0, 10, "ten")
	c10a9 := putCheckpoint(t, s, 10, 0, 9, "ten")
	c9a11 := putCheckpoint(t, s, 9, 0, 11, "nine")
	c9s20a1 := putCheckpoint(t, s, 9, 20, 1, "nine and a bit")
	c9s3a2 := putCheckpoint(t, s, 9, 3, 2, "nine and a bit less")
	c0a1 := putCheckpoint(t, s, 0, 0, 1, "zero")
	wantCheckpoints(t, s, 0, c10a10, c10a9, c10a1, c9s20a1, c9s3a2, c9a11, c2a1, c0a1)

	// Attempts that computed the same share what they computed.
	if c10a1.Weights != c10a10.Weights || c10a1.State != c10a9.State {
		t.Errorf("the same content has the artifacts %v and %v", c10a1, c10a10)
	}
	for what, a := range map[string]sweeps.Artifact{"weights ten": c10a1.Weights, "state ten": c10a1.State} {
		if b, err := s.ReadArtifact(t.Context(), a); err != nil || string(b) != what {
			t.Errorf("ReadArtifact = %q, %v, want %q", b, err, what)
		}
	}
	if want := storage.CheckpointDir(trialA) + "/10-" + c10a1.Weights.SHA256[:16] + ".safetensors"; c10a1.Weights.Key != want {
		t.Errorf("weights are at %s, want %s", c10a1.Weights.Key, want)
	}
	// Writing the same again is harmless, something else is refused.
	if again := putCheckpoint(t, s, 10, 0, 9, "ten"); again != c10a9 {
		t.Errorf("writing again gives %v, want %v", again, c10a9)
	}
	if _, err := s.PutCheckpoint(t.Context(), trialA, 10, 9, []byte("other"), []byte("state ten")); !errors.Is(err, storage.ErrInvalid) {
		t.Errorf("another content for the same record: %v, want ErrInvalid", err)
	}
	// What that has left is without a record, so it is no checkpoint and no error.
	wantCheckpoints(t, s, 0, c10a10, c10a9, c10a1, c9s20a1, c9s3a2, c9a11, c2a1, c0a1)
}

func TestPutCheckpointRefuses(t *testing.T) {
	t.Parallel()
	s := newStore()
	for _, c := range []storage.Checkpoint{
		{Trial: "x", Epoch: 1, Attempt: 1}, {Trial: trialA, Epoch: -1, Attempt: 1}, {Trial: trialA, Epoch: 1},
		{Trial: trialA, Epoch: 1, Step: -1, Attempt: 1},
	} {
		if _, err := s.PutCheckpointAt(t.Context(), c.Trial, c.Epoch, c.Step, c.Attempt, nil, nil); !errors.Is(err, storage.ErrInvalid) {
			t.Errorf("PutCheckpoint of %v: %v, want ErrInvalid", c, err)
		}
	}
	for o, err := range s.Backend().List(t.Context(), "") {
		t.Errorf("a refused checkpoint has left %v, %v", o, err)
	}
}

// TestCheckpointsBad damages one checkpoint of three in every way: it is named,
// and the other two stay.
func TestCheckpointsBad(t *testing.T) {
	t.Parallel()
	record := storage.CheckpointRecordKey(trialA, 2, 1)
	dir := storage.CheckpointDir(trialA)
	type damage struct {
		do   func(t *testing.T, s *storage.Store, c storage.Checkpoint)
		name string // what the error must name
	}
	replace := func(old, new string) func(*testing.T, *storage.Store, storage.Checkpoint) {
		return func(t *testing.T, s *storage.Store, _ storage.Checkpoint) {
			b := read(t, s, record)
			if !bytes.Contains(b, []byte(old)) {
				t.Fatalf("%s is not in %s", old, b)
			}
			put(t, s, record, bytes.Replace(b, []byte(old), []byte(new), 1))
		}
	}
	damages := map[string]damage{
		"later version":   {replace(`"version":1`, `"version":2`), record},
		"other trial":     {replace(string(trialA), string(trialB)), record},
		"other epoch":     {replace(`"epoch":2`, `"epoch":3`), record},
		"other attempt":   {replace(`"attempt":1`, `"attempt":2`), record},
		"bad hash":        {replace(`"sha256":"`, `"sha256":"x`), record},
		"bad key":         {replace(`"key":"`, `"key":"/`), record},
		"missing weights": {func(t *testing.T, s *storage.Store, c storage.Checkpoint) { remove(t, s, c.Weights.Key) }, record},
		"missing state":   {func(t *testing.T, s *storage.Store, c storage.Checkpoint) { remove(t, s, c.State.Key) }, record},
		"truncated weights": {func(t *testing.T, s *storage.Store, c storage.Checkpoint) {
			put(t, s, c.Weights.Key, []byte("weigh"))
		}, "safetensors"},
		"longer state": {func(t *testing.T, s *storage.Store, c storage.Checkpoint) {
			put(t, s, c.State.Key, []byte("state that is too long"))
		}, ".state"},
	}
	for name, change := range corruptions {
		damages["record "+name] = damage{func(t *testing.T, s *storage.Store, _ storage.Checkpoint) {
			put(t, s, record, change(read(t, s, record)))
		}, record}
	}
	for name, d := range damages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStore()
			c1, c2, c3 := putCheckpoint(t, s, 1, 0, 1, "1"), putCheckpoint(t, s, 2, 0, 1, "2"), putCheckpoint(t, s, 3, 0, 1, "3")
			d.do(t, s, c2)
			for _, err := range wantCheckpoints(t, s, 1, c3, c1) {
				wantCorrupt(t, name, d.name, err)
			}
		})
	}
	t.Run("foreign files", func(t *testing.T) {
		t.Parallel()
		s := newStore()
		c1 := putCheckpoint(t, s, 1, 0, 1, "1")
		names := []string{
			"1-a01.json", "2.safetensors", "2-0123.state", "2-0123456789ABCDEF.state", "README", "deep/1-a1.json", "x-0123456789abcdef.state",
		}
		for _, name := range names {
			put(t, s, dir+"/"+name, []byte("x"))
		}
		put(t, s, dir+"/5-0123456789abcdef.state", []byte("of a writer that was killed"))
		errs := fmt.Sprint(wantCheckpoints(t, s, len(names), c1))
		for _, name := range names {
			if !strings.Contains(errs, dir+"/"+name) {
				t.Errorf("%s is not named in %s", name, errs)
			}
		}
	})
}

func remove(t *testing.T, s *storage.Store, key string) {
	t.Helper()
	if err := s.Backend().Delete(t.Context(), key); err != nil {
		t.Fatal(err)
	}
}

// TestCheckpointRecordIsLast fails every write of a checkpoint in turn: unless
// all three are there, there is no checkpoint.
func TestCheckpointRecordIsLast(t *testing.T) {
	t.Parallel()
	for _, part := range []string{".safetensors", ".state", ".json"} {
		s := newStore(mem.WithFault(failOn(mem.OpPutIfAbsent, part, backend.ErrFull)))
		if _, err := s.PutCheckpoint(t.Context(), trialA, 1, 1, []byte("w"), []byte("s")); !errors.Is(err, backend.ErrFull) {
			t.Errorf("where %s does not fit: %v, want ErrFull", part, err)
		}
		wantCheckpoints(t, s, 0)
	}
}

// TestCheckpointsFaults has reads fail while checkpoints are listed: what cannot
// be read now is not corrupt, so the listing fails.
func TestCheckpointsFaults(t *testing.T) {
	t.Parallel()
	fault := errFault
	var part string
	s := newStore(mem.WithFault(func(op, key string) error {
		if op == mem.OpGet && part != "" && strings.Contains(key, part) {
			return fault
		}
		return nil
	}))
	c := putCheckpoint(t, s, 1, 0, 1, "1")
	part = ".json"
	if _, _, err := s.Checkpoints(t.Context(), trialA); !errors.Is(err, errFault) {
		t.Errorf("Checkpoints: %v, want the fault", err)
	}
	if _, err := s.PutCheckpoint(t.Context(), trialA, 1, 1, []byte("weights 1"), []byte("state 1")); !errors.Is(err, errFault) {
		t.Errorf("PutCheckpoint: %v, want the fault", err)
	}
	// A record that is deleted while it is listed was no checkpoint.
	fault = backend.ErrNotFound
	wantCheckpoints(t, s, 0)
	// An artifact that is not listed is asked for.
	part, fault = ".state", errFault
	remove(t, s, c.State.Key)
	if _, _, err := s.Checkpoints(t.Context(), trialA); !errors.Is(err, errFault) {
		t.Errorf("Checkpoints: %v, want the fault", err)
	}
}

// TestCheckpointDeletedWhileListed has another attempt delete a checkpoint, the
// record first, between its listing and the look at its weights.
func TestCheckpointDeletedWhileListed(t *testing.T) {
	t.Parallel()
	var s *storage.Store
	var doomed []string
	s = newStore(mem.WithFault(func(op, key string) error {
		if op != mem.OpGet || len(doomed) == 0 || key != doomed[0] {
			return nil
		}
		keys := doomed
		doomed = nil
		for _, key := range keys[1:] {
			remove(t, s, key)
		}
		return nil
	}))
	c := putCheckpoint(t, s, 1, 0, 1, "1")
	kept := putCheckpoint(t, s, 2, 0, 1, "2")
	// The state is missing from the listing, so it is asked for; at that moment
	// the record goes.
	remove(t, s, c.State.Key)
	doomed = []string{c.State.Key, storage.CheckpointRecordKey(trialA, 1, 1), c.Weights.Key}
	wantCheckpoints(t, s, 0, kept)
}

// Files that mean nothing to us are a checkpoint like any other.
func TestCheckpointFiles(t *testing.T) {
	t.Parallel()
	s := newStore()
	c1, err := s.PutCheckpointFiles(t.Context(), trialA, 3, 0, 1, strings.NewReader("a tar"), []byte("state"))
	if err != nil {
		t.Fatal(err)
	}
	c2, err := s.PutCheckpointFiles(t.Context(), trialA, 3, 20, 2, strings.NewReader("a tar"), []byte("state"))
	if err != nil {
		t.Fatal(err)
	}
	wantCheckpoints(t, s, 0, c2, c1)
	if want := storage.CheckpointDir(trialA) + "/3-" + c1.Weights.SHA256[:16] + ".tar"; c1.Weights.Key != want || c2.Weights != c1.Weights {
		t.Errorf("files are at %s and %s, want %s", c1.Weights.Key, c2.Weights.Key, want)
	}
	if _, err := s.PutCheckpointFiles(t.Context(), trialA, 3, 0, 1, strings.NewReader("other"), []byte("state")); !errors.Is(err, storage.ErrInvalid) {
		t.Errorf("other files for the same record: %v, want ErrInvalid", err)
	}
	var got strings.Builder
	if err := s.CopyArtifact(t.Context(), c1.Weights, &got); err != nil || got.String() != "a tar" {
		t.Errorf("CopyArtifact = %q, %v", got.String(), err)
	}
	for damage, says := range map[string]string{"a ta": "it has 4 bytes, not 5", "a tar!": "more than its 5 bytes", "b tar": "its SHA-256 is"} {
		put(t, s, c1.Weights.Key, []byte(damage))
		if err := s.CopyArtifact(t.Context(), c1.Weights, io.Discard); !errors.Is(err, storage.ErrCorrupt) || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %q", damage, err, says)
		}
	}
	put(t, s, c1.Weights.Key, []byte("a ta"))
	if _, err := s.PutArtifactFrom(t.Context(), storage.CheckpointDir(trialA), "3", "tar", strings.NewReader("a tar")); !errors.Is(err, storage.ErrCorrupt) {
		t.Errorf("over a damaged one: %v, want ErrCorrupt", err)
	}
}
