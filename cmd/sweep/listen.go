package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"go.temporal.io/sdk/client"
)

// healthWithin is how long Temporal may take to answer before a worker calls itself ill.
const healthWithin = 2 * time.Second

// listenAddress is the address that --listen means: a port alone is one of the loopback
// interface.
func listenAddress(flag string) (string, error) {
	host, port, err := net.SplitHostPort(flag)
	if err != nil {
		host, port = "", strings.TrimPrefix(flag, ":")
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 || strings.ContainsAny(host, "/ ") {
		return "", userErrorf("--listen is PORT or HOST:PORT, not %q", flag)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port), nil
}

// monitor serves a worker's metrics and health. There is nothing secret in them, and
// nothing that can be changed through it.
type monitor struct {
	server  *http.Server
	address string
	done    chan error
}

// openMonitor listens from now on. It has to be closed.
func openMonitor(ctx context.Context, address string, p *post, conn *connection) (*monitor, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, userErrorf("--listen %s: %w", address, err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", p.metrics.Handler())
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) {
		if err := p.health(r.Context(), conn); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	m := &monitor{
		server:  &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second},
		address: listener.Addr().String(),
		done:    make(chan error, 1),
	}
	go func() { m.done <- m.server.Serve(listener) }()
	return m, nil
}

// health says what keeps the worker from taking work.
func (p *post) health(ctx context.Context, conn *connection) error {
	if p.leaving.Load() {
		return errors.New("draining: it takes no more work")
	}
	ctx, cancel := context.WithTimeout(ctx, healthWithin)
	defer cancel()
	if _, err := conn.client.CheckHealth(ctx, &client.CheckHealthRequest{}); err != nil {
		return fmt.Errorf("no answer from the Temporal server at %s", conn.address)
	}
	return nil
}

func (m *monitor) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	err := m.server.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, m.server.Close())
	}
	if served := <-m.done; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}
