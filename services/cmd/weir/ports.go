package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"syscall"
)

// address is where a listener listens, and the flag that says so.
type address struct{ flag, value string }

// check says what is wrong with the address itself. An empty one is no listener.
func (a address) check() error {
	if a.value == "" {
		return nil
	}
	_, port, err := net.SplitHostPort(a.value)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return fmt.Errorf("--%s %q is no address: use host:port, as 127.0.0.1:0 for any free port", a.flag, a.value)
	}
	return nil
}

// loopback reports whether only this machine can reach the address. A name
// other than localhost could become any address, so it does not count.
func (a address) loopback() bool {
	host, _, err := net.SplitHostPort(a.value)
	if err != nil || host == "localhost" {
		return err == nil
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// listen opens the address.
func (a address) listen(ctx context.Context) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", a.value)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("--%s %s is in use by another process: stop it, or choose another port (0 takes a free one)", a.flag, a.value)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return nil, fmt.Errorf("--%s %s is no address of this machine", a.flag, a.value)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("--%s %s needs rights that this user does not have: choose a port above 1023", a.flag, a.value)
	case err != nil:
		return nil, fmt.Errorf("--%s: %w", a.flag, err)
	}
	return l, nil
}

// free says why the address cannot be listened on, if it cannot. What opens it
// later says so too, but less clearly and when work has begun.
func (a address) free(ctx context.Context) error {
	if a.value == "" {
		return nil
	}
	l, err := a.listen(ctx)
	if err != nil {
		return err
	}
	return l.Close()
}
