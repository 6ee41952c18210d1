package forwarder

import (
	"context"
	"errors"
	"fmt"
	"math"

	"weir/pkg/gcra"
	"weir/schemas"
	"weir/services/internal/bus"
)

// watch reads the outbox once, and goes on: it notes every entry, and hands what
// is new to the link that is up.
func (s *Service) watch(ctx context.Context) error {
	var u bus.Usage
	err := bus.Await(ctx, s.log, func() (err error) {
		u, err = s.out.Usage(ctx, s.cfg.Stream, "")
		return err
	})
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.core.unsent = u.LastSeq // unless a mark says more
	s.mu.Unlock()
	behind := u.Messages > 0
	caughtUp := func() {
		behind = false
		s.mu.Lock()
		s.core.begin()
		s.mu.Unlock()
		close(s.caught)
	}
	if !behind {
		caughtUp()
	}
	return s.out.Read(ctx, s.cfg.Stream, 1, false, func(m bus.Message) error {
		err := s.note(m)
		if behind && (m.Seq >= u.LastSeq || m.Pending == 0) {
			caughtUp()
		}
		return err
	})
}

// note takes one message. A newer version of the format is not damage: to pass
// its entries by would lose them.
func (s *Service) note(m bus.Message) error {
	if _, kind, _ := schemas.SourceOf(m.Subject); kind == schemas.KindMark {
		s.noteMark(m.Seq)
		return nil
	}
	head, err := s.heads.Decode(m.Data, 0)
	if newer := (*schemas.NewerVersionError)(nil); errors.As(err, &newer) {
		return fmt.Errorf("message %d of %s on %s: %w", m.Seq, s.cfg.Stream, m.Subject, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.core.damage.count
	if src, e := s.core.note(m, head, err); e != nil && s.cycle != nil {
		s.offer(src, e, m.Data)
	}
	if s.core.damage.count > before {
		s.logDamage()
	}
	return nil
}

// noteMark takes what an earlier process, or this one, has left.
func (s *Service) noteMark(seq uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cycle == nil {
		s.core.unsent, s.core.marked = seq, seq
	}
}

// offer queues what is new to be sent at once. Where the link is too slow for it,
// it waits with the backfill.
func (s *Service) offer(src *source, e *entry, data []byte) {
	c, l := s.cycle, gcra.Live
	if src.alert {
		l = gcra.Alert
	}
	if !c.queues[l].room(l, len(data)) {
		c.fetchers(src.alert).wake()
		return
	}
	s.core.live(src, e)
	c.queues[l].push(parcel{source: src, seq: e.seq, data: data})
	c.ready.wake()
}

// logDamage tells of the first damaged message, the second, the fourth and so on.
func (s *Service) logDamage() {
	if n := s.core.damage.count; n&(n-1) == 0 {
		s.log.Error("outbox has a message that cannot be sent; it is passed by", "message", s.core.damage.newest, "so_far", n)
	}
}

// purgeEvery is the time between two purges, ns.
const purgeEvery = 5 * second

// purge removes what is applied above, again and again.
func (s *Service) purge(ctx context.Context) {
	for sleep(ctx, purgeEvery, nil) {
		if err := s.purgeOnce(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("outbox not purged", "err", err)
		}
		if err := s.makeRoom(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("no room is made in the outbox", "err", err)
		}
	}
}

func (s *Service) purgeOnce(ctx context.Context) error {
	limit, err := s.purgeLimit(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for subject, below := range s.removable(limit) {
		if err := s.out.Purge(ctx, subject, below); err != nil {
			errs = append(errs, err)
			continue
		}
		s.mu.Lock()
		s.core.bySubject[subject].removed(below)
		s.mu.Unlock()
	}
	return errors.Join(errs...)
}

// purgeLimit is the sequence below which the outbox may be purged at all now: a
// quarter of it at a time once there is more than is kept; 0: nothing.
func (s *Service) purgeLimit(ctx context.Context) (uint64, error) {
	if s.cfg.Keep == 0 {
		return math.MaxUint64, nil
	}
	u, err := s.out.Usage(ctx, s.cfg.Stream, "")
	if err != nil || float64(u.Bytes) < s.cfg.Keep*float64(u.MaxBytes) {
		return 0, err
	}
	limit := u.FirstSeq + (u.LastSeq-u.FirstSeq)/4
	if s.cfg.Needed == nil || float64(u.Bytes) >= nearlyFull*float64(u.MaxBytes) {
		return limit, nil
	}
	needed, err := s.cfg.Needed(ctx)
	return min(limit, needed), err
}

// nearlyFull is the part of the outbox's cap above which nobody is waited for: a
// full outbox would hold up its producer.
const nearlyFull = 0.9

// removable is below which sequence each subject may be removed now.
func (s *Service) removable(limit uint64) map[string]uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]uint64{}
	for _, src := range s.core.sources {
		if below := src.removable(limit); below > 0 {
			out[src.subject] = below
		}
	}
	return out
}
