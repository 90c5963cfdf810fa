//go:build linux

package testcluster

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// gate is a port in front of a server's, at which connections can be cut off by who
// made them. A client of Nomad that cannot reach its server's port is partitioned, and
// needs no network of its own for that. All clients have to use one gate, since each
// learns the server's address from the server.
type gate struct {
	listener net.Listener
	target   string
	shut     func(from net.Addr) bool

	mu    sync.Mutex
	open  map[net.Conn]net.Addr // both ends of what passes, with who made it
	ended sync.WaitGroup
}

// newGate listens at a free port and hands connections on to target, unless shut says
// that the gate is shut for whoever made one.
func newGate(target string, shut func(from net.Addr) bool) (*gate, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("opening a gate: %w", err)
	}
	g := &gate{listener: listener, target: target, shut: shut, open: map[net.Conn]net.Addr{}}
	g.ended.Go(g.serve)
	return g, nil
}

func (g *gate) address() string { return g.listener.Addr().String() }

func (g *gate) serve() {
	for {
		conn, err := g.listener.Accept()
		if err != nil {
			return // closed
		}
		g.ended.Go(func() { g.pass(conn) })
	}
}

// pass copies both ways until an end closes or is cut off.
func (g *gate) pass(in net.Conn) {
	defer func() { _ = in.Close() }()
	from := in.RemoteAddr()
	if !g.add(in, from) {
		return
	}
	defer g.forget(in)
	dialer := net.Dialer{Timeout: 5 * time.Second}
	out, err := dialer.DialContext(context.Background(), "tcp", g.target)
	if err != nil {
		return // the server is down: so is its port
	}
	defer func() { _ = out.Close() }()
	if !g.add(out, from) {
		return
	}
	defer g.forget(out)
	var back sync.WaitGroup
	back.Go(func() {
		_, _ = io.Copy(in, out)
		_ = in.Close()
	})
	_, _ = io.Copy(out, in)
	_ = out.Close()
	back.Wait()
}

// add notes a connection, unless the gate is shut for it.
func (g *gate) add(c net.Conn, from net.Addr) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open == nil || g.shut(from) {
		return false
	}
	g.open[c] = from
	return true
}

func (g *gate) forget(c net.Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.open, c)
}

// enforce cuts the connections for which the gate is shut by now.
func (g *gate) enforce() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for c, from := range g.open {
		if g.shut(from) {
			_ = c.Close()
		}
	}
}

func (g *gate) close() {
	_ = g.listener.Close()
	g.mu.Lock()
	for c := range g.open {
		_ = c.Close()
	}
	g.open = nil
	g.mu.Unlock()
	g.ended.Wait()
}

// socketOf returns the inode of the IPv4 socket that is at an address of this machine.
func socketOf(local net.Addr) (string, bool) {
	address, err := netip.ParseAddrPort(local.String())
	if err != nil {
		return "", false
	}
	f, err := os.Open("/proc/net/tcp")
	if err != nil {
		return "", false
	}
	defer f.Close()
	ip := address.Addr().Unmap().As4()
	want := fmt.Sprintf("%08X:%04X", binary.NativeEndian.Uint32(ip[:]), address.Port())
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		// sl local_address rem_address st queues timer retransmits uid timeout inode …
		if f := strings.Fields(lines.Text()); len(f) > 9 && f[1] == want {
			return f[9], true
		}
	}
	return "", false
}

// owns says whether a process has a socket.
func owns(pid int, socket string) bool {
	fds, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil {
		return false
	}
	for _, fd := range fds {
		if link, err := os.Readlink(fd); err == nil && link == "socket:["+socket+"]" {
			return true
		}
	}
	return false
}
