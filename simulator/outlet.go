package simulator

import (
	"net"
	"syscall"
)

// outlet writes to a connection without waiting for it: what the connection
// does not take at once is kept and goes first the next time, so that one peer
// that does not read cannot hold up the others. One goroutine uses it at a time.
type outlet struct {
	conn net.Conn
	raw  syscall.RawConn // nil: not a socket; writes wait
	rest []byte          // taken over by write, not by the connection

	// Arguments and results of attempt, which would escape as a closure.
	out []byte
	err error
	try func(fd uintptr) bool
}

func newOutlet(conn net.Conn) *outlet {
	o := &outlet{conn: conn}
	if c, ok := conn.(syscall.Conn); ok && canTry {
		if raw, err := c.SyscallConn(); err == nil {
			o.raw, o.try = raw, o.attempt
		}
	}
	return o
}

// write sends b, or keeps what the connection does not take. An error means
// that the connection is gone.
func (o *outlet) write(b []byte) error {
	if len(o.rest) > 0 {
		o.rest = append(o.rest, b...)
		return nil
	}
	n, err := o.tryWrite(b)
	o.rest = append(o.rest[:0], b[n:]...)
	return err
}

// flush sends what is kept and reports whether nothing is left. An error shows
// in the next write.
func (o *outlet) flush() bool {
	if len(o.rest) == 0 {
		return true
	}
	n, err := o.tryWrite(o.rest)
	o.rest = append(o.rest[:0], o.rest[n:]...)
	if err != nil {
		_ = o.conn.Close() // the session's reader notices
	}
	return len(o.rest) == 0
}

// tryWrite writes as much of b as goes without waiting.
func (o *outlet) tryWrite(b []byte) (int, error) {
	if o.raw == nil {
		return o.conn.Write(b)
	}
	o.out, o.err = b, nil
	if err := o.raw.Write(o.try); err != nil {
		return 0, err
	}
	return len(b) - len(o.out), o.err
}

// attempt is called with the socket ready or not, and never asks to wait.
func (o *outlet) attempt(fd uintptr) bool {
	for len(o.out) > 0 {
		n, again, err := writeSocket(fd, o.out)
		o.out = o.out[max(n, 0):]
		if err != nil {
			o.err = err
			return true
		}
		if again {
			return true
		}
	}
	return true
}
