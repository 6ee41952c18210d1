package forwarder

import (
	"context"
	"errors"
	"fmt"

	"weir/pkg/gcra"
	"weir/services/internal/bus"
)

// heads are the next message of each lane, ready to be sent; nil: there is none.
type heads [gcra.Lanes]*parcel

// pump sends what is queued, one message after the other, in the order of the
// lanes and at their pace.
func (s *Service) pump(ctx context.Context, c *cycle) {
	var h heads
	for ctx.Err() == nil {
		s.fill(c, &h)
		l, wait := s.choose(c, &h)
		if l == gcra.None {
			sleep(ctx, wait, c.ready)
			continue
		}
		p := h[l]
		h[l] = nil
		s.send(ctx, c, l, *p)
	}
}

// fill readies the next message of each lane.
func (s *Service) fill(c *cycle, h *heads) {
	for l := range h {
		for h[l] == nil || !s.owes(h[l]) {
			p, ok := s.pop(c, gcra.Lane(l))
			if h[l] = nil; !ok {
				break
			}
			if s.seal(&p) {
				h[l] = &p
			}
		}
	}
}

func (s *Service) owes(p *parcel) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.core.owes(p.source, p.seq)
}

func (s *Service) pop(c *cycle, l gcra.Lane) (parcel, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := c.queues[l].pop()
	if ok {
		c.room[l].wake()
	}
	return p, ok
}

// seal strips and packs a message. It is false where that cannot be: the message
// is passed by.
func (s *Service) seal(p *parcel) bool {
	plain, _, err := s.strip.Append(s.plain[:0], p.data)
	if err != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.core.spoiled(p.source, p.seq, err)
		s.logDamage()
		return false
	}
	s.plain = plain
	p.data = s.packer.Pack(nil, plain)
	return true
}

// choose names the lane that sends next, or how long until one may.
func (s *Service) choose(c *cycle, h *heads) (l gcra.Lane, wait int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if now < c.pause.until {
		return gcra.None, c.pause.until - now
	}
	var waiting [gcra.Lanes]int64
	for l, p := range h {
		if p != nil {
			waiting[l] = int64(len(p.data))
		}
	}
	if p := h[gcra.Backfill]; p != nil && !s.mayFill(now, c, p) {
		waiting[gcra.Backfill] = 0
	}
	l, wait = s.pacer.Next(now, waiting)
	if l != gcra.None {
		s.spend(c, l, h[l])
	}
	return l, wait
}

// mayFill reports whether backfill may go, but for the budget. Where it may not,
// an answer, a confirmation or an alert comes first.
func (s *Service) mayFill(now int64, c *cycle, p *parcel) bool {
	n := int64(len(p.data))
	alerts := s.core.alerted() || len(c.queues[gcra.Alert].parcels) > 0
	return !alerts && p.source.credit.allows(now, n) && c.window.open(n)
}

// spend notes that a message goes.
func (s *Service) spend(c *cycle, l gcra.Lane, p *parcel) {
	n := int64(len(p.data))
	s.sent += uint64(n)
	if l == gcra.Backfill {
		p.source.credit.spend(n)
		c.window.send(n)
	}
}

func (s *Service) send(ctx context.Context, c *cycle, l gcra.Lane, p parcel) {
	at := s.now()
	done := func(err error) { s.landed(c, l, p, at, err) }
	if err := s.up.Send(ctx, s.cfg.inbox(p.source.producer, l), p.data, done); err != nil {
		done(err)
	}
}

// landed is told what became of a message.
func (s *Service) landed(c *cycle, l gcra.Lane, p parcel, at int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cycle != c {
		return // of a link that is no more
	}
	now, n := s.now(), int64(len(p.data))
	if l == gcra.Backfill {
		c.window.land(n)
	}
	switch {
	case err == nil:
		s.answered()
		s.core.stored(p.source, p.seq)
		c.stored++
		c.pause.room()
		if l == gcra.Backfill {
			c.window.confirm(now, at, n)
		}
		if c.resting {
			c.resting = false
			c.busy.wake()
		}
	case errors.Is(err, bus.ErrFull):
		s.core.refused(p.source, p.seq)
		c.pause.full(now, jitter())
		c.fetchers(p.source.alert).wake()
	default:
		c.fail(fmt.Errorf("send message %d of %s: %w", p.seq, p.source.subject, err))
	}
	c.ready.wake()
}
