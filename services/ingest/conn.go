package ingest

import (
	"crypto/sha256"
	"net"
	"net/netip"
	"sync"
	"time"

	"weir/services/internal/commands"
	"weir/services/internal/users"
)

// window is how many QoS 1 messages of a connection may wait for the journal.
// With one more the connection is not read on; MQTT 5 clients are told.
const window = 256

// slowWrite is how long a connection may take to accept anything but PUBACKs.
const slowWrite = 10 * time.Second

// conn is one MQTT connection: what it may publish, and the acknowledgments it
// is owed.
type conn struct {
	net.Conn  // what is read and written: raw, or TLS on it
	raw       net.Conn
	from      netip.Addr
	post      *postman
	closed    chan struct{}
	closeOnce sync.Once

	// Set while connecting, then only read.
	id, user    string
	credentials [sha256.Size]byte // of user name and password
	grant       Grant
	refusal     users.Refusal  // why there is none
	v5, explain bool           // wants MQTT 5 packets, and reasons in words
	clean       bool           // wants no earlier session
	keep        time.Duration  // how long it wants its session to outlive it
	link        *commands.Link // nil: there are no commands
	granted     commands.Granted

	// Of the goroutine that reads the connection.
	topic   string
	route   *route // of topic
	foreign int    // publishes to what it may not speak for

	known bool // it has said who it is, or has ended; guarded by the door

	writing sync.Mutex // held while whole packets are written with a deadline

	mu     sync.Mutex
	busy   bool   // a command is being written: PUBACKs wait
	owed   []byte // PUBACKs to be written
	spare  []byte
	count  int // PUBACKs in owed
	queued bool
	open   int // messages taken and not acknowledged yet

	room chan struct{} // a place in the window became free; size 1
}

func newConn(c net.Conn, p *postman) *conn {
	return &conn{Conn: c, raw: c, post: p, closed: make(chan struct{}), room: make(chan struct{}, 1)}
}

// Close closes the connection once, without a word of TLS: that could wait for a
// client that reads nothing.
func (c *conn) Close() error {
	err := net.ErrClosed
	c.closeOnce.Do(func() {
		close(c.closed)
		err = c.raw.Close()
	})
	return err
}

// SetDeadline sets the deadline for reading only: a connection that is not read
// on while the journal is full is not to blame.
func (c *conn) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }

// Write writes whole packets: those that the MQTT library made, and commands.
func (c *conn) Write(b []byte) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	if err := c.SetWriteDeadline(time.Now().Add(slowWrite)); err != nil {
		return 0, err
	}
	defer c.SetWriteDeadline(time.Time{}) //nolint:errcheck // closed: the next write says so
	return c.Conn.Write(b)
}

// alive reports whether the connection has not been closed by us.
func (c *conn) alive() bool {
	select {
	case <-c.closed:
		return false
	default:
		return true
	}
}

// enter takes a place in the window and waits for one if need be. It reports
// false if the connection or the service ended first.
func (c *conn) enter(stopping <-chan struct{}) bool {
	for !c.tryEnter() {
		select {
		case <-c.room:
		case <-c.closed:
			return false
		case <-stopping:
			return false
		}
	}
	return true
}

func (c *conn) tryEnter() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open == window {
		return false
	}
	c.open++
	return true
}

// answer notes a PUBACK. It implements answerer.
func (c *conn) answer(a *answer) {
	c.mu.Lock()
	c.owed = appendPuback(c.owed, a.id, a.why, c.v5, c.explain)
	c.count++
	add := !c.queued && !c.busy
	c.queued = c.queued || add
	c.mu.Unlock()
	if add {
		c.post.add(c)
	}
}

// Deliver writes a command. It implements commands.Conn. It may take as long as a
// write may; the postman serves others meanwhile.
func (c *conn) Deliver(d commands.Delivery) error {
	c.setBusy(true)
	defer c.setBusy(false)
	_, err := c.Write(appendPublish(nil, &d, c.v5))
	if err != nil {
		_ = c.Close()
	}
	return err
}

// setBusy begins or ends the writing of a command. PUBACKs that came meanwhile are
// left to the postman.
func (c *conn) setBusy(busy bool) {
	c.mu.Lock()
	c.busy = busy
	add := !busy && c.count > 0 && !c.queued
	c.queued = c.queued || add
	c.mu.Unlock()
	if add {
		c.post.add(c)
	}
}

// writes reports whether a command is being written.
func (c *conn) writes() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.busy
}

// deliver writes the PUBACKs that the connection is owed by now.
func (c *conn) deliver() {
	c.mu.Lock()
	if c.busy {
		c.queued = false
		c.mu.Unlock()
		return
	}
	b, n := c.owed, c.count
	c.owed, c.count, c.spare = c.spare[:0], 0, nil
	c.mu.Unlock()
	if _, err := c.Conn.Write(b); err != nil {
		_ = c.Close()
	}
	if c.release(b, n) {
		c.post.add(c)
	}
}

// release gives n places of the window back and reports whether more is owed.
func (c *conn) release(b []byte, n int) (more bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open == window {
		select {
		case c.room <- struct{}{}:
		default:
		}
	}
	c.spare = b
	c.open -= n
	c.queued = c.count > 0
	return c.queued
}
