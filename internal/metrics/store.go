package metrics

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tenfold-ml/tenfold/storage/backend"
)

// Backend is another one that is timed. That there is no such object, or that there is
// one already, is an answer and no failure; neither is a call that its caller gave up.
func (m *Metrics) Backend(of backend.Backend) backend.Backend { return store{of, m} }

type store struct {
	backend.Backend
	metrics *Metrics
}

// done takes note of an operation's end.
func (s store) done(ctx context.Context, operation string, began time.Time, err error) {
	if errors.Is(err, context.Canceled) || ctx.Err() != nil && errors.Is(ctx.Err(), context.Canceled) {
		return
	}
	s.metrics.storeTime.WithLabelValues(operation).Observe(time.Since(began).Seconds())
	if class := failure(err); class != "" {
		s.metrics.storeFailed.WithLabelValues(operation, class).Inc()
	}
}

// failure is the class of an error, empty if it is none.
func failure(err error) string {
	switch {
	case err == nil, errors.Is(err, io.EOF), errors.Is(err, backend.ErrNotFound), errors.Is(err, backend.ErrExists):
		return ""
	case errors.Is(err, backend.ErrFull):
		return "full"
	case errors.Is(err, backend.ErrPermission):
		return "permission"
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	}
	return "other"
}

// Get implements backend.Backend.
func (s store) Get(ctx context.Context, key string) (io.ReadCloser, error) {
	return s.read(ctx, "get", func() (io.ReadCloser, error) { return s.Backend.Get(ctx, key) })
}

// GetRange implements backend.Backend.
func (s store) GetRange(ctx context.Context, key string, off, n int64) (io.ReadCloser, error) {
	return s.read(ctx, "get_range", func() (io.ReadCloser, error) { return s.Backend.GetRange(ctx, key, off, n) })
}

func (s store) read(ctx context.Context, operation string, open func() (io.ReadCloser, error)) (io.ReadCloser, error) {
	began := time.Now()
	r, err := open()
	if err != nil {
		s.done(ctx, operation, began, err)
		return nil, err
	}
	return &reader{ReadCloser: r, bytes: s.metrics.storeBytes.WithLabelValues(operation),
		done: func(err error) { s.done(ctx, operation, began, err) }}, nil
}

// reader is an object that is being read.
type reader struct {
	io.ReadCloser
	bytes  prometheus.Counter
	done   func(error)
	failed error
	closed bool
}

func (r *reader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	r.bytes.Add(float64(n))
	if err != nil {
		r.failed = err
	}
	return n, err
}

func (r *reader) Close() error {
	err := r.ReadCloser.Close()
	if !r.closed {
		r.closed = true
		r.done(errors.Join(r.failed, err))
	}
	return err
}

// Put implements backend.Backend.
func (s store) Put(ctx context.Context, key string, r io.Reader) error {
	return s.write(ctx, "put", r, func(r io.Reader) error { return s.Backend.Put(ctx, key, r) })
}

// PutIfAbsent implements backend.Backend.
func (s store) PutIfAbsent(ctx context.Context, key string, r io.Reader) error {
	return s.write(ctx, "put_if_absent", r, func(r io.Reader) error { return s.Backend.PutIfAbsent(ctx, key, r) })
}

// write hands the reader on as it is: a backend may look at what else it can do.
func (s store) write(ctx context.Context, operation string, r io.Reader, put func(io.Reader) error) error {
	size := int64(0)
	if sized, ok := r.(interface{ Len() int }); ok {
		size = int64(sized.Len())
	}
	began := time.Now()
	err := put(r)
	s.done(ctx, operation, began, err)
	if err == nil {
		s.metrics.storeBytes.WithLabelValues(operation).Add(float64(size))
	}
	return err
}

// List implements backend.Backend.
func (s store) List(ctx context.Context, prefix string) iter.Seq2[backend.Object, error] {
	return func(yield func(backend.Object, error) bool) {
		began := time.Now()
		var failed error
		defer func() { s.done(ctx, "list", began, failed) }()
		for o, err := range s.Backend.List(ctx, prefix) {
			failed = err
			if !yield(o, err) {
				return
			}
		}
	}
}

// Delete implements backend.Backend.
func (s store) Delete(ctx context.Context, key string) error {
	began := time.Now()
	err := s.Backend.Delete(ctx, key)
	s.done(ctx, "delete", began, err)
	return err
}
