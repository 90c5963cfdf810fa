//go:build linux

package testcluster

import (
	"fmt"
	"net"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

// ports keeps loopback ports for listeners that other processes open, again after
// every restart. A socket that is bound with SO_REUSEADDR and does not listen does
// that on Linux: the kernel gives its port to nobody who asks for any free one, and
// lets a listener that names it, and has SO_REUSEADDR as Go's have, bind to it.
type ports struct {
	mu  sync.Mutex
	fds []int
}

// take returns "127.0.0.1:port" for a port that stays taken until release.
func (p *ports) take() (string, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return "", fmt.Errorf("taking a port: %w", err)
	}
	p.mu.Lock()
	p.fds = append(p.fds, fd)
	p.mu.Unlock()
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return "", fmt.Errorf("taking a port: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return "", fmt.Errorf("taking a port: %w", err)
	}
	bound, err := unix.Getsockname(fd)
	if err != nil {
		return "", fmt.Errorf("taking a port: %w", err)
	}
	address, ok := bound.(*unix.SockaddrInet4)
	if !ok {
		return "", fmt.Errorf("taking a port: the kernel answered %T", bound)
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(address.Port)), nil
}

func (p *ports) release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, fd := range p.fds {
		_ = unix.Close(fd)
	}
	p.fds = nil
}
