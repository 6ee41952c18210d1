package forwarder

import (
	"math"
	"slices"

	"weir/schemas"
	"weir/services/internal/bus"
)

// source is what is known of one outbox subject: a producer's entries of a kind.
type source struct {
	subject  string
	producer string
	alert    bool // of another kind than commits: it goes first
	folded   bool // entries that stand for several of its sibling's
	old      bool // there were some when the process began
	sibling  *source

	order  *order   // of the link
	seq    uint64   // of the newest message noted
	wall   uint32   // of the newest commit that says one, Unix s
	spaces []*space // in order of first sight; there is nearly always one
	newest *space   // that of the newest entry; nil: there is none
	run    anchor   // of the newest entry
	whole  anchor   // of the newest entry that ends its run; seq 0: there is none
	purged uint64   // everything below is removed
	credit *credit  // shared with its sibling
}

// anchor is the run of entries that makes one commit.
type anchor struct {
	epoch schemas.Epoch
	first uint64 // number of its first entry
	seq   uint64 // of the first message of it that was there
}

// note takes the head of the next message, and returns its entry if the tier
// above lacks it, else nil.
func (s *source) note(m bus.Message, c *schemas.Commit) *entry {
	if m.Seq <= s.seq {
		return nil
	}
	if s.seq == 0 {
		s.purged = m.Seq // there is nothing before it
	}
	s.seq = m.Seq
	if c.Wall > 0 {
		s.wall = uint32(min(c.Wall/second, math.MaxUint32))
	}
	if !s.has(c.Epoch) {
		s.space(c.Epoch).began = c.First() - 1
	}
	s.newest = s.space(c.Epoch)
	if s.run.seq == 0 || s.run.first != c.RunFirst || s.run.epoch != c.Epoch {
		s.run = anchor{epoch: c.Epoch, first: c.RunFirst, seq: m.Seq}
	}
	if c.End {
		s.whole = s.run
	}
	if !s.newest.add(entry{n: c.N, seq: m.Seq, wall: s.wall, size: uint32(len(m.Data))}) {
		return nil
	}
	return &s.newest.owed[len(s.newest.owed)-1]
}

func (s *source) space(e schemas.Epoch) *space {
	for _, sp := range s.spaces {
		if sp.epoch == e {
			return sp
		}
	}
	sp := &space{epoch: e, order: s.order}
	s.spaces = append(s.spaces, sp)
	return sp
}

// has reports whether entries of an epoch have been noted.
func (s *source) has(e schemas.Epoch) bool {
	return slices.ContainsFunc(s.spaces, func(sp *space) bool { return sp.epoch == e })
}

// replaces forgets the entries that a folded one stands for: it was stored before they
// were removed.
func (s *source) replaces(seq uint64, c *schemas.Commit) {
	for _, o := range [...]*source{s, s.sibling} {
		if o != nil && o.has(c.Epoch) {
			o.space(c.Epoch).remove(func(e *entry) bool { return e.n >= c.First() && e.n <= c.N && e.seq < seq })
		}
	}
}

// find is an owed entry and its space, or nil.
func (s *source) find(seq uint64) (*space, *entry) {
	for _, sp := range s.spaces {
		if e := sp.find(seq); e != nil {
			return sp, e
		}
	}
	return nil, nil
}

// waiting is the first and the last sequence that waits, 0 where none does.
func (s *source) waiting() (first, last uint64) {
	for _, sp := range s.spaces {
		f, l := sp.waiting()
		first, last = least(first, f), max(last, l)
	}
	return first, last
}

// idle is how many entries wait.
func (s *source) idle() (n int) {
	for _, sp := range s.spaces {
		n += sp.idle
	}
	return n
}

// drop forgets what is owed from one sequence to before another, where which
// says so, and returns how many entries that were.
func (s *source) drop(from, to uint64, which func(*entry) bool) (n int) {
	for _, sp := range s.spaces {
		if i := sp.at(from); i == len(sp.owed) || sp.owed[i].seq >= to {
			continue
		}
		before := len(sp.owed)
		sp.remove(func(e *entry) bool { return e.seq >= from && e.seq < to && which(e) })
		n += before - len(sp.owed)
	}
	return n
}

// gone forgets what waits from one sequence to before another: the outbox holds it
// no more.
func (s *source) gone(from, to uint64) (n int) {
	n = s.drop(from, to, func(e *entry) bool { return e.claimed == 0 })
	if n > 0 && s.whole.seq >= from && s.whole.seq < to {
		s.whole = anchor{} // an older one may be the newest now: nothing is removed until there is another
	}
	return n
}

// removable is the sequence below which the subject may be removed, 0 where
// nothing may: everything below is applied above, and the newest whole commit and
// what follows it stay. Where the tier above has not said what it has of the newest
// epoch, nothing may. It is at most limit.
func (s *source) removable(limit uint64) uint64 {
	if s.newest == nil || !s.newest.known {
		return 0
	}
	below := min(s.whole.seq, limit)
	if s.folded {
		below = min(s.seq+1, limit) // it is nobody's anchor
	}
	for _, sp := range s.spaces {
		if len(sp.owed) > 0 {
			below = min(below, sp.owed[0].seq)
		}
	}
	if below <= s.purged {
		return 0
	}
	return below
}

// removed notes that everything below has been removed.
func (s *source) removed(below uint64) {
	s.purged = below
	s.spaces = slices.DeleteFunc(s.spaces, func(sp *space) bool { return sp != s.newest && len(sp.owed) == 0 })
}

// debt is what the tier above lacks.
type debt struct {
	entries         uint64
	bytes, backfill int64
	oldest          int64 // Unix ns; 0: nothing
}

func (d *debt) add(o debt) {
	d.entries += o.entries
	d.bytes += o.bytes
	d.backfill += o.backfill
	d.oldest = least(d.oldest, o.oldest)
}

func (s *source) debt() (d debt) {
	for _, sp := range s.spaces {
		one := debt{entries: uint64(len(sp.owed)), bytes: sp.bytes, backfill: sp.bytes - sp.liveBytes}
		if len(sp.owed) > 0 {
			one.oldest = max(int64(sp.owed[0].wall), 1) * second
		}
		d.add(one)
	}
	return d
}
