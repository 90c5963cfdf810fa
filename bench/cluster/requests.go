//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// requests counts what is sent to Nomad, by what it is for.
type requests struct {
	mu         sync.Mutex
	kinds      map[string]int
	seconds    map[int64]int        // requests of each second of the clock
	registered map[string]time.Time // when each job was first registered, by its ID
}

func newRequests() *requests {
	return &requests{kinds: map[string]int{}, seconds: map[int64]int{}, registered: map[string]time.Time{}}
}

// kind is what a request is for.
func kind(q *http.Request) string {
	switch path := q.URL.Path; {
	case registers(q):
		return "register"
	case q.Method == http.MethodDelete:
		return "stop"
	case path == "/v1/event/stream":
		return "event stream"
	case strings.HasPrefix(path, "/v1/client/"):
		return "output"
	case path == "/v1/jobs" || path == "/v1/allocations":
		return "list"
	}
	return "other"
}

// registers says whether a request registers a job.
func registers(q *http.Request) bool {
	return q.URL.Path == "/v1/jobs" && q.Method != http.MethodGet
}

// note counts a request. The body of one that registers a job is read, and replaced.
func (r *requests) note(q *http.Request) error {
	now, id := time.Now(), ""
	if registers(q) {
		body, err := io.ReadAll(q.Body)
		if err != nil {
			return err
		}
		q.Body = io.NopCloser(bytes.NewReader(body))
		var register struct{ Job struct{ ID string } }
		if err := json.Unmarshal(body, &register); err != nil {
			return err
		}
		id = register.Job.ID
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kinds[kind(q)]++
	r.seconds[now.Unix()]++
	if _, again := r.registered[id]; id != "" && !again {
		r.registered[id] = now
	}
	return nil
}

// when is when a job was first registered.
func (r *requests) when(id string) (time.Time, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	at, ok := r.registered[id]
	return at, ok
}

// count is the number of all requests so far.
func (r *requests) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, k := range r.kinds {
		n += k
	}
	return n
}

// busiest is the most requests of any second from begin on, up to end.
func (r *requests) busiest(begin, end time.Time) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	most := 0
	for second, n := range r.seconds {
		if second >= begin.Unix() && second <= end.Unix() {
			most = max(most, n)
		}
	}
	return most
}

// String lists the kinds of requests.
func (r *requests) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(r.kinds)) {
		parts = append(parts, fmt.Sprintf("%s %d", k, r.kinds[k]))
	}
	return strings.Join(parts, ", ")
}

// transport counts what a client in this process sends.
func (r *requests) transport(inner http.RoundTripper) http.RoundTripper {
	return roundTripper(func(q *http.Request) (*http.Response, error) {
		q = q.Clone(q.Context())
		if err := r.note(q); err != nil {
			return nil, err
		}
		return inner.RoundTrip(q)
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f roundTripper) RoundTrip(q *http.Request) (*http.Response, error) { return f(q) }

// proxy stands before Nomad's server for clients of other processes. Close ends it.
func (r *requests) proxy(ctx context.Context, server string) (address string, shut func(), err error) {
	target, err := url.Parse(server)
	if err != nil {
		return "", nil, err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	forward := &httputil.ReverseProxy{
		Rewrite:       func(p *httputil.ProxyRequest) { p.SetURL(target) },
		FlushInterval: -1, // events are not held up
		Transport:     r.transport(&http.Transport{MaxIdleConnsPerHost: 64}),
	}
	s := &http.Server{Handler: forward, ReadHeaderTimeout: time.Minute}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Serve(listener) // until it is closed
	}()
	return "http://" + listener.Addr().String(), func() { _ = s.Close(); <-done }, nil
}
