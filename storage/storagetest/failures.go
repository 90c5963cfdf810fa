package storagetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/tenfold-ml/tenfold/storage/backend"
)

// writers are the two ways to write.
func writers(b backend.Backend) map[string]func(context.Context, string, io.Reader) error {
	return map[string]func(context.Context, string, io.Reader) error{
		"Put": b.Put, "PutIfAbsent": b.PutIfAbsent,
	}
}

// testFailingSource writes from sources that fail half-way.
func testFailingSource(t *testing.T, b backend.Backend) {
	mustPut(t, b, "f/there", []byte("before"))
	broken := errors.New("broken source")
	for name, write := range writers(b) {
		for _, n := range []int{0, 1, 100_000, 3 << 20} {
			half := io.MultiReader(bytes.NewReader(make([]byte, n)), iotest.ErrReader(broken))
			key := fmt.Sprintf("f/%s-%d", name, n)
			wantError(t, name, write(t.Context(), key, half), broken)
			wantAbsent(t, b, key)
		}
		wantError(t, name, write(t.Context(), "f/new/"+name, writesAndFails{broken}), broken)
	}
	wantError(t, "Put over an object", b.Put(t.Context(), "f/there", writesAndFails{broken}), broken)
	wantObject(t, b, "f/there", []byte("before"))
	wantKeys(t, b, "", "f/there")
	// What failed can be done again.
	if err := b.PutIfAbsent(t.Context(), "f/new/Put", strings.NewReader("now")); err != nil {
		t.Errorf("PutIfAbsent after a failure: %v", err)
	}
}

// writesAndFails is a source of the kind that writes itself.
type writesAndFails struct{ err error }

func (s writesAndFails) Read([]byte) (int, error) { return 0, s.err }

func (s writesAndFails) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write([]byte("some of it"))
	return int64(n), errors.Join(err, s.err)
}

func testCancelledBefore(t *testing.T, b backend.Backend) {
	mustPut(t, b, "c/there", []byte("before"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, write := range writers(b) {
		wantError(t, name, write(ctx, "c/new", strings.NewReader("x")), context.Canceled)
	}
	wantError(t, "Put over an object", b.Put(ctx, "c/there", strings.NewReader("x")), context.Canceled)
	wantError(t, "Delete", b.Delete(ctx, "c/there"), context.Canceled)
	_, err := b.Get(ctx, "c/there")
	wantError(t, "Get", err, context.Canceled)
	_, err = b.GetRange(ctx, "c/there", 0, 1)
	wantError(t, "GetRange", err, context.Canceled)
	wantError(t, "List", listError(ctx, b, ""), context.Canceled)
	wantObject(t, b, "c/there", []byte("before"))
	wantKeys(t, b, "", "c/there")
}

// testCancelledWhileWriting cancels from inside the source, so that the end of
// the context always falls between the first byte and the last.
func testCancelledWhileWriting(t *testing.T, b backend.Backend) {
	mustPut(t, b, "c/there", []byte("before"))
	for name, write := range writers(b) {
		for _, key := range []string{"c/new", "c/there"} {
			if name == "PutIfAbsent" && key == "c/there" {
				continue // it need not read the source to know
			}
			ctx, cancel := context.WithCancel(t.Context())
			source := io.MultiReader(strings.NewReader("some"), callReader(cancel), strings.NewReader("more"))
			wantError(t, name, write(ctx, key, source), context.Canceled)
			cancel()
		}
	}
	wantObject(t, b, "c/there", []byte("before"))
	wantKeys(t, b, "", "c/there")

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for _, err := range b.List(ctx, "") {
		if err != nil {
			t.Errorf("List: %v", err)
		}
		cancel() // after the last object there is nothing left to refuse
	}
}

// callReader is an empty source that calls a function.
type callReader func()

func (f callReader) Read([]byte) (int, error) {
	f()
	return 0, io.EOF
}

// testUnderWay looks at the store while a write waits for the rest of its source.
func testUnderWay(t *testing.T, b backend.Backend) {
	mustPut(t, b, "u/there", []byte("before"))
	for name, write := range writers(b) {
		r, w := io.Pipe()
		done := make(chan error, 1)
		key := "u/" + name
		go func() { done <- write(t.Context(), key, r) }()
		if _, err := w.Write(bytes.Repeat([]byte("x"), 100_000)); err != nil {
			t.Fatalf("write: %v", err)
		}
		wantAbsent(t, b, key)
		wantKeys(t, b, "", "u/there")
		if err := w.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		if err := <-done; err != nil {
			t.Errorf("%s: %v", name, err)
		}
		wantObject(t, b, key, bytes.Repeat([]byte("x"), 100_000))
		if err := b.Delete(t.Context(), key); err != nil {
			t.Errorf("Delete: %v", err)
		}
	}
}
