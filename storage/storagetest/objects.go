package storagetest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/tenfold-ml/tenfold/storage/backend"
)

func testRoundTrip(t *testing.T, b backend.Backend) {
	large := make([]byte, 8<<20)
	for i := range large {
		large[i] = byte(i ^ i>>8 ^ i>>16)
	}
	for name, data := range map[string][]byte{
		"empty": {},
		"byte":  {0},
		"text":  []byte("the quick brown fox\r\n\x00"),
		"large": large,
	} {
		// Sources that write themselves and sources that are read take two ways
		// through io.Copy.
		mustPut(t, b, "whole/"+name, data)
		wantObject(t, b, "whole/"+name, data)
		if err := b.PutIfAbsent(t.Context(), "once/"+name, bytes.NewReader(data)); err != nil {
			t.Errorf("PutIfAbsent(%s): %v", name, err)
		}
		wantObject(t, b, "once/"+name, data)
		if err := b.Put(t.Context(), "read/"+name, io.MultiReader(bytes.NewReader(data[:len(data)/3]), bytes.NewReader(data[len(data)/3:]))); err != nil {
			t.Errorf("Put(%s) from a plain reader: %v", name, err)
		}
		wantObject(t, b, "read/"+name, data)
	}
	for _, o := range list(t, b, "read") {
		if want := map[string]int64{"read/empty": 0, "read/byte": 1, "read/text": 22, "read/large": 8 << 20}[o.Key]; o.Size != want {
			t.Errorf("%s is listed with %d bytes, want %d", o.Key, o.Size, want)
		}
	}
	if b.String() == "" {
		t.Error("String is empty: messages cannot name the store")
	}
}

func testRanges(t *testing.T, b backend.Backend) {
	mustPut(t, b, "a/alphabet", []byte("abcdefghij"))
	mustPut(t, b, "a/empty", nil)
	for _, test := range []struct {
		key    string
		off, n int64
		want   string
	}{
		{"a/alphabet", 0, -1, "abcdefghij"},
		{"a/alphabet", 0, 10, "abcdefghij"},
		{"a/alphabet", 0, 0, ""},
		{"a/alphabet", 0, 1, "a"},
		{"a/alphabet", 3, 4, "defg"},
		{"a/alphabet", 9, 1, "j"},
		{"a/alphabet", 3, -1, "defghij"},
		{"a/alphabet", 8, 5, "ij"},
		{"a/alphabet", 8, math.MaxInt64, "ij"},
		{"a/alphabet", 10, 3, ""},
		{"a/alphabet", 10, -1, ""},
		{"a/alphabet", 99, 3, ""},
		{"a/alphabet", 99, -1, ""},
		{"a/empty", 0, -1, ""},
		{"a/empty", 0, 2, ""},
	} {
		what := fmt.Sprintf("GetRange(%s, %d, %d)", test.key, test.off, test.n)
		r, err := b.GetRange(t.Context(), test.key, test.off, test.n)
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		got, err := io.ReadAll(r)
		if err := errors.Join(err, r.Close()); err != nil || string(got) != test.want {
			t.Errorf("%s = %q, %v, want %q", what, got, err, test.want)
		}
	}
	if _, err := b.GetRange(t.Context(), "a/alphabet", -1, 1); err == nil {
		t.Error("GetRange from a negative offset gave no error")
	}
	_, err := b.GetRange(t.Context(), "a/none", 0, 1)
	wantError(t, "GetRange of no object", err, backend.ErrNotFound)
}

func testNotFound(t *testing.T, b backend.Backend) {
	mustPut(t, b, "folder/object", []byte("x"))
	for _, key := range []string{"none", "folder", "folder/none", "folder/object/below", "none/none"} {
		wantAbsent(t, b, key)
		if _, err := b.Get(t.Context(), key); err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("Get(%s): the error %v does not name the key", key, err)
		}
	}
}

func testReplace(t *testing.T, b backend.Backend) {
	mustPut(t, b, "k/1", []byte("first, and longer"))
	mustPut(t, b, "k/1", []byte("second"))
	wantObject(t, b, "k/1", []byte("second"))
	err := b.PutIfAbsent(t.Context(), "k/1", strings.NewReader("third"))
	wantError(t, "PutIfAbsent of what is there", err, backend.ErrExists)
	wantObject(t, b, "k/1", []byte("second"))
}

func testDelete(t *testing.T, b backend.Backend) {
	mustPut(t, b, "d/1", []byte("1"))
	mustPut(t, b, "d/2", []byte("2"))
	for range 2 { // the second time there is nothing
		if err := b.Delete(t.Context(), "d/1"); err != nil {
			t.Errorf("Delete: %v", err)
		}
		wantAbsent(t, b, "d/1")
	}
	for _, key := range []string{"d", "d/2/below", "none/none"} {
		if err := b.Delete(t.Context(), key); err != nil {
			t.Errorf("Delete(%s), which is no object: %v", key, err)
		}
	}
	wantKeys(t, b, "", "d/2")
	if err := b.PutIfAbsent(t.Context(), "d/1", strings.NewReader("again")); err != nil {
		t.Errorf("PutIfAbsent after Delete: %v", err)
	}
	wantObject(t, b, "d/1", []byte("again"))
	// A folder whose objects are all gone is no object either way.
	for _, key := range []string{"d/1", "d/2", "d"} {
		if err := b.Delete(t.Context(), key); err != nil {
			t.Errorf("Delete(%s): %v", key, err)
		}
	}
	wantKeys(t, b, "")
	mustPut(t, b, "d/3", []byte("3"))
	wantObject(t, b, "d/3", []byte("3"))
}

func testOpenReader(t *testing.T, b backend.Backend) {
	old, changed := bytes.Repeat([]byte("o"), 1<<20), bytes.Repeat([]byte("n"), 1<<20+7)
	mustPut(t, b, "v/1", old)
	mustPut(t, b, "v/2", old)
	var readers [2]io.ReadCloser
	for i, key := range []string{"v/1", "v/2"} {
		r, err := b.Get(t.Context(), key)
		if err != nil {
			t.Fatalf("Get: %v", err)
		}
		readers[i] = r
	}
	mustPut(t, b, "v/1", changed)
	if err := b.Delete(t.Context(), "v/2"); err != nil {
		t.Errorf("Delete: %v", err)
	}
	for i, r := range readers {
		got, err := io.ReadAll(r)
		if err := errors.Join(err, r.Close()); err != nil || !bytes.Equal(got, old) {
			t.Errorf("reader %d, opened before the change, got %d bytes %.10q…, %v", i, len(got), got, err)
		}
	}
	wantObject(t, b, "v/1", changed)
}
