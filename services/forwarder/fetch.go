package forwarder

import (
	"context"
	"errors"

	"weir/pkg/gcra"
	"weir/services/internal/bus"
)

// errEnough ends a read.
var errEnough = errors.New("enough is read")

// Times of fetch, ns.
const (
	roomWithin = 20 * second // before a read is given up that is not read on
	readAgain  = second / 10
)

// fetch reads what waits, oldest first, and queues it in its lane.
func (s *Service) fetch(ctx context.Context, c *cycle, l gcra.Lane) error {
	for ctx.Err() == nil {
		s.mu.Lock()
		w := s.core.waiting(l == gcra.Alert)
		s.mu.Unlock()
		if w.first == 0 {
			sleep(ctx, gcra.Never, c.work[l])
			continue
		}
		if err := s.fetchStretch(ctx, c, l, w); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) fetchStretch(ctx context.Context, c *cycle, l gcra.Lane, w stretch) error {
	from := w.first
	take := func(m bus.Message) error {
		if !s.waitForRoom(ctx, c, l, len(m.Data)) {
			return errEnough
		}
		s.queue(c, l, m, w, from)
		if from = m.Seq + 1; from > w.last {
			return errEnough
		}
		return nil
	}
	err := bus.Await(ctx, s.log, func() error { return s.out.Read(ctx, s.cfg.Stream, from, true, take, w.subjects...) })
	switch {
	case ctx.Err() != nil || errors.Is(err, errEnough):
		return nil
	case err != nil:
		return err
	}
	return s.ended(ctx, c, w, from)
}

// waitForRoom waits until a message fits into its queue. It is false where that
// takes long: the read is then given up, and made again from there.
func (s *Service) waitForRoom(ctx context.Context, c *cycle, l gcra.Lane, size int) bool {
	for until := s.now() + roomWithin; ; {
		s.mu.Lock()
		fits := c.queues[l].room(l, size)
		s.mu.Unlock()
		switch left := until - s.now(); {
		case fits:
			return true
		case left <= 0 || !sleep(ctx, left, c.room[l]):
			return false
		}
	}
}

// queue takes a message that waits. What was expected before it is gone.
func (s *Service) queue(c *cycle, l gcra.Lane, m bus.Message, w stretch, from uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget(w, from, m.Seq)
	if s.core.claim(m.Subject, m.Seq) {
		c.queues[l].push(parcel{source: s.core.bySubject[m.Subject], seq: m.Seq, data: m.Data})
	}
	c.ready.wake()
}

// forget forgets what waits and is no longer in the outbox.
func (s *Service) forget(w stretch, from, to uint64) {
	if n := s.core.gone(w.subjects, from, to); n > 0 {
		s.log.Warn("entries were removed from the outbox before they were sent", "entries", n, "from_seq", from, "to_seq", to-1)
	}
}

// ended is told that the outbox ended before all that waits had come: is it gone?
func (s *Service) ended(ctx context.Context, c *cycle, w stretch, from uint64) error {
	err := bus.Await(ctx, s.log, func() error {
		_, err := s.out.Get(ctx, s.cfg.Stream, w.last)
		return err
	})
	switch {
	case errors.Is(err, bus.ErrNone):
		s.mu.Lock()
		defer s.mu.Unlock()
		s.forget(w, from, w.last+1)
		c.ready.wake()
	case ctx.Err() != nil:
	case err != nil:
		return err
	default:
		sleep(ctx, readAgain, nil)
	}
	return nil
}
