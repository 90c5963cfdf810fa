package faultproxy_test

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tenfold-ml/tenfold/internal/testcluster/faultproxy"
)

const text = "the whole answer, from its first to its last byte"

// served is a server that counts what it was asked and read to its end.
type served struct {
	*httptest.Server
	whole atomic.Int32
	host  atomic.Value
}

func start(t *testing.T, seed uint64) (*served, *faultproxy.Proxy) {
	t.Helper()
	s := &served{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.host.Store(r.Host)
		if _, err := io.Copy(io.Discard, r.Body); err == nil {
			s.whole.Add(1)
		}
		_, _ = io.WriteString(w, text)
	}))
	t.Cleanup(s.Close)
	p, err := faultproxy.Start(s.URL, seed, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return s, p
}

// put sends a request of its own connection, and returns the status and what was read of
// the answer.
func put(t *testing.T, url string) (int, string, error) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, url+"/a/b", bytes.NewReader(make([]byte, 100_000)))
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(r)
	if err != nil {
		return 0, "", err
	}
	body, err := io.ReadAll(response.Body)
	return response.StatusCode, string(body), errors.Join(err, response.Body.Close())
}

func TestFaults(t *testing.T) {
	t.Parallel()
	const broken = -1
	for fault, want := range map[faultproxy.Fault]struct {
		status int
		served int32
		body   string
	}{
		faultproxy.None:          {200, 1, text},
		faultproxy.InternalError: {500, 0, "<Code>InternalError<"},
		faultproxy.SlowDown:      {503, 0, "<Code>SlowDown<"},
		faultproxy.ResetRequest:  {broken, 0, ""},
		faultproxy.LostAnswer:    {broken, 1, ""},
		faultproxy.FalseError:    {500, 1, "<Code>InternalError<"},
		faultproxy.ResetAnswer:   {broken, 1, ""},
		faultproxy.ShortAnswer:   {200, 1, text[:len(text)/2]},
		faultproxy.Stall:         {200, 1, text},
		faultproxy.StallAnswer:   {200, 1, text},
		faultproxy.Late:          {broken, 1, ""},
	} {
		name := string(fault)
		if fault == faultproxy.None {
			name = "none"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, p := start(t, 1)
			p.Set(faultproxy.Faults{Rates: map[faultproxy.Fault]float64{fault: 1}, StallFor: time.Millisecond})
			status, body, err := put(t, p.URL())
			if (want.status == broken) != (err != nil) || (err == nil && status != want.status) {
				t.Errorf("status %d, error %v, want %d", status, err, want.status)
			}
			if err == nil && (!strings.Contains(body, want.body) || (status == 200 && body != want.body)) {
				t.Errorf("the body is %q, want %q", body, want.body)
			}
			if host := s.host.Load(); host != nil && "http://"+host.(string) != p.URL() {
				t.Errorf("the server saw the host %v, which was signed as %s", host, p.URL())
			}
			if n := p.Counts()[fault]; n != 1 {
				t.Errorf("counted %d", n)
			}
			_ = p.Close() // so that nothing is under way
			if n := s.whole.Load(); n != want.served {
				t.Errorf("the server was served %d requests, want %d", n, want.served)
			}
		})
	}
}

func TestDown(t *testing.T) {
	t.Parallel()
	_, p := start(t, 1)
	for range 2 {
		if status, _, err := put(t, p.URL()); err != nil || status != 200 {
			t.Fatalf("up: status %d, %v", status, err)
		}
		p.SetDown(true)
		if status, _, err := put(t, p.URL()); err == nil {
			t.Errorf("down: status %d", status)
		}
		p.SetDown(false)
	}
	if n := p.Counts()[faultproxy.Down]; n < 2 {
		t.Errorf("%d connections were counted as refused, want 2 at least", n)
	}
}

// TestSeed: the same seed means the same faults in the same order.
func TestSeed(t *testing.T) {
	t.Parallel()
	sequence := func(seed uint64) string {
		_, p := start(t, seed)
		p.Set(faultproxy.Even(0.9, 0))
		var b strings.Builder
		before := p.Counts()
		for range 30 {
			_, _, _ = put(t, p.URL())
			for f, n := range p.Counts() {
				if n != before[f] {
					b.WriteString(string(f) + " ")
				}
			}
			before = p.Counts()
		}
		return b.String()
	}
	if a, b := sequence(7), sequence(7); a != b {
		t.Errorf("one seed, two sequences:\n%s\n%s", a, b)
	}
	if a, b := sequence(7), sequence(8); a == b {
		t.Errorf("two seeds, one sequence: %s", a)
	}
}
