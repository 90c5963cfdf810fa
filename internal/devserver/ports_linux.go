package devserver

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"syscall"
)

// reservation keeps a port for a listener that somebody else will open.
//
// Temporal's services open their listeners themselves and must know each
// other's ports before, so a port has to be chosen first. Asking for a free
// port and closing it again would be a race. A socket that is bound with
// SO_REUSEADDR and does not listen is no race on Linux: the kernel gives its
// port to nobody who asks for any free port or connects, but lets a listener that
// names the port, and has SO_REUSEADDR as Go's have, bind to it.
type reservation struct{ fd int }

// reserve keeps a port at an IPv4 or IPv6 address; port 0 means any free one.
func reserve(host string, port int) (reservation, string, error) {
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return reservation{}, "", fmt.Errorf("parsing the address to listen at: %w", err)
	}
	family, addr := syscall.AF_INET, syscall.Sockaddr(nil)
	if ip.Is4() {
		addr = &syscall.SockaddrInet4{Port: port, Addr: ip.As4()}
	} else {
		family, addr = syscall.AF_INET6, &syscall.SockaddrInet6{Port: port, Addr: ip.As16()}
	}
	fd, err := syscall.Socket(family, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return reservation{}, "", fmt.Errorf("opening a socket: %w", err)
	}
	r := reservation{fd: fd}
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		r.release()
		return reservation{}, "", fmt.Errorf("setting up a socket: %w", err)
	}
	if err := syscall.Bind(fd, addr); err != nil {
		r.release()
		if errors.Is(err, syscall.EADDRINUSE) {
			err = ErrPortTaken
		}
		return reservation{}, "", fmt.Errorf("%s: %w", net.JoinHostPort(host, strconv.Itoa(port)), err)
	}
	bound, err := syscall.Getsockname(fd)
	if err != nil {
		r.release()
		return reservation{}, "", fmt.Errorf("asking for the port: %w", err)
	}
	switch b := bound.(type) {
	case *syscall.SockaddrInet4:
		port = b.Port
	case *syscall.SockaddrInet6:
		port = b.Port
	}
	return r, net.JoinHostPort(host, strconv.Itoa(port)), nil
}

// ready is called right before the listener is to be opened.
func (r reservation) ready() {}

// release gives the port up, or rather leaves it to the listener there.
func (r reservation) release() { _ = syscall.Close(r.fd) }
