package storagetest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/tenfold-ml/tenfold/storage/backend"
)

// Run runs the suite on the backends that open makes, empty and one for each test;
// what has to be cleaned up goes to t.Cleanup. The tests run in parallel
// and take some seconds where a write takes a millisecond.
func Run(t *testing.T, open func(t *testing.T) backend.Backend) {
	t.Helper()
	RunRounds(t, winnerRounds, open)
}

// RunRounds is Run with another number of rounds in which many commit one key: 200 find a
// backend that looks and then writes, and fewer do for one that is found sound and is
// only slower here.
func RunRounds(t *testing.T, rounds int, open func(t *testing.T) backend.Backend) {
	t.Helper()
	for _, test := range []struct {
		name string
		run  func(*testing.T, backend.Backend)
	}{
		{"get what was put", testRoundTrip},
		{"ranges", testRanges},
		{"not found", testNotFound},
		{"put replaces, put if absent does not", testReplace},
		{"delete", testDelete},
		{"bad keys", testBadKeys},
		{"odd keys", testOddKeys},
		{"a key is no prefix of another", testPrefixConflict},
		{"list in order", testListOrder},
		{"list below a prefix", testListPrefix},
		{"list stops early", testListStops},
		{"list beside writers", testListBesideWriters},
		{"a write under way shows nowhere", testUnderWay},
		{"a reader that fails leaves nothing", testFailingSource},
		{"cancelled before", testCancelledBefore},
		{"cancelled while writing", testCancelledWhileWriting},
		{"one winner", func(t *testing.T, b backend.Backend) { testOneWinner(t, rounds, b) }},
		{"late losers", testLateLosers},
		{"no torn reads", testTornReads},
		{"an open reader keeps its version", testOpenReader},
		{"everything at once", testEverythingAtOnce},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, open(t))
		})
	}
}

func mustPut(t *testing.T, b backend.Backend, key string, data []byte) {
	t.Helper()
	if err := b.Put(t.Context(), key, bytes.NewReader(data)); err != nil {
		t.Fatalf("Put(%s): %v", key, err)
	}
}

// get reads an object whole.
func get(ctx context.Context, b backend.Backend, key string) ([]byte, error) {
	r, err := b.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(r)
	return data, errors.Join(err, r.Close())
}

func wantObject(t *testing.T, b backend.Backend, key string, want []byte) {
	t.Helper()
	got, err := get(t.Context(), b, key)
	if err != nil {
		t.Errorf("Get(%s): %v", key, err)
		return
	}
	if !bytes.Equal(got, want) {
		t.Errorf("Get(%s) has %d bytes %.40q, want %d bytes %.40q", key, len(got), got, len(want), want)
	}
}

func wantAbsent(t *testing.T, b backend.Backend, key string) {
	t.Helper()
	if data, err := get(t.Context(), b, key); !errors.Is(err, backend.ErrNotFound) {
		t.Errorf("Get(%s) = %.40q, %v, want ErrNotFound", key, data, err)
	}
}

func wantError(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: error %v, want one that is %q", what, err, want)
	}
}

// list returns the listed objects; an error ends the test.
func list(t *testing.T, b backend.Backend, prefix string) []backend.Object {
	t.Helper()
	var objects []backend.Object
	for o, err := range b.List(t.Context(), prefix) {
		if err != nil {
			t.Fatalf("List(%q): %v", prefix, err)
		}
		objects = append(objects, o)
	}
	return objects
}

func wantKeys(t *testing.T, b backend.Backend, prefix string, want ...string) {
	t.Helper()
	var keys []string
	for _, o := range list(t, b, prefix) {
		keys = append(keys, o.Key)
	}
	if got, want := strings.Join(keys, " "), strings.Join(want, " "); got != want {
		t.Errorf("List(%q) = %s\nwant %s", prefix, got, want)
	}
}
