// Package mem keeps objects in memory, for tests: it passes the same conformance
// suite as the backends that last, and fails on demand ([WithFault]).
package mem

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/tenfold-ml/tenfold/storage/backend"
)

// Operations, as faults see them. GetRange is OpGet, too.
const (
	OpGet         = "get"
	OpPut         = "put"
	OpPutIfAbsent = "put_if_absent"
	OpList        = "list"
	OpDelete      = "delete"
)

// Option changes a backend.
type Option func(*Backend)

// WithFault has f called before each operation, with the key or prefix. The
// error that it returns becomes the operation's, which then has no effect. It is
// called concurrently.
func WithFault(f func(op, key string) error) Option {
	return func(b *Backend) { b.fault = f }
}

// WithLateFault has f called after each operation that changed something. The
// error that it returns becomes the operation's, as when the answer is lost on
// the way: what was done stays done. It is called concurrently.
func WithLateFault(f func(op, key string) error) Option {
	return func(b *Backend) { b.lateFault = f }
}

// Backend keeps objects in memory. Two of them share nothing.
type Backend struct {
	fault, lateFault func(op, key string) error

	mu      sync.RWMutex
	objects map[string][]byte // values are never changed
	below   map[string]int    // number of objects below a prefix
}

var _ backend.Backend = (*Backend)(nil)

// New makes an empty backend.
func New(opts ...Option) *Backend {
	never := func(string, string) error { return nil }
	b := &Backend{fault: never, lateFault: never, objects: map[string][]byte{}, below: map[string]int{}}
	for _, o := range opts {
		o(b)
	}
	return b
}

// String is "mem:".
func (b *Backend) String() string { return "mem:" }

// Get implements [backend.Backend].
func (b *Backend) Get(ctx context.Context, key string) (io.ReadCloser, error) {
	return b.GetRange(ctx, key, 0, -1)
}

// GetRange implements [backend.Backend].
func (b *Backend) GetRange(ctx context.Context, key string, off, n int64) (io.ReadCloser, error) {
	if err := b.begin(ctx, OpGet, key); err != nil {
		return nil, err
	}
	if off < 0 {
		return nil, fmt.Errorf("get %s: negative offset %d", key, off)
	}
	b.mu.RLock()
	data, ok := b.objects[key]
	b.mu.RUnlock()
	if !ok {
		return nil, fmt.Errorf("get %s: %w", key, backend.ErrNotFound)
	}
	data = data[min(off, int64(len(data))):]
	if n >= 0 {
		data = data[:min(n, int64(len(data)))]
	}
	return io.NopCloser(bytes.NewReader(data)), nil
}

// Put implements [backend.Backend].
func (b *Backend) Put(ctx context.Context, key string, r io.Reader) error {
	return b.put(ctx, OpPut, key, r)
}

// PutIfAbsent implements [backend.Backend].
func (b *Backend) PutIfAbsent(ctx context.Context, key string, r io.Reader) error {
	return b.put(ctx, OpPutIfAbsent, key, r)
}

func (b *Backend) put(ctx context.Context, op, key string, r io.Reader) error {
	if err := b.begin(ctx, op, key); err != nil {
		return err
	}
	data, err := io.ReadAll(r)
	if err != nil {
		return fmt.Errorf("put %s: read what to write: %w", key, err)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("put %s: %w", key, err)
	}
	if err := b.store(op, key, data); err != nil {
		return fmt.Errorf("put %s: %w", key, err)
	}
	return b.end(op, key)
}

func (b *Backend) store(op, key string, data []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, exists := b.objects[key]
	if exists && op == OpPutIfAbsent {
		return backend.ErrExists
	}
	if b.below[key] > 0 {
		return fmt.Errorf("%w: other objects are below it", backend.ErrBadKey)
	}
	for p := range prefixes(key) {
		if _, ok := b.objects[p]; ok {
			return fmt.Errorf("%w: there is an object %s", backend.ErrBadKey, p)
		}
	}
	if !exists {
		for p := range prefixes(key) {
			b.below[p]++
		}
	}
	b.objects[key] = data
	return nil
}

// List implements [backend.Backend]. It is a snapshot.
func (b *Backend) List(ctx context.Context, prefix string) iter.Seq2[backend.Object, error] {
	return func(yield func(backend.Object, error) bool) {
		objects, err := b.list(ctx, prefix)
		if err != nil {
			yield(backend.Object{}, err)
			return
		}
		for _, o := range objects {
			if err := ctx.Err(); err != nil {
				yield(backend.Object{}, fmt.Errorf("list %s: %w", prefix, err))
				return
			}
			if !yield(o, nil) {
				return
			}
		}
	}
}

func (b *Backend) list(ctx context.Context, prefix string) ([]backend.Object, error) {
	prefix, err := backend.CleanPrefix(prefix)
	if err != nil {
		return nil, fmt.Errorf("list: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("list %s: %w", prefix, err)
	}
	if err := b.fault(OpList, prefix); err != nil {
		return nil, fmt.Errorf("list %s: %w", prefix, err)
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	var objects []backend.Object
	for _, key := range slices.Sorted(maps.Keys(b.objects)) {
		if prefix == "" || strings.HasPrefix(key, prefix+"/") {
			objects = append(objects, backend.Object{Key: key, Size: int64(len(b.objects[key]))})
		}
	}
	return objects, nil
}

// Delete implements [backend.Backend].
func (b *Backend) Delete(ctx context.Context, key string) error {
	if err := b.begin(ctx, OpDelete, key); err != nil {
		return err
	}
	b.mu.Lock()
	if _, ok := b.objects[key]; ok {
		delete(b.objects, key)
		for p := range prefixes(key) {
			if b.below[p]--; b.below[p] == 0 {
				delete(b.below, p)
			}
		}
	}
	b.mu.Unlock()
	return b.end(OpDelete, key)
}

func (b *Backend) begin(ctx context.Context, op, key string) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s %s: %w", op, key, err)
	}
	if err := backend.CheckKey(key); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	if err := b.fault(op, key); err != nil {
		return fmt.Errorf("%s %s: %w", op, key, err)
	}
	return nil
}

func (b *Backend) end(op, key string) error {
	if err := b.lateFault(op, key); err != nil {
		return fmt.Errorf("%s %s: %w", op, key, err)
	}
	return nil
}

// prefixes yields every prefix of key that ends before a '/'.
func prefixes(key string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := range len(key) {
			if key[i] == '/' && !yield(key[:i]) {
				return
			}
		}
	}
}
