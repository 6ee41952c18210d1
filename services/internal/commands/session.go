package commands

import (
	"maps"
	"slices"
	"time"
)

// window is how many commands a session may have been sent and not confirmed.
const window = 16

// session is what a client subscribes to and waits for. Fields are guarded by the
// desk's mutex.
type session struct {
	key    string
	client string
	user   string
	keep   time.Duration // how long it outlives its connection; 0: not at all
	boxes  map[*box]byte // that it subscribes to, and the QoS
	queue  []item        // in order; the first flying of them have been sent on link
	flying int
	lastID uint16
	link   *Link         // nil: it is away
	away   time.Time     // since when
	stored uint64        // number of its record in the store; 0: it has none
	told   time.Duration // keep in that record
}

// item is a letter for a session.
type item struct {
	letter *letter
	qos    byte
	id     uint16 // of its packet; 0: it was never sent
}

// place is where a letter is in the queue; beyond its end if it is not.
func (s *session) place(l *letter) int {
	for i := range s.queue {
		if s.queue[i].letter == l {
			return i
		}
	}
	return len(s.queue)
}

// remove takes a letter out of the queue.
func (s *session) remove(l *letter) {
	i := s.place(l)
	if i == len(s.queue) {
		return
	}
	s.queue = slices.Delete(s.queue, i, i+1)
	if i < s.flying {
		s.flying--
	}
}

// newID is a packet identifier that no unconfirmed packet has.
func (s *session) newID() uint16 {
	for {
		s.lastID++
		if s.lastID != 0 && !slices.ContainsFunc(s.queue, func(i item) bool { return i.id == s.lastID }) {
			return s.lastID
		}
	}
}

// record is what the store keeps of the session.
func (s *session) record() Record {
	r := Record{Client: s.client, User: s.user, Keep: s.keep, Subscriptions: map[Device]byte{}}
	for b, qos := range s.boxes {
		r.Subscriptions[b.device] = qos
	}
	return r
}

// sessionKey tells sessions apart: users share no client identifiers.
func sessionKey(user, client string) string { return user + "\x00" + client }

// subscribe lets a session have a device's commands from now on, and at QoS 1
// those that wait for anybody. d.mu is held, as in what follows.
func (d *Desk) subscribe(s *session, dev Device, qos byte) {
	b := d.box(dev)
	if s.boxes == nil {
		s.boxes = map[*box]byte{} // most connections subscribe to nothing
	}
	b.sessions[s], s.boxes[b] = qos, qos
	for _, l := range slices.Clone(b.letters) {
		if len(l.owners) == 0 && qos > 0 {
			d.give(l, s, qos)
		}
	}
}

// unsubscribe ends that. What was sent may still be confirmed.
func (d *Desk) unsubscribe(s *session, b *box) {
	delete(b.sessions, s)
	delete(s.boxes, b)
	for _, i := range slices.Clone(s.queue[s.flying:]) {
		if i.letter.box == b {
			s.remove(i.letter)
			d.release(i.letter, s, SessionEnded)
		}
	}
	d.tidy(b)
}

// setKeep changes how long a session outlives its connection. One that does not
// is not stored.
func (d *Desk) setKeep(s *session, keep time.Duration) {
	if s.keep > 0 {
		d.lasting--
	}
	if s.keep = keep; keep > 0 {
		d.lasting++
	} else if s.stored != 0 {
		d.forget[s.key] = s.stored + 1
		s.stored = 0
	}
}

// end forgets a session. What it has not confirmed is dropped, unless somebody
// else is to get it.
func (d *Desk) end(s *session) {
	delete(d.sessions, s.key)
	d.setKeep(s, 0)
	s.link = nil
	for b := range maps.Clone(s.boxes) {
		d.unsubscribe(s, b)
	}
	for len(s.queue) > 0 {
		l := s.queue[0].letter
		s.remove(l)
		d.release(l, s, SessionEnded)
	}
}

// leave notes that a session has lost its connection.
func (d *Desk) leave(s *session, now time.Time) {
	s.link, s.away = nil, now
	s.flying = 0
	if s.keep == 0 {
		d.end(s)
		return
	}
	for _, i := range slices.Clone(s.queue) {
		if i.qos == 0 {
			s.remove(i.letter)
			d.release(i.letter, s, Away)
		}
	}
	if len(s.boxes) == 0 && len(s.queue) == 0 {
		d.end(s) // there is nothing to remember
	}
}
