package commands

import (
	"context"
	"fmt"
	"time"
)

// Delivery is one command for a connection.
type Delivery struct {
	Device
	Payload []byte // not to be written to
	QoS     byte
	ID      uint16 // at QoS 1: what the confirmation names
	Dup     bool   // it may have been delivered before
	Expires time.Duration
	// Expires is how long it is of use from now on, at least 1 s; 0: the sender did not say.
}

// Conn is a connection to a device.
type Conn interface {
	// Deliver writes a command and may wait for the device to take it; it is called
	// by one goroutine at a time. An error means that the connection is of no use.
	Deliver(d Delivery) error
}

// Hello is what a client says of itself when it connects.
type Hello struct {
	Client, User string
	Clean        bool          // forget its earlier session
	Keep         time.Duration // how long its session is to outlive the connection; 0: not at all
	Window       int           // unconfirmed commands that it takes at a time; 0: ours
	Largest      int           // bytes of payload that it takes; 0: any
}

// Granted is what a client gets.
type Granted struct {
	Present       bool            // its earlier session goes on
	Keep          time.Duration   // what it asked for, or less
	Subscriptions map[Device]byte // of the session that goes on, with their QoS
}

// maxClient is the longest client identifier of a session that is kept, in bytes.
const maxClient = 256

// Link is a session while it is connected. Its methods are called by the
// connection's goroutine.
type Link struct {
	d       *Desk
	s       *session
	conn    Conn
	window  int
	largest int

	// Guarded by the desk's mutex.
	begun, pumping, broken bool
}

// Attach connects a session, in place of a connection that it may have. Nothing
// is delivered before Begin.
func (d *Desk) Attach(h Hello, c Conn) (*Link, Granted) {
	d.mu.Lock()
	defer d.mu.Unlock()
	l := &Link{d: d, conn: c, window: window, largest: h.Largest}
	if h.Window > 0 {
		l.window = min(window, h.Window)
	}
	key := sessionKey(h.User, h.Client)
	s := d.sessions[key]
	if s != nil && (h.Clean || s.keep == 0) {
		d.end(s)
		s = nil
	}
	g := Granted{Present: s != nil, Keep: d.grantKeep(s, h)}
	if s == nil {
		s = &session{key: key, client: h.Client, user: h.User}
		d.sessions[key] = s
	}
	d.setKeep(s, g.Keep)
	s.link, s.flying = l, 0
	l.s = s
	g.Subscriptions = s.record().Subscriptions
	return l, g
}

// grantKeep is how long a session may outlive its connection.
func (d *Desk) grantKeep(known *session, h Hello) time.Duration {
	if len(h.Client) > maxClient || known == nil && d.lasting >= d.cfg.Sessions {
		return 0
	}
	return min(h.Keep, d.cfg.KeepFor)
}

// Begin lets deliveries start, and go on after Hold.
func (l *Link) Begin() {
	l.d.mu.Lock()
	defer l.d.mu.Unlock()
	l.begun = true
	if l.s.link == l {
		l.d.kick(l.s)
	}
}

// Hold stops deliveries until Begin, but for one that is being written.
func (l *Link) Hold() {
	l.d.mu.Lock()
	defer l.d.mu.Unlock()
	l.begun = false
}

// storeWithin bounds a call of the store.
const storeWithin = 5 * time.Second

// Subscribe lets the session have a device's commands. When it returns nil, a
// session that outlives its connection has this subscription over the death of
// the process too.
func (l *Link) Subscribe(dev Device, qos byte) error {
	d, s := l.d, l.s
	d.mu.Lock()
	r := s.record()
	b, mine, told := d.boxes[dev], s.link == l, s.told
	full := b != nil && len(b.sessions) >= perBox
	d.mu.Unlock()
	had, again := r.Subscriptions[dev]
	r.Subscriptions[dev] = qos
	switch {
	case !mine:
		return fmt.Errorf("subscribe %s: another connection has the session", s.client)
	case full && !again:
		return fmt.Errorf("subscribe to the commands of %s/%s: %d sessions do so", dev.Tenant, dev.Name, perBox)
	case r.Keep > 0 && (!again || had != qos || told != r.Keep):
		if err := l.remember(r); err != nil {
			return err
		}
	}
	d.mu.Lock()
	if s.link == l {
		d.subscribe(s, dev, qos)
	}
	d.mu.Unlock()
	if qos == 0 {
		d.handOver(context.Background(), dev)
	}
	return nil
}

// perBox is how many sessions may subscribe to one device.
const perBox = 8

// Unsubscribe ends a subscription, if there is one.
func (l *Link) Unsubscribe(dev Device) {
	d, s := l.d, l.s
	d.mu.Lock()
	b := d.boxes[dev]
	if b == nil || s.link != l {
		d.mu.Unlock()
		return
	}
	d.unsubscribe(s, b)
	r := s.record()
	d.mu.Unlock()
	if r.Keep > 0 {
		if err := l.remember(r); err != nil {
			d.log.Warn("a subscription that has ended may come back after a restart", "client", s.client, "err", err)
		}
	}
}

// remember stores the session.
func (l *Link) remember(r Record) error {
	ctx, cancel := context.WithTimeout(context.Background(), storeWithin)
	defer cancel()
	seq, err := l.d.store.Remember(ctx, l.s.key, r)
	if err != nil {
		return fmt.Errorf("store the session of %s: %w", r.Client, err)
	}
	l.d.mu.Lock()
	defer l.d.mu.Unlock()
	l.s.stored, l.s.told = seq, r.Keep
	if l.d.sessions[l.s.key] != l.s || l.s.keep == 0 { // it has ended meanwhile
		l.d.forget[l.s.key], l.s.stored = seq+1, 0
	}
	return nil
}

// Acked notes the device's answer to a command at QoS 1. taken is false where it
// is an error.
func (l *Link) Acked(id uint16, taken bool) {
	d, s := l.d, l.s
	d.mu.Lock()
	defer d.mu.Unlock()
	if s.link != l {
		return
	}
	for _, i := range s.queue[:s.flying] {
		if i.id != id {
			continue
		}
		why := Reason("")
		if !taken {
			why = Refused
		}
		s.remove(i.letter)
		d.release(i.letter, s, why)
		d.kick(s)
		return
	}
}

// Keep changes how long the session outlives the connection.
func (l *Link) Keep(keep time.Duration) {
	l.d.mu.Lock()
	defer l.d.mu.Unlock()
	if l.s.link == l {
		l.d.setKeep(l.s, min(keep, l.d.cfg.KeepFor))
	}
}

// Detach notes the end of the connection.
func (l *Link) Detach() {
	l.d.mu.Lock()
	defer l.d.mu.Unlock()
	l.broken = true
	if l.s.link == l {
		l.d.leave(l.s, time.Now())
	}
}

// kick starts the pump of a session if there is something for it. d.mu is held.
func (d *Desk) kick(s *session) {
	l := s.link
	if l == nil || l.pumping || l.broken || !l.begun || d.closed || !l.ready() {
		return
	}
	l.pumping = true
	d.pumps.Go(l.pump)
}

// ready reports whether the next item may go.
func (l *Link) ready() bool {
	s := l.s
	return s.flying < len(s.queue) && (s.queue[s.flying].qos == 0 || s.flying < l.window)
}

// pump delivers until there is nothing that may go.
func (l *Link) pump() {
	for {
		out, letter := l.next(time.Now())
		if letter == nil {
			return
		}
		err := l.conn.Deliver(out)
		l.wrote(letter, out.QoS, err)
	}
}

// next is what to deliver now; nil: nothing.
func (l *Link) next(now time.Time) (out Delivery, next *letter) {
	l.d.mu.Lock()
	defer l.d.mu.Unlock()
	for l.s.link == l && l.begun && !l.broken && !l.d.closed && l.ready() {
		if next = l.pick(now, &out); next != nil {
			return out, next
		}
	}
	l.pumping = false
	return out, nil
}

// pick takes the next item, if it still may go to this client.
func (l *Link) pick(now time.Time, out *Delivery) *letter {
	s := l.s
	i := &s.queue[s.flying]
	next := i.letter
	switch {
	case now.After(next.until):
		l.d.expire(next)
		return nil
	case l.largest > 0 && len(next.payload) > l.largest:
		s.remove(next)
		l.d.release(next, s, TooLarge)
		return nil
	}
	*out = Delivery{Device: next.box.device, Payload: next.payload, QoS: i.qos}
	if next.expires {
		out.Expires = max(next.until.Sub(now), time.Second)
	}
	if i.qos == 0 {
		s.remove(next) // it stays one of the owners until it is written
		return next
	}
	if out.Dup = i.id != 0; out.Dup {
		l.d.counts.Again++
	} else {
		i.id = s.newID()
	}
	out.ID = i.id
	s.flying++
	return next
}

// wrote notes what became of a delivery.
func (l *Link) wrote(written *letter, qos byte, err error) {
	l.d.mu.Lock()
	defer l.d.mu.Unlock()
	l.broken = l.broken || err != nil
	if qos > 0 {
		return
	}
	why := Reason("")
	if err != nil {
		why = Unwritten
	}
	l.d.release(written, l.s, why)
}
