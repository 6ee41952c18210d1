package gateway

import (
	"container/heap"
	"math"
	"sort"

	"weir/schemas"
)

// maxHoles bounds the holes in one epoch's numbers, and the commits of which
// entries are missing: each has a hole of its own, or is the newest.
const maxHoles = 4096

// heading is the end of a commit: what it says beside its windows.
type heading struct {
	first, n   uint64 // the commit is the entries first … n
	time, wall int64
	config     uint64
	inLast     uint64 // of the input that it was made from
	inHash     uint64 // of that message
	views      []schemas.Progress
	totals     []schemas.Total // nil once a newer commit is whole
}

func headingOf(c *schemas.Commit) *heading {
	return &heading{first: c.RunFirst, n: c.N, time: c.Time, wall: c.Wall, config: c.ConfigRev, inLast: c.InLast, inHash: c.InHash, views: c.Views, totals: c.Totals}
}

// view is what it says of a view; nil: nothing.
func (h *heading) view(name string) *schemas.Progress {
	for i := range h.views {
		if h.views[i].View == name {
			return &h.views[i]
		}
	}
	return nil
}

// through is the final_through of a view.
func (h *heading) through(view string) int64 {
	if v := h.view(view); v != nil {
		return v.FinalThrough
	}
	return never
}

// stretch is a run of entry numbers that are applied, both ends included.
type stretch struct {
	from, to uint64
	oldest   int64    // agent time of the first end of a commit in it; math.MaxInt64: there is none
	newest   *heading // of the last end in it, whose commit may begin in the hole before; nil: none
	merged   bool     // it has swallowed another since its parts were last judged

	// The parts whose first entry is in the stretch. As long as numbers are missing
	// between that entry and the one that makes a part final, what is on its way may
	// be a revision of it.
	open   map[string]*byEnd // by view: not final until final_through passes them
	finals []*part           // their final revision is behind a hole
}

// whole is the newest commit of which nothing is missing; nil: there is none.
// Commits are as dense as numbers, so one that begins in the hole before the
// stretch is the only one that ends in it, if it is the newest.
func (st *stretch) whole() *heading {
	if st.newest == nil || st.newest.first < st.from {
		return nil
	}
	return st.newest
}

// note takes the end of a commit whose number is in the stretch.
func (st *stretch) note(h *heading) {
	st.oldest = min(st.oldest, h.time)
	if st.newest == nil || h.n > st.newest.n {
		st.newest = h
	}
}

// swallow takes all of the next stretch, which begins where st ends.
func (st *stretch) swallow(next *stretch) {
	st.to, st.oldest, st.merged = next.to, min(st.oldest, next.oldest), true
	if next.newest != nil {
		st.newest = next.newest
	}
	for view, parts := range next.open {
		for _, p := range *parts {
			st.push(view, p)
		}
	}
	st.finals = append(st.finals, next.finals...)
}

func (st *stretch) push(view string, p *part) {
	parts := st.open[view]
	if parts == nil {
		if st.open == nil {
			st.open = map[string]*byEnd{}
		}
		parts = new(byEnd)
		st.open[view] = parts
	}
	heap.Push(parts, p)
}

// settle hands the parts to done that nothing can revise any more.
func (st *stretch) settle(done func(*part)) {
	if st.merged {
		st.merged = false
		waiting := st.finals
		st.finals = nil
		for _, p := range waiting {
			if p.at > st.to {
				st.finals = append(st.finals, p)
				continue
			}
			done(p)
		}
	}
	h := st.whole()
	if h == nil {
		return
	}
	for view, parts := range st.open {
		through := h.through(view)
		for len(*parts) > 0 && (*parts)[0].End <= through {
			p := heap.Pop(parts).(*part)
			p.queued = false
			if !p.held && !p.fresh && !p.final {
				done(p)
			}
		}
	}
}

// run is a commit of which entries are missing.
type run struct {
	first uint64
	end   *heading // nil: it has not come
	fresh []*part  // revised by its entries
}

// space is what has been applied of one epoch of a producer. A hole in its
// numbers is a debt.
type space struct {
	stretches []*stretch // ascending, disjoint, not touching
	runs      map[uint64]*run
	floating  map[uint64][]*part // by first entry, which has not come
	newest    *heading           // the newest commit of which nothing is missing; nil: none yet
	counted   map[string]uint64  // Σ count of the latest revisions of every part ever applied, by view
	off       int64              // difference from what the producer says, when nothing was missing last
	retired   bool               // given up: nothing of it is taken any more
	logs      passedLogs
	stands    stands                 // of a gateway
	knows     map[schemas.Epoch]bool // of a gateway: epochs of its producers
	succession
}

func newSpace() *space {
	return &space{runs: map[uint64]*run{}, floating: map[uint64][]*part{}, counted: map[string]uint64{}, logs: newPassedLogs(), stands: newStands(), knows: map[schemas.Epoch]bool{}, succession: newSuccession()}
}

// refuses reports whether an entry is not applied, because it would make one hole
// or one broken commit too many: it stays a debt, and its producer brings it again.
func (s *space) refuses(c *schemas.Commit) bool {
	_, apart := s.beside(c.N)
	return s.splits(c) || apart && len(s.stretches) > maxHoles || s.runs[c.RunFirst] == nil && len(s.runs) > maxHoles
}

// splits reports whether an entry stands for numbers of which some are applied and
// others are not: neither can be told apart in it.
func (s *space) splits(c *schemas.Commit) bool {
	i := sort.Search(len(s.stretches), func(i int) bool { return s.stretches[i].to >= c.First() })
	return i < len(s.stretches) && s.stretches[i].from <= c.N && (s.stretches[i].from > c.First() || s.stretches[i].to < c.N)
}

// beside is the stretch that holds or touches an entry, or else the place of one
// that would be apart from all others.
func (s *space) beside(n uint64) (i int, apart bool) {
	i = sort.Search(len(s.stretches), func(i int) bool { return s.stretches[i].to+1 >= n })
	return i, i == len(s.stretches) || n+1 < s.stretches[i].from
}

// add notes the numbers of an entry and returns their stretch; nil: they are there
// already, or their epoch is given up.
func (s *space) add(c *schemas.Commit) *stretch {
	first, n := c.First(), c.N
	i, apart := s.beside(n)
	switch {
	case s.retired:
		return nil
	case first < n:
		return s.addSpan(first, n)
	case apart:
		return s.insert(i, n)
	}
	st := s.stretches[i]
	switch {
	case n >= st.from && n <= st.to:
		return nil
	case n < st.from:
		st.from = n
	default:
		st.to = n
		s.join(i)
	}
	return st
}

// join lets a stretch swallow the next one, if that begins where it ends.
func (s *space) join(i int) {
	if st := s.stretches[i]; i+1 < len(s.stretches) && s.stretches[i+1].from == st.to+1 {
		st.swallow(s.stretches[i+1])
		s.stretches = append(s.stretches[:i+1], s.stretches[i+2:]...)
	}
}

// addSpan notes numbers that one entry stands for; see add. All of them are missing,
// or none can be taken.
func (s *space) addSpan(from, to uint64) *stretch {
	i := sort.Search(len(s.stretches), func(i int) bool { return s.stretches[i].to >= from })
	if i < len(s.stretches) && s.stretches[i].from <= to {
		return nil
	}
	st := s.insert(i, from)
	st.to = to
	s.join(i)
	if i > 0 && s.stretches[i-1].to+1 == from {
		st = s.stretches[i-1]
		s.join(i - 1)
	}
	return st
}

func (s *space) insert(i int, n uint64) *stretch {
	s.stretches = append(s.stretches, nil)
	copy(s.stretches[i+1:], s.stretches[i:])
	s.stretches[i] = &stretch{from: n, to: n, oldest: math.MaxInt64}
	return s.stretches[i]
}

// at is the stretch that holds an entry; nil: it has not come.
func (s *space) at(n uint64) *stretch {
	i := sort.Search(len(s.stretches), func(i int) bool { return s.stretches[i].to >= n })
	if i == len(s.stretches) || s.stretches[i].from > n {
		return nil
	}
	return s.stretches[i]
}

// place puts a part, of which no revision is on its way in a commit that has
// begun, where its end is watched. It hands it to done if that has come.
func (s *space) place(p *part, done func(*part)) {
	st := s.at(p.FirstN)
	switch {
	case p.final:
	case st == nil:
		s.floating[p.FirstN] = append(s.floating[p.FirstN], p)
	case p.Timing == schemas.FinalTiming && p.at <= st.to:
		done(p)
	case p.Timing == schemas.FinalTiming:
		st.finals = append(st.finals, p)
	case !p.queued && !p.held && !p.of.late():
		p.queued = true
		st.push(p.View, p)
	}
}

// anchor places the parts that began with an entry that has just come.
func (s *space) anchor(n uint64, done func(*part)) {
	waiting := s.floating[n]
	delete(s.floating, n)
	for _, p := range waiting {
		if !p.fresh {
			s.place(p, done)
		}
	}
}

// anchorAll does so for the entries from one to another.
func (s *space) anchorAll(from, to uint64, done func(*part)) {
	if from == to {
		s.anchor(to, done)
		return
	}
	for _, n := range sortedKeys(s.floating) {
		if n >= from && n <= to {
			s.anchor(n, done)
		}
	}
}

// holes reports whether entries below the newest one are missing, and since
// which agent time.
func (s *space) holes() (since int64, some bool) {
	if len(s.stretches) == 0 || s.retired || len(s.stretches) == 1 && s.stretches[0].from == 1 && len(s.endings) == 0 || s.debt() == 0 {
		return 0, false
	}
	first := s.stretches[0]
	if h := first.whole(); h != nil && first.from == 1 {
		return h.time, true
	}
	since = math.MaxInt64
	for _, st := range s.stretches {
		since = min(since, st.oldest)
	}
	if since == math.MaxInt64 {
		since = never // no commit of it has ended: nobody waits for such an epoch
	}
	return since, true
}

// solid is the final_through of a view as of the newest commit before the first
// hole.
func (s *space) solid(view string) int64 {
	if first := s.stretches[0]; first.from == 1 && first.whole() != nil {
		return first.whole().through(view)
	}
	return never
}

// ahead bounds how far the times of records may be ahead of their agent's: twice
// the default max_future.
const ahead = 10 * wholeSecond

// lacks reports whether entries are missing that may hold records of a window:
// it was not final before the first hole, and had begun by the end of the last.
func (s *space) lacks(w *schemas.Window) bool {
	if _, some := s.holes(); !some {
		return false
	}
	last := s.stretches[len(s.stretches)-1]
	return w.End > s.solid(w.View) && w.Start-ahead < last.oldest
}

// debt is how many entries below the newest one are missing.
func (s *space) debt() (n uint64) {
	if s.retired {
		return 0
	}
	next, last := uint64(1), s.last()
	if len(s.endings) > 0 {
		e := s.lastWord()
		next, last = e.From, e.N
	}
	for _, st := range s.stretches {
		if st.from > next {
			n += min(st.from, last+1) - min(next, last+1)
		}
		next = max(next, st.to+1)
	}
	if next <= last {
		n += last + 1 - next
	}
	return n
}

// judge compares what the producer says it has emitted with the records in the
// windows applied, over all views that reach the tier, and the log records passed through
// with those that have come. While entries are on their way nothing can be said, and what
// was said last stays.
func (s *space) judge(t schemas.Tier) {
	if s.newest == nil || len(s.endings) > 0 || len(s.stretches) != 1 || s.stretches[0].from != 1 || s.stretches[0].to != s.newest.n {
		return
	}
	s.off = 0
	for i := range s.newest.views {
		v := &s.newest.views[i]
		if v.Uplink == "" || t == schemas.TierCenter && v.Uplink != t {
			continue
		}
		d := int64(v.Emitted - s.counted[v.View])
		s.off += max(d, -d)
	}
	s.off += s.logs.off(s.newest.totals)
}

// spans are the entries applied.
func (s *space) spans() []schemas.Span {
	out := make([]schemas.Span, len(s.stretches))
	for i, st := range s.stretches {
		out[i] = schemas.Span{From: st.from, To: st.to}
	}
	return out
}
