//go:build !linux

package devserver

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
)

// reservation keeps a port until the listener for it is to be opened. Here,
// unlike on Linux, it has to be given up for that, so somebody might come in
// between; Start then fails and says so.
type reservation struct{ l net.Listener }

// reserve keeps a port; port 0 means any free one.
func reserve(host string, port int) (reservation, string, error) {
	l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		if errors.Is(err, syscall.EADDRINUSE) {
			err = ErrPortTaken
		}
		return reservation{}, "", fmt.Errorf("%s: %w", net.JoinHostPort(host, strconv.Itoa(port)), err)
	}
	return reservation{l: l}, l.Addr().String(), nil
}

// ready is called right before the listener is to be opened.
func (r reservation) ready() { _ = r.l.Close() }

// release gives the port up, or rather leaves it to the listener there.
func (r reservation) release() { _ = r.l.Close() }
