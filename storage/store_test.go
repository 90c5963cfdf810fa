package storage_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"github.com/tenfold-ml/tenfold/storage"
	"github.com/tenfold-ml/tenfold/storage/backend"
	"github.com/tenfold-ml/tenfold/storage/mem"
	"github.com/tenfold-ml/tenfold/sweeps"
)

// corruptions turn good bytes into what a disk, an editor or a broken copy may
// leave of them. None is valid JSON of the same content.
var corruptions = map[string]func([]byte) []byte{
	"empty":     func([]byte) []byte { return nil },
	"truncated": func(b []byte) []byte { return b[:len(b)/2] },
	"zeros":     func(b []byte) []byte { return make([]byte, len(b)) },
	"appended":  func(b []byte) []byte { return append(bytes.Clone(b), b...) },
	"text":      func([]byte) []byte { return []byte("<html>503</html>\n") },
	"null":      func([]byte) []byte { return []byte("null\n") },
	"list":      func([]byte) []byte { return []byte("[1]\n") },
	"other":     func([]byte) []byte { return []byte(`{"version":1}` + "\n") },
}

// wantCorrupt checks that err is ErrCorrupt and names the key.
func wantCorrupt(t *testing.T, what, key string, err error) {
	t.Helper()
	if !errors.Is(err, storage.ErrCorrupt) || !strings.Contains(err.Error(), key) {
		t.Errorf("%s: error %v, want ErrCorrupt with %s", what, err, key)
	}
}

func put(t *testing.T, s *storage.Store, key string, data []byte) {
	t.Helper()
	if err := s.PutAll(t.Context(), key, data); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, s *storage.Store, key string) []byte {
	t.Helper()
	b, err := s.ReadAll(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func newStore(opts ...mem.Option) *storage.Store { return storage.New(mem.New(opts...)) }

func TestReadJSON(t *testing.T) {
	t.Parallel()
	s := newStore()
	var v struct{ A int }
	if err := s.ReadJSON(t.Context(), "none", &v); !errors.Is(err, backend.ErrNotFound) {
		t.Errorf("ReadJSON of nothing: %v", err)
	}
	put(t, s, "x/good.json", []byte(` {"a": 3, "b": 4} `))
	if err := s.ReadJSON(t.Context(), "x/good.json", &v); err != nil || v.A != 3 {
		t.Errorf("ReadJSON = %v, %v", v, err)
	}
	for _, text := range []string{"", " \n", "{", `{"a":"x"}`, `{"a":1} {"a":2}`, "\x00\x00"} {
		put(t, s, "x/bad.json", []byte(text))
		wantCorrupt(t, text, "x/bad.json", s.ReadJSON(t.Context(), "x/bad.json", &v))
	}
}

func TestPutAllIfAbsent(t *testing.T) {
	t.Parallel()
	s := newStore()
	for i, want := range []bool{true, false, false} {
		created, err := s.PutAllIfAbsent(t.Context(), "k", []byte{byte(i)})
		if err != nil || created != want {
			t.Errorf("call %d: created %v, %v", i, created, err)
		}
	}
	if got := read(t, s, "k"); !bytes.Equal(got, []byte{0}) {
		t.Errorf("the object is %v, not the first one's", got)
	}
	if _, err := s.PutAllIfAbsent(t.Context(), "k/below", nil); !errors.Is(err, backend.ErrBadKey) {
		t.Errorf("below an object: %v, want ErrBadKey", err)
	}
}

func TestArtifacts(t *testing.T) {
	t.Parallel()
	for _, data := range [][]byte{nil, {1}, []byte("predictions"), bytes.Repeat([]byte("0123456789"), 100_000)} {
		s := newStore()
		sum := sha256.Sum256(data)
		want := sweeps.Artifact{
			Key:    "dir/sub/name-" + hex.EncodeToString(sum[:8]) + ".npy",
			SHA256: hex.EncodeToString(sum[:]), Bytes: int64(len(data)),
		}
		for range 2 { // writing again is harmless
			a, err := s.PutArtifact(t.Context(), "dir/sub", "name", "npy", data)
			if err != nil || a != want {
				t.Errorf("PutArtifact = %v, %v, want %v", a, err, want)
			}
		}
		got, err := s.ReadArtifact(t.Context(), want)
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("ReadArtifact has %d bytes, %v, want %d", len(got), err, len(data))
		}
		if err := s.VerifyArtifact(t.Context(), want); err != nil {
			t.Errorf("VerifyArtifact: %v", err)
		}
		if len(data) == 0 {
			continue
		}
		for name, damage := range corruptions {
			bad := damage(data)
			if bytes.Equal(bad, data) {
				continue
			}
			put(t, s, want.Key, bad)
			_, err := s.ReadArtifact(t.Context(), want)
			wantCorrupt(t, "ReadArtifact, "+name, want.Key, err)
			wantCorrupt(t, "VerifyArtifact, "+name, want.Key, s.VerifyArtifact(t.Context(), want))
			if len(bad) != len(data) {
				_, err = s.PutArtifact(t.Context(), "dir/sub", "name", "npy", data)
				wantCorrupt(t, "PutArtifact over "+name, want.Key, err)
			}
			if got := read(t, s, want.Key); !bytes.Equal(got, bad) {
				t.Errorf("%s: PutArtifact has overwritten something", name)
			}
		}
	}
}

func TestReadArtifactRefuses(t *testing.T) {
	t.Parallel()
	s := newStore()
	good, err := s.PutArtifact(t.Context(), "d", "n", "x", []byte("abc"))
	if err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string]func(*sweeps.Artifact){
		"no key":        func(a *sweeps.Artifact) { a.Key = "" },
		"bad key":       func(a *sweeps.Artifact) { a.Key = "../x" },
		"short hash":    func(a *sweeps.Artifact) { a.SHA256 = a.SHA256[1:] },
		"upper case":    func(a *sweeps.Artifact) { a.SHA256 = strings.ToUpper(a.SHA256) },
		"negative size": func(a *sweeps.Artifact) { a.Bytes = -1 },
	} {
		a := good
		change(&a)
		if _, err := s.ReadArtifact(t.Context(), a); !errors.Is(err, storage.ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", what, err)
		}
	}
	gone := good
	gone.Key = "d/gone"
	if _, err := s.ReadArtifact(t.Context(), gone); !errors.Is(err, backend.ErrNotFound) || !strings.Contains(err.Error(), "d/gone") {
		t.Errorf("no object: %v, want ErrNotFound with its key", err)
	}
	// A record that is damaged may claim any size; it must not cost the memory.
	huge := good
	huge.Bytes = 1 << 60
	_, err = s.ReadArtifact(t.Context(), huge)
	wantCorrupt(t, "a size of 2^60", good.Key, err)
}

// TestArtifactRace has many write the same artifact at once.
func TestArtifactRace(t *testing.T) {
	t.Parallel()
	s, err := storage.Open(t.Context(), "file:"+t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	data := bytes.Repeat([]byte("w"), 50_000)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			a, err := s.PutArtifact(t.Context(), "d", "n", "x", data)
			if err != nil {
				t.Error(err)
				return
			}
			if b, err := s.ReadArtifact(t.Context(), a); err != nil || !bytes.Equal(b, data) {
				t.Errorf("ReadArtifact has %d bytes, %v", len(b), err)
			}
		})
	}
	wg.Wait()
}

// TestArtifactDeletedMeanwhile has an artifact that was there vanish before it
// is looked at: then it is written.
func TestArtifactDeletedMeanwhile(t *testing.T) {
	t.Parallel()
	var gone atomic.Bool
	s := newStore(mem.WithFault(func(op, _ string) error {
		if op == mem.OpPutIfAbsent && gone.CompareAndSwap(false, true) {
			return backend.ErrExists // and the object is not there any more
		}
		return nil
	}))
	a, err := s.PutArtifact(t.Context(), "d", "n", "x", []byte("abc"))
	if err != nil {
		t.Fatal(err)
	}
	if b, err := s.ReadArtifact(t.Context(), a); err != nil || string(b) != "abc" {
		t.Errorf("ReadArtifact = %q, %v", b, err)
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	s := newStore()
	for _, text := range []string{"{}\n", "{}\n{}\n"} {
		if err := s.PutMetrics(t.Context(), trialA, 2, strings.NewReader(text)); err != nil {
			t.Error(err)
		}
		if got := string(read(t, s, storage.MetricsKey(trialA, 2))); got != text {
			t.Errorf("the metrics are %q, want %q", got, text)
		}
	}
	broken := errors.New("broken pipe")
	if err := s.PutMetrics(t.Context(), trialA, 2, io.MultiReader(strings.NewReader("{"), iotest.ErrReader(broken))); !errors.Is(err, broken) {
		t.Errorf("PutMetrics from a broken source: %v", err)
	}
	if got := string(read(t, s, storage.MetricsKey(trialA, 2))); got != "{}\n{}\n" {
		t.Errorf("the metrics are %q", got)
	}
	for id, attempt := range map[sweeps.TrialID]int{"": 1, "../../etc": 1, "00112233445566AA": 1, trialA: 0, trialB: -1} {
		if err := s.PutMetrics(t.Context(), id, attempt, strings.NewReader("")); !errors.Is(err, storage.ErrInvalid) {
			t.Errorf("PutMetrics of trial %q, attempt %d: %v, want ErrInvalid", id, attempt, err)
		}
	}
}

// failOn makes a fault that fails one operation on keys that contain part.
func failOn(op, part string, err error) func(string, string) error {
	return func(o, key string) error {
		if o == op && strings.Contains(key, part) {
			return err
		}
		return nil
	}
}

var errFault = errors.New("injected fault")

// TestFaultsPassThrough checks that a failing backend fails every call and is
// never mistaken for a missing or damaged object.
func TestFaultsPassThrough(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	good := newStore()
	a, err := good.PutArtifact(ctx, "d", "n", "x", []byte("abc"))
	if err != nil {
		t.Fatal(err)
	}
	trial, id := testTrial(t)
	for op, calls := range map[string]map[string]func(*storage.Store) error{
		mem.OpGet: {
			"ReadAll":      func(s *storage.Store) error { _, err := s.ReadAll(ctx, "k"); return err },
			"ReadJSON":     func(s *storage.Store) error { var v any; return s.ReadJSON(ctx, "k", &v) },
			"ReadArtifact": func(s *storage.Store) error { _, err := s.ReadArtifact(ctx, a); return err },
			"Trial":        func(s *storage.Store) error { _, err := s.Trial(ctx, id); return err },
			"Result":       func(s *storage.Store) error { _, err := s.Result(ctx, id, 20); return err },
		},
		mem.OpPut: {
			"PutAll":     func(s *storage.Store) error { return s.PutAll(ctx, "k", nil) },
			"PutMetrics": func(s *storage.Store) error { return s.PutMetrics(ctx, id, 1, strings.NewReader("")) },
		},
		mem.OpPutIfAbsent: {
			"PutAllIfAbsent": func(s *storage.Store) error { _, err := s.PutAllIfAbsent(ctx, "k", nil); return err },
			"PutArtifact":    func(s *storage.Store) error { _, err := s.PutArtifact(ctx, "d", "n", "x", nil); return err },
			"PutTrial":       func(s *storage.Store) error { return s.PutTrial(ctx, id, trial) },
			"PutCheckpoint":  func(s *storage.Store) error { _, err := s.PutCheckpoint(ctx, id, 1, 1, nil, nil); return err },
			"CommitResult":   func(s *storage.Store) error { _, _, err := s.CommitResult(ctx, testResult()); return err },
		},
		mem.OpList: {
			"Checkpoints": func(s *storage.Store) error { _, _, err := s.Checkpoints(ctx, id); return err },
		},
	} {
		for name, call := range calls {
			err := call(newStore(mem.WithFault(failOn(op, "", errFault))))
			if !errors.Is(err, errFault) || errors.Is(err, storage.ErrCorrupt) || errors.Is(err, backend.ErrNotFound) {
				t.Errorf("%s where %s fails: %v, want the injected fault", name, op, err)
			}
		}
	}
}
