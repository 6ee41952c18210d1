package forwarder

import (
	"slices"
	"sort"

	"weir/schemas"
)

// entry is one message of an outbox that is not known to be applied above. There
// may be hundreds of thousands, so it is 32 bytes.
type entry struct {
	n, seq  uint64
	wall    uint32 // Unix s: when it was cut, as far as its commit says
	size    uint32 // bytes in the outbox, and the bit live
	claimed uint32 // when it was taken to be sent, in steps of order; 0: it waits
	stored  uint32 // when the tier above was known to have stored it, likewise; 0: it is not
}

// live, in entry.size, marks what was made while the link was up and is sent ahead
// of backfill. No message is so large.
const live = 1 << 31

func (e *entry) bytes() int64 { return int64(e.size &^ live) }

// order is the order of what happens to entries on one link. All of them go to one
// partition above, which reads them in the order in which it has stored them.
type order struct {
	step   uint32 // counts claims and confirmations; it stays at its maximum
	passed uint32 // the last claim among what is applied: what was stored before it is applied, or lost
}

func (o *order) next() uint32 {
	if o.step++; o.step == 0 {
		o.step--
	}
	return o.step
}

// space is what the tier above still lacks of one epoch of an outbox subject.
type space struct {
	epoch   schemas.Epoch
	newest  uint64         // greatest number seen
	began   uint64         // the same when the process began, until it sends; 0: it was not there
	known   bool           // the tier above has said what it has applied
	told    bool           // that it is ahead
	applied []schemas.Span // as it last said
	back    bool           // it has said less than before

	owed      []entry // ascending by seq
	bytes     int64   // Σ of owed
	liveBytes int64   // Σ of owed that are live
	idle      int     // entries of owed that wait to be sent
	order     *order  // of the link
	patience  patience
}

// add notes a new entry at the end, and reports whether it is owed.
func (s *space) add(e entry) bool {
	s.newest = max(s.newest, e.n)
	if covers(s.applied, e.n) {
		return false
	}
	s.owed = append(s.owed, e)
	s.bytes += e.bytes()
	s.idle++
	return true
}

// find is an owed entry by its sequence, or nil.
func (s *space) find(seq uint64) *entry {
	if i := s.at(seq); i < len(s.owed) && s.owed[i].seq == seq {
		return &s.owed[i]
	}
	return nil
}

// at is the index of the first owed entry from seq on.
func (s *space) at(seq uint64) int {
	return sort.Search(len(s.owed), func(i int) bool { return s.owed[i].seq >= seq })
}

// claim takes an entry that waits, as live or as backfill.
func (s *space) claim(e *entry, asLive bool) {
	s.began = 0
	e.claimed = s.order.next()
	s.idle--
	if asLive {
		e.size |= live
		s.liveBytes += e.bytes()
	}
}

// release lets a claimed entry wait again, as backfill.
func (s *space) release(e *entry) {
	if e.claimed != 0 {
		s.idle++
	}
	if e.size&live != 0 {
		s.liveBytes -= e.bytes()
	}
	e.size &^= live
	e.claimed, e.stored = 0, 0
}

// restart lets everything wait again: a new link knows nothing of the old one.
func (s *space) restart() {
	for i := range s.owed {
		s.release(&s.owed[i])
	}
	s.patience = patience{}
}

// waiting is the first and the last sequence that waits, 0 where none does.
func (s *space) waiting() (first, last uint64) {
	if s.idle == 0 {
		return 0, 0
	}
	for i := range s.owed {
		if e := &s.owed[i]; e.claimed == 0 {
			if first == 0 {
				first = e.seq
			}
			last = e.seq
		}
	}
	return first, last
}

// grant takes over what the tier above has applied. It returns how many bytes of
// backfill are done with, and how many entries wait again: those that were stored
// before passed, were not applied, and so were lost above. passed is that of the
// order when the tier above was asked.
func (s *space) grant(applied []schemas.Span, passed uint32, now int64) (brought int64, again int) {
	s.back = s.back || !coversAll(applied, s.applied)
	s.known, s.applied = true, applied
	brought = s.remove(func(e *entry) bool {
		if !covers(applied, e.n) {
			return false
		}
		s.order.passed = max(s.order.passed, e.claimed)
		return true
	})
	if !s.lost(passed, func(*entry) {}) || !s.patience.over(now) {
		return brought, 0
	}
	s.lost(passed, func(e *entry) {
		s.release(e)
		again++
	})
	return brought, again
}

// lost calls f for each entry that was lost above, and reports whether any was.
func (s *space) lost(passed uint32, f func(*entry)) (any bool) {
	for i := range s.owed {
		if e := &s.owed[i]; e.stored != 0 && e.stored < passed {
			any = true
			f(e)
		}
	}
	return any
}

// ahead are the numbers in applied that this outbox never had, the first time; else
// To is 0. What was here when the process began is all that can have been sent before.
func (s *space) ahead(applied []schemas.Span) (a schemas.Span) {
	had := s.newest
	if s.began > 0 {
		had = s.began
	}
	if s.told || len(applied) == 0 || applied[len(applied)-1].To <= had {
		return a
	}
	s.told = true
	return schemas.Span{From: had + 1, To: applied[len(applied)-1].To}
}

// remove takes entries off and returns how many bytes of backfill they were.
func (s *space) remove(gone func(*entry) bool) (backfill int64) {
	kept := s.owed[:0]
	for i := range s.owed {
		e := &s.owed[i]
		if !gone(e) {
			kept = append(kept, *e)
			continue
		}
		s.bytes -= e.bytes()
		if e.claimed == 0 {
			s.idle--
		}
		if e.size&live != 0 {
			s.liveBytes -= e.bytes()
		} else {
			backfill += e.bytes()
		}
	}
	s.owed = kept
	if cap(kept) > 1024 && cap(kept) > 4*len(kept) { // a long outage is over
		s.owed = append(make([]entry, 0, 2*len(kept)), kept...)
	}
	return backfill
}

// ascending reports whether spans are in order and apart.
func ascending(spans []schemas.Span) bool {
	for i, s := range spans {
		if s.To < s.From || i > 0 && s.From <= spans[i-1].To {
			return false
		}
	}
	return true
}

// covers reports whether one of the ascending spans holds n.
func covers(spans []schemas.Span, n uint64) bool {
	i := sort.Search(len(spans), func(i int) bool { return spans[i].To >= n })
	return i < len(spans) && spans[i].From <= n
}

// coversAll reports whether ascending spans hold all that others hold.
func coversAll(spans, others []schemas.Span) bool {
	return !slices.ContainsFunc(others, func(o schemas.Span) bool {
		i := sort.Search(len(spans), func(i int) bool { return spans[i].To >= o.From })
		return i == len(spans) || spans[i].From > o.From || spans[i].To < o.To
	})
}

// patience bounds how often something is tried again that did not help.
type patience struct{ until, wait int64 } // ns

// Waits of patience, ns.
const (
	shortPatience = 1_000_000_000
	longPatience  = 300_000_000_000
)

// over reports whether it may be tried now; the next time takes twice as long.
func (p *patience) over(now int64) bool {
	if now < p.until {
		return false
	}
	p.wait = min(max(2*p.wait, shortPatience), longPatience)
	p.until = now + p.wait
	return true
}
