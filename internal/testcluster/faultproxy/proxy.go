package faultproxy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"
)

// Proxy stands between clients and one server.
type Proxy struct {
	target *url.URL
	log    *slog.Logger
	addr   string
	server *http.Server
	client *http.Transport
	done   chan struct{}  // closed when the server's loop has ended
	late   sync.WaitGroup // requests that are still to be served

	mu     sync.Mutex
	random *rand.Rand
	faults Faults
	down   bool
	conns  map[net.Conn]struct{}
	counts map[Fault]int
	served int
}

// Start starts a proxy to the server at a URL, on a free loopback port, without faults.
// The seed decides which of the requests, in the order in which they come, get which
// fault.
func Start(target string, seed uint64, log *slog.Logger) (*Proxy, error) {
	u, err := url.Parse(target)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("fault proxy: %q is no server's URL", target)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("fault proxy: %w", err)
	}
	p := &Proxy{
		target: u, log: log, addr: listener.Addr().String(), done: make(chan struct{}),
		client: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true, ExpectContinueTimeout: time.Second},
		random: rand.New(rand.NewPCG(seed, 0)),
		conns:  map[net.Conn]struct{}{}, counts: map[Fault]int{},
	}
	p.server = &http.Server{
		Handler:           http.HandlerFunc(p.serve),
		ConnState:         p.track,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		ReadHeaderTimeout: time.Minute,
	}
	go func() {
		defer close(p.done)
		_ = p.server.Serve(listener) // it returns when Close is called
	}()
	return p, nil
}

// URL is where the proxy listens: "http://127.0.0.1:1234".
func (p *Proxy) URL() string { return "http://" + p.addr }

// Set changes what goes wrong from here on.
func (p *Proxy) Set(f Faults) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = f
	p.log.Info("faults set", "rates", f.Rates)
}

// SetDown breaks all connections and takes no more, or takes them again.
func (p *Proxy) SetDown(down bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = down
	p.log.Info("down set", "down", down)
	if down {
		for c := range p.conns {
			reset(c)
		}
	}
}

// Counts is how many requests met which fault; None counts those that met none.
func (p *Proxy) Counts() map[Fault]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.counts)
}

// ResetCounts has the counts begin at zero again.
func (p *Proxy) ResetCounts() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.counts)
}

// Close ends the proxy and all its connections.
func (p *Proxy) Close() error {
	err := p.server.Close()
	<-p.done
	p.late.Wait()
	p.client.CloseIdleConnections()
	return err
}

// track keeps the list of connections, and breaks new ones while the proxy is down.
func (p *Proxy) track(c net.Conn, state http.ConnState) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch state {
	case http.StateNew:
		p.conns[c] = struct{}{}
		if p.down {
			p.counts[Down]++
			reset(c)
		}
	case http.StateClosed, http.StateHijacked:
		delete(p.conns, c)
	}
}

// reset closes a connection so that the other side gets an error, not an end.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close() // it is broken on purpose
}

// draw picks the fault of the next request.
func (p *Proxy) draw(r *http.Request) (Fault, time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.served++
	f := p.faults.draw(p.random)
	p.counts[f]++
	if f != None {
		p.log.Debug("fault", "request", p.served, "fault", string(f), "method", r.Method, "path", r.URL.Path)
	}
	return f, p.faults.StallFor
}

func (p *Proxy) serve(w http.ResponseWriter, r *http.Request) {
	fault, stall := p.draw(r)
	switch fault {
	case InternalError:
		_, _ = io.Copy(io.Discard, r.Body) // else the client may miss the answer
		answer(w, http.StatusInternalServerError, "InternalError")
		return
	case SlowDown:
		_, _ = io.Copy(io.Discard, r.Body)
		answer(w, http.StatusServiceUnavailable, "SlowDown")
		return
	case Stall:
		// Only a connection that is read to its end tells when the client has gone.
		if !hold(r) || !wait(r.Context(), stall) {
			return
		}
	case Late:
		if !hold(r) {
			return
		}
		p.late.Go(func() { p.serveLate(r, stall) })
		panic(http.ErrAbortHandler)
	}
	response, err := p.forward(r, fault == ResetRequest)
	if err != nil {
		p.log.Debug("not served", "method", r.Method, "path", r.URL.Path, "error", err)
		panic(http.ErrAbortHandler) // which breaks the connection
	}
	defer response.Body.Close()
	switch fault {
	case LostAnswer, FalseError:
		_, _ = io.Copy(io.Discard, response.Body) // so that it is served to its end
		if fault == LostAnswer {
			panic(http.ErrAbortHandler)
		}
		answer(w, http.StatusInternalServerError, "InternalError")
		return
	case StallAnswer:
		if !wait(r.Context(), stall) {
			return
		}
	}
	maps.Copy(w.Header(), response.Header)
	length := response.ContentLength
	half := length / 2
	cut := (fault == ResetAnswer || fault == ShortAnswer) && half > 0 && r.Method != http.MethodHead
	if cut && fault == ShortAnswer {
		w.Header().Set("Content-Length", strconv.FormatInt(half, 10))
	}
	w.WriteHeader(response.StatusCode)
	if cut {
		_, err = io.CopyN(w, response.Body, half)
	} else {
		_, err = io.Copy(w, response.Body)
	}
	if err != nil || fault == ResetAnswer {
		panic(http.ErrAbortHandler)
	}
}

// hold reads the body of a request, and says whether it could.
func hold(r *http.Request) bool {
	body, err := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	return err == nil
}

// serveLate serves a request that nobody waits for any more.
func (p *Proxy) serveLate(r *http.Request, after time.Duration) {
	time.Sleep(after)
	response, err := p.forward(r.WithContext(context.WithoutCancel(r.Context())), false)
	if err != nil {
		p.log.Debug("not served late", "error", err)
		return
	}
	_, _ = io.Copy(io.Discard, response.Body)
	response.Body.Close()
}

// WaitForLate waits until no request is waiting to be served late.
func (p *Proxy) WaitForLate() { p.late.Wait() }

// errCut ends a request's body in its middle.
var errCut = errors.New("the proxy broke the request off")

// forward sends a request on: whole, or only the first half of its body.
func (p *Proxy) forward(r *http.Request, cut bool) (*http.Response, error) {
	out := r.Clone(r.Context())
	out.URL.Scheme, out.URL.Host, out.RequestURI = p.target.Scheme, p.target.Host, ""
	out.Header.Del("Connection")
	if cut {
		if r.ContentLength <= 0 {
			return nil, errCut
		}
		out.Body = io.NopCloser(io.MultiReader(io.LimitReader(r.Body, r.ContentLength/2), failing{}))
	}
	return p.client.RoundTrip(out)
}

// failing is a source that fails.
type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errCut }

// wait waits, and says whether the client waited, too.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// answer is an error as S3 writes it.
func answer(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>%s</Code><Message>a fault made on purpose</Message></Error>`, code)
}
