package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// errStalled: nothing came or went for too long.
var errStalled = errors.New("the server has stalled")

// watched is an HTTP client that gives up a request when no byte of it, or of its
// answer, has moved for a while. A limit on the whole request would be too long for
// a small object or too short for a large one.
type watched struct {
	client aws.HTTPClient
	after  time.Duration
}

// Do implements [aws.HTTPClient].
func (w *watched) Do(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(r.Context())
	watch := &watch{after: w.after, cancel: cancel}
	watch.timer = time.AfterFunc(w.after, watch.stall)
	r = r.WithContext(ctx)
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = &watchedBody{ReadCloser: r.Body, watch: watch, sending: true}
	}
	response, err := w.client.Do(r)
	if err != nil {
		watch.end()
		return nil, watch.explain(err)
	}
	watch.answered.Store(true)
	watch.timer.Stop()
	response.Body = &watchedBody{ReadCloser: response.Body, watch: watch}
	return response, nil
}

// watch is the timer of one request.
type watch struct {
	after    time.Duration
	timer    *time.Timer
	cancel   context.CancelFunc
	answered atomic.Bool
	stalled  atomic.Bool
}

func (w *watch) stall() {
	w.stalled.Store(true)
	w.cancel()
}

func (w *watch) end() {
	w.timer.Stop()
	w.cancel()
}

// explain replaces the error of a request that this watch has cancelled, which to the
// SDK would look as if the caller had.
func (w *watch) explain(err error) error {
	if err != nil && !errors.Is(err, io.EOF) && w.stalled.Load() {
		return fmt.Errorf("%w for %v", errStalled, w.after)
	}
	return err
}

// watchedBody is what is sent, or what comes back. While something is sent the timer
// runs on between reads, since the connection is what takes the time; of an answer it
// runs only within them, since a reader may take its time.
type watchedBody struct {
	io.ReadCloser
	watch   *watch
	sending bool
}

// Read implements [io.Reader].
func (b *watchedBody) Read(p []byte) (int, error) {
	if b.sending {
		n, err := b.ReadCloser.Read(p)
		if !b.watch.answered.Load() {
			b.watch.timer.Reset(b.watch.after)
		}
		return n, err
	}
	b.watch.timer.Reset(b.watch.after)
	n, err := b.ReadCloser.Read(p)
	b.watch.timer.Stop()
	return n, b.watch.explain(err)
}

// Close implements [io.Closer].
func (b *watchedBody) Close() error {
	err := b.ReadCloser.Close()
	if !b.sending {
		b.watch.end()
	}
	return err
}
