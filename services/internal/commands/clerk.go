package commands

import (
	"context"
	"encoding/json"
	"strings"
	"time"
)

// Message is a command as it came.
type Message struct {
	Subject string // cmd.<tenant>.<device>
	Data    []byte
	Expires time.Duration // how long it is of use; 0: the sender does not say
	// Reply answers whoever wants to know what becomes of it. It must not block. nil:
	// nobody does.
	Reply func(data []byte, header ...string) error
}

// ErrorHeader is the header of a reply that says why a command was dropped.
const ErrorHeader = "Weir-Error"

// What may wait to be looked at.
const (
	inboxMessages = 20_000
	inboxBytes    = 4 << 20
)

// parse splits a command's subject.
func parse(subject string) (dev Device, ok bool) {
	root, rest, _ := strings.Cut(subject, ".")
	dev.Tenant, dev.Name, _ = strings.Cut(rest, ".")
	return dev, root == "cmd" && dev.Valid()
}

// Take takes a command. It does not block.
func (d *Desk) Take(m Message) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.counts.Heard++
	if d.closed || len(d.inbox) >= inboxMessages || d.inBytes+len(m.Data) > inboxBytes {
		d.dropped(Overrun)
		d.answer(m, refusal{Overrun})
		return
	}
	d.inbox, d.inBytes = append(d.inbox, m), d.inBytes+len(m.Data)
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// clerk looks at messages in order until ctx ends and none is left. The store is
// called with working.
func (d *Desk) clerk(ctx, working context.Context) {
	for {
		d.mu.Lock()
		batch := d.inbox
		d.inbox, d.inBytes = nil, 0
		d.mu.Unlock()
		for _, m := range batch {
			d.process(working, m)
		}
		if len(batch) > 0 {
			continue
		}
		select {
		case <-d.wake:
		case <-ctx.Done():
			return
		}
	}
}

// process stores a command if it has to be, and hands it out.
func (d *Desk) process(ctx context.Context, m Message) {
	now := time.Now()
	dev, ok := parse(m.Subject)
	d.mu.Lock()
	why, keep := d.judge(dev, ok, len(m.Data))
	if why != "" {
		d.dropped(why)
		d.mu.Unlock()
		if why != NoSession { // somebody else may know the device
			d.answer(m, refusal{why})
		}
		return
	}
	d.mu.Unlock()
	c := Stored{Device: dev, Payload: m.Data, Came: now}
	if m.Expires > 0 {
		c.Expires = now.Add(m.Expires)
	}
	seq := uint64(0)
	if keep {
		seq = d.keep(ctx, c)
	}
	d.mu.Lock()
	connected, why := d.place(d.letterOf(seq, c, now))
	d.mu.Unlock()
	if why != "" {
		d.answer(m, refusal{why})
		return
	}
	if seq != 0 && connected > 0 {
		d.handOver(ctx, dev)
	}
	d.answer(m, receipt{Kept: seq != 0, Connected: connected})
}

// judge says why a command is dropped at once, or whether it is to be stored: for
// a session that outlives its connection, or for a device that commands are kept
// for while nobody takes them. d.mu is held.
func (d *Desk) judge(dev Device, ok bool, size int) (why Reason, keep bool) {
	switch {
	case !ok:
		return BadSubject, false
	case size > d.cfg.Largest:
		return TooLarge, false
	}
	named, b := d.named(dev), d.boxes[dev]
	if b == nil {
		b = &box{}
	}
	confirmed, lasting := b.confirms()
	switch {
	case !b.attached() && !lasting && !named:
		return b.absence(), false
	case d.bytes+int64(size)+overhead > d.cfg.Bytes:
		return Full, false
	}
	return "", lasting || named && (confirmed || !b.attached())
}

// keep stores a command; 0: it could not be stored.
func (d *Desk) keep(ctx context.Context, c Stored) uint64 {
	ctx, cancel := context.WithTimeout(ctx, storeWithin)
	defer cancel()
	seq, err := d.store.Keep(ctx, c)
	if err != nil {
		d.log.Error("a command is not kept", "tenant", c.Tenant, "device", c.Name, "err", err)
		return 0
	}
	return seq
}

// receipt is the reply to a command that was taken.
type receipt struct {
	Kept      bool `json:"kept"`      // it is stored until the device has confirmed it
	Connected int  `json:"connected"` // sessions that get it now
}

// refusal is the reply to a command that was dropped.
type refusal struct {
	Error Reason `json:"error"`
}

func (d *Desk) answer(m Message, what any) {
	if m.Reply == nil {
		return
	}
	var header []string
	if r, ok := what.(refusal); ok {
		header = []string{ErrorHeader, string(r.Error)}
	}
	data, err := json.Marshal(what)
	if err == nil {
		err = m.Reply(data, header...)
	}
	if err != nil {
		d.log.Debug("a command stays unanswered", "subject", m.Subject, "err", err)
	}
}
