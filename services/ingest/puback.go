package ingest

import (
	"sync"
	"sync/atomic"
	"time"

	"weir/schemas"
)

// MQTT 5 reason codes of a PUBACK (MQTT 5, 3.4.2.1).
const (
	codeSuccess        = 0x00
	codeImplementation = 0x83
	codeTopicInvalid   = 0x90
	codeQuota          = 0x97
	codePayloadInvalid = 0x99
)

// codeOf is the PUBACK reason code for a message of which nothing was taken.
func codeOf(why schemas.Reason) byte {
	switch why {
	case "":
		return codeSuccess
	case schemas.BadSubject:
		return codeTopicInvalid
	case schemas.TenantLimit, schemas.TooLarge:
		return codeQuota
	case schemas.Unsupported:
		return codeImplementation
	}
	return codePayloadInvalid
}

// appendPuback appends a PUBACK packet. MQTT 3.1.1 has no way to say that a
// message was refused: its refusal is journaled, and sending it again would not
// help, so it is acknowledged. MQTT 5 clients get the reason.
func appendPuback(b []byte, id uint16, why schemas.Reason, v5, explain bool) []byte {
	const puback = 0x40
	switch {
	case !v5 || why == "":
		return append(b, puback, 2, byte(id>>8), byte(id))
	case !explain:
		return append(b, puback, 3, byte(id>>8), byte(id), codeOf(why))
	}
	const reasonString = 0x1f
	n := byte(len(why))
	b = append(b, puback, 7+n, byte(id>>8), byte(id), codeOf(why), 3+n, reasonString, 0, n)
	return append(b, why...)
}

// postman writes acknowledgments to connections, so that no writer of frames
// waits for a client. A few goroutines serve all connections; one that does not
// take its acknowledgments in time is closed.
type postman struct {
	mu     sync.Mutex
	work   sync.Cond
	queue  []*conn // those that are owed something, each once, in order from head on
	head   int
	rounds []round // one per goroutine
	closed bool
	done   sync.WaitGroup
}

// round is what one goroutine of the postman does.
type round struct {
	c     *conn
	since time.Time
}

// postmen is how many connections may be written to at a time.
const postmen = 4

// patience is how long a connection may take to accept its acknowledgments.
const patience = 2 * time.Second

func newPostman() *postman {
	p := &postman{rounds: make([]round, postmen)}
	p.work.L = &p.mu
	for i := range p.rounds {
		p.done.Go(func() { p.run(&p.rounds[i]) })
	}
	return p
}

// add queues a connection.
func (p *postman) add(c *conn) {
	p.mu.Lock()
	p.queue = append(p.queue, c)
	p.mu.Unlock()
	p.work.Signal()
}

func (p *postman) run(r *round) {
	for c := p.next(r); c != nil; c = p.next(r) {
		c.deliver()
	}
}

// next waits for a connection to write to; nil: there will be none.
func (p *postman) next(r *round) *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	for r.c = nil; p.head == len(p.queue) && !p.closed; {
		p.work.Wait()
	}
	if p.closed {
		return nil
	}
	r.c, r.since = p.queue[p.head], time.Now()
	p.queue[p.head] = nil
	if p.head++; p.head == len(p.queue) || p.head > 1024 {
		n := copy(p.queue, p.queue[p.head:])
		clear(p.queue[n:])
		p.queue, p.head = p.queue[:n], 0
	}
	return r.c
}

// hurry closes connections that have been written to for too long, and counts each
// before anybody can see it closed.
func (p *postman) hurry(now time.Time, closed *atomic.Uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.rounds {
		if r := &p.rounds[i]; r.c != nil && now.Sub(r.since) > patience {
			closed.Add(1)
			_ = r.c.Close()
			r.c = nil
		}
	}
}

// close ends the deliveries; connections must be closed before.
func (p *postman) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.work.Broadcast()
	p.done.Wait()
}
