package exporter

import (
	"bytes"
	"cmp"
	"container/heap"
	"math"
	"slices"
	"strings"

	"weir/schemas"
)

// never is a time before all times.
const never = math.MinInt64

// maxOpen bounds the parts in memory that may still be revised. What does not fit
// is shed.
const maxOpen = 200_000

// final is a part that nothing will revise any more.
type final struct {
	schemas.Window
	producer string
	amends   bool // it began after its view had passed its end
}

// part is one that may still be revised.
type part struct {
	final
	run  uint64 // first entry of the commit that holds the revision
	held bool   // final_through had passed it in its own commit: only an explicit final ends it
	gone bool   // final

	doubtful bool // entries that may have revised it are missing
}

// partID names a part.
type partID struct {
	view, key  string
	start, end int64
	epoch      schemas.Epoch
	firstN     uint64
}

func idOf(w *schemas.Window) partID {
	return partID{view: w.View, key: w.Key.ID(), start: w.Start, end: w.End, epoch: w.Epoch, firstN: w.FirstN}
}

// source follows one producer of the outbox. It knows which parts may still be
// revised, and by the producer's own count of records, what never came.
type source struct {
	producer string
	epoch    schemas.Epoch
	n        uint64 // newest entry read; 0: none yet
	whole    bool   // its epoch has been read from its first entry on
	gap      bool   // entries are missing since the last end
	judged   uint64 // newest entry after a gap whose records have been shed
	open     map[partID]*part
	byEnd    map[string]*partHeap // by view: those that final_through can end
	fresh    []*part              // of the commit that is being read
	previous bool                 // parts of an earlier epoch may be open
	marks    map[string]*mark     // by view
	logs     passing
}

// mark is how far a view is, and its balance in records: emitted − base = counted.
type mark struct {
	through  int64  // final_through of the newest commit
	passed   int64  // the greatest there was
	base     uint64 // emitted before the first commit read
	counted  uint64 // in the newest revisions of the parts that were taken
	begun    bool   // a commit has been read
	fullTo   int64  // parts up to this end found no room
	refused  bool   // one of them since the last end
	inherits bool   // a part came whose earlier revisions were not seen

	// After a gap, records are missing that a later revision of a part may still bring.
	debt     int64 // so many
	doubtful int   // parts that may
}

func newSource(producer string) *source {
	return &source{producer: producer, open: map[partID]*part{}, byEnd: map[string]*partHeap{}, marks: map[string]*mark{}}
}

// taken is what one entry has led to.
type taken struct {
	finals []*final // in the order of their ends
	shed   uint64   // records that never came, or found no room
	logs   uint64   // log records that never came
	off    uint64   // differences that nothing explains
	gap    bool     // entries are missing before it
}

// wants says which windows are followed. ends: they go no further up.
type wants func(view string, ends bool) bool

// apply takes one entry. full says whether there is no room for further parts.
func (s *source) apply(c *schemas.Commit, want wants, full func() bool) taken {
	var out taken
	s.enter(c)
	out.gap = s.gap
	for up, rows := range [...][]schemas.Window{c.Local, c.Windows} {
		for i := range rows {
			w := &rows[i]
			if _, late := schemas.CutLate(w.View); !late && want(w.View, up == 0) {
				s.put(c, w, full)
			}
		}
	}
	s.logs.read += uint64(len(c.Logs))
	if c.End && !c.Estate {
		s.end(c, want, &out)
		shed, off := s.logs.judge(c.Totals, out.gap)
		out.logs, out.off = shed, out.off+off
	}
	slices.SortFunc(out.finals, compareFinals)
	return out
}

// enter notes an entry's number.
func (s *source) enter(c *schemas.Commit) {
	first := c.N
	if c.Since != 0 {
		first = c.Since
	}
	switch {
	case c.Epoch != s.epoch:
		s.whole = s.n != 0 || first == 1
		s.gap = s.n != 0 && first > 1
		s.epoch, s.judged = c.Epoch, 0
		if s.n != 0 {
			s.logs.renew()
		}
		for _, m := range s.marks {
			m.base, m.counted, m.through, m.begun = 0, 0, never, true
		}
		s.previous = s.n != 0
	case first > s.n+1 && s.n != 0:
		s.gap = true
		s.doubt()
	}
	s.n = c.N
}

// doubt marks the parts that what is missing may have revised.
func (s *source) doubt() {
	for _, p := range s.open {
		if !p.doubtful {
			p.doubtful = true
			s.mark(p.View).doubtful++
		}
	}
}

// retire makes final what is open of earlier epochs: nobody revises it any more.
// An estate, which says how it ended, comes first.
func (s *source) retire(out *taken) {
	for _, p := range s.open {
		if p.Epoch != s.epoch {
			s.finish(p, out)
		}
	}
	s.previous = false
}

// put takes one revision of a part.
func (s *source) put(c *schemas.Commit, w *schemas.Window, full func() bool) {
	id := idOf(w)
	if c.Estate && len(c.Continues) > 0 {
		id.epoch = c.Continues[0].Epoch
	}
	m := s.mark(w.View)
	p := s.open[id]
	switch {
	case p != nil && p.Revision >= w.Revision:
		return
	case p == nil && full():
		m.refused, m.fullTo = true, max(m.fullTo, w.End)
		return
	case p == nil && w.Revision > 1 && (w.End <= m.fullTo || w.FirstN <= s.judged):
		m.refused = true // records of it have been shed
		return
	case p == nil:
		m.inherits = m.inherits || w.Revision > 1
		p = &part{final: final{producer: s.producer, amends: w.End <= m.passed}}
		p.View, p.End = w.View, w.End // the heap goes by its end
		s.open[id] = p
		heap.Push(s.heap(w.View), p)
	}
	if p.run != c.RunFirst {
		s.fresh = append(s.fresh, p)
	}
	if id.epoch == s.epoch { // else it is an estate, whose records the epoch before has emitted
		m.counted += w.Count - p.Count
	}
	p.Window, p.run = *w, c.RunFirst
	p.Epoch, p.Sketch = id.epoch, bytes.Clone(w.Sketch)
	p.Missing = nil
}

// end takes the end of a commit: which parts are final now, and whether the
// producer has emitted what was read.
func (s *source) end(c *schemas.Commit, want wants, out *taken) {
	for i := range c.Views {
		if v := &c.Views[i]; want(v.View, v.Uplink == "" || !goesUp(v, s.producer)) {
			m := s.mark(v.View)
			m.through, m.passed = v.FinalThrough, max(m.passed, v.FinalThrough)
		}
	}
	if s.previous {
		s.retire(out)
	}
	for _, p := range s.fresh {
		if p.Timing == schemas.FinalTiming {
			s.finish(p, out)
		} else {
			p.held = p.End <= s.mark(p.View).through
		}
	}
	s.fresh = s.fresh[:0]
	for view, h := range s.byEnd {
		for through := s.mark(view).through; len(*h) > 0 && (*h)[0].End <= through; {
			if p := heap.Pop(h).(*part); !p.held && !p.gone {
				s.finish(p, out)
			}
		}
	}
	for i := range c.Views {
		if m := s.marks[c.Views[i].View]; m != nil {
			m.judge(c.Views[i].Emitted, s.gap, out)
		}
	}
	if s.gap {
		s.gap, s.judged = false, c.N
	}
}

// goesUp reports whether a view's windows travel beyond a producer's tier.
func goesUp(v *schemas.Progress, producer string) bool {
	region, _ := schemas.SplitProducer(producer)
	return v.Uplink == schemas.TierCenter && region != schemas.Center
}

func (s *source) finish(p *part, out *taken) {
	id := idOf(&p.Window)
	if s.open[id] != p {
		return
	}
	delete(s.open, id)
	p.gone = true
	if p.doubtful {
		s.mark(p.View).doubtful--
	}
	out.finals = append(out.finals, &p.final)
}

func (s *source) mark(view string) *mark {
	m := s.marks[view]
	if m == nil {
		m = &mark{through: never, passed: never, fullTo: never, begun: s.whole}
		s.marks[view] = m
	}
	return m
}

func (s *source) heap(view string) *partHeap {
	h := s.byEnd[view]
	if h == nil {
		h = new(partHeap)
		s.byEnd[view] = h
	}
	return h
}

// judge compares what the producer has emitted with what was read.
func (m *mark) judge(emitted uint64, gap bool, out *taken) {
	if !m.begun {
		m.begun, m.base = true, emitted-m.counted
	}
	difference := int64(emitted - m.base - m.counted)
	switch {
	case gap || m.refused || m.debt != 0:
		m.debt += difference
	case m.inherits:
		// what a part held before it was first seen is told neither by it nor by the base
	default:
		out.off += uint64(max(difference, -difference))
	}
	if m.doubtful == 0 {
		out.shed += uint64(max(m.debt, 0))
		if !m.inherits {
			out.off += uint64(max(-m.debt, 0))
		}
		m.debt = 0
	}
	m.base = emitted - m.counted
	m.inherits, m.refused = false, false
}

func compareFinals(a, b *final) int {
	return cmp.Or(cmp.Compare(a.End, b.End), cmp.Compare(a.Start, b.Start), strings.Compare(a.View, b.View),
		strings.Compare(a.Key.ID(), b.Key.ID()), bytes.Compare(a.Epoch[:], b.Epoch[:]), cmp.Compare(a.FirstN, b.FirstN))
}

// partHeap is a heap of parts by the end of their window.
type partHeap []*part

func (h partHeap) Len() int           { return len(h) }
func (h partHeap) Less(i, j int) bool { return h[i].End < h[j].End }
func (h partHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *partHeap) Push(x any)        { *h = append(*h, x.(*part)) }
func (h *partHeap) Pop() any {
	old := *h
	p := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return p
}
