package commands

import (
	"slices"
	"time"

	"weir/schemas"
)

// Device says whose commands they are.
type Device struct{ Tenant, Name string }

// Valid reports whether both names are names.
func (d Device) Valid() bool { return schemas.ValidName(d.Tenant) && schemas.ValidName(d.Name) }

// letter is one command on its way.
type letter struct {
	box     *box
	payload []byte
	seq     uint64     // its number in the store; 0: it is in memory only
	until   time.Time  // when it is dropped
	expires bool       // the sender wanted it so
	owners  []*session // that are to get it and have not
	reached bool       // a session has got it
	done    bool       // its outcome is counted
}

// overhead is what a letter takes beside its payload, in bytes, about.
const overhead = 256

func (l *letter) size() int64 { return int64(len(l.payload)) + overhead }

// flying reports whether some connected device has been sent it and has not
// answered.
func (l *letter) flying() bool {
	return slices.ContainsFunc(l.owners, func(s *session) bool {
		return s.link != nil && s.place(l) < s.flying
	})
}

// box is the commands of one device.
type box struct {
	device   Device
	sessions map[*session]byte // that subscribe, and with which QoS
	letters  []*letter         // not done yet, in the order in which they came
	bytes    int64             // that these take
	last     uint64            // greatest number that the store gave to one of them
	dropped  uint64            // the store has been told to drop what is below
}

// below is the number below which the store need not keep anything of the device.
func (b *box) below() uint64 {
	for _, l := range b.letters {
		if l.seq != 0 {
			return l.seq
		}
	}
	return b.last + 1
}

// attached reports whether a connected session subscribes.
func (b *box) attached() bool {
	for s := range b.sessions {
		if s.link != nil {
			return true
		}
	}
	return false
}

// confirms reports whether a session subscribes that will confirm, and whether
// one of these outlives its connection.
func (b *box) confirms() (one, lasting bool) {
	for s, qos := range b.sessions {
		if qos > 0 {
			one, lasting = true, lasting || s.keep > 0
		}
	}
	return one, lasting
}

// box is the box of a device, made if need be. d.mu is held, as in what follows.
func (d *Desk) box(dev Device) *box {
	b := d.boxes[dev]
	if b == nil {
		b = &box{device: dev, sessions: map[*session]byte{}}
		d.boxes[dev] = b
	}
	return b
}

// tidy forgets a box in which nothing is.
func (d *Desk) tidy(b *box) {
	if len(b.letters) == 0 && len(b.sessions) == 0 && b.last == 0 {
		delete(d.boxes, b.device)
	}
}

func (d *Desk) named(dev Device) bool {
	return d.cfg.Named != nil && d.cfg.Named(dev.Tenant, dev.Name)
}

// perDeviceShare of all bytes is the most that one device's commands may take.
const perDeviceShare = 8

// add puts a letter into its box. Where there are too many, the oldest goes that
// no device is about to confirm.
func (d *Desk) add(l *letter) {
	b := l.box
	b.letters = append(b.letters, l)
	b.last = max(b.last, l.seq)
	b.bytes += l.size()
	d.bytes += l.size()
	d.counts.Waiting++
	for len(b.letters) > d.cfg.PerDevice || len(b.letters) > 1 && b.bytes > d.cfg.Bytes/perDeviceShare {
		victim := max(0, slices.IndexFunc(b.letters, func(l *letter) bool { return !l.flying() }))
		d.discard(b.letters[victim], QueueFull)
	}
}

// give puts a letter into the queue of a session.
func (d *Desk) give(l *letter, s *session, qos byte) {
	l.owners = append(l.owners, s)
	s.queue = append(s.queue, item{letter: l, qos: qos})
	d.kick(s)
}

// release notes that a session needs a letter no more: because it has got it, or
// for a reason. A letter that nobody has got waits on where its device is named.
func (d *Desk) release(l *letter, s *session, why Reason) {
	l.owners = slices.DeleteFunc(l.owners, func(o *session) bool { return o == s })
	l.reached = l.reached || why == ""
	switch {
	case l.done || len(l.owners) > 0:
	case l.reached:
		d.counts.Delivered++
		d.finish(l)
	case l.seq == 0 || !d.named(l.box.device) || why == Refused || why == TooLarge:
		d.dropped(why)
		d.finish(l)
	}
}

// discard drops a letter whoever waits for it.
func (d *Desk) discard(l *letter, why Reason) {
	d.dropped(why)
	d.finish(l)
}

// expire is discard for a letter whose time is over.
func (d *Desk) expire(l *letter) {
	d.counts.Expired++
	d.finish(l)
}

// finish takes a letter out everywhere.
func (d *Desk) finish(l *letter) {
	l.done = true
	l.box.bytes -= l.size()
	d.bytes -= l.size()
	d.counts.Waiting--
	for _, s := range l.owners {
		s.remove(l)
		d.kick(s)
	}
	l.owners = nil
	b := l.box
	b.letters = slices.DeleteFunc(b.letters, func(o *letter) bool { return o == l })
	if b.last != 0 && b.below() > b.dropped {
		d.dirty[b] = struct{}{}
	}
	d.tidy(b)
}
