package gateway

import (
	"container/heap"
	"errors"
	"fmt"
	"math"
	"slices"
	"sort"

	"weir/schemas"
	"weir/services/internal/fold"
)

// never is a time before all times.
const never = math.MinInt64

// hold is how far, in agent time, a producer may stay behind the newest one
// before it no longer holds windows back.
const hold = 120 * 1_000_000_000

// wholeSecond is how often progress and changed windows are reported.
const wholeSecond = 1_000_000_000

// Fold is the pure core of one gateway partition.
type Fold struct {
	producer string
	tier     schemas.Tier

	now, wall int64 // agent time of the newest commit applied, of all producers
	second    int64 // the last second reported
	told      int64 // when all epochs were told of
	config    uint64
	entries   uint64 // applied
	repeats   uint64
	damaged   uint64 // messages that are not applied: see read and refuses
	producers map[string]*producer
	names     []string // of the producers, sorted
	views     []*view  // in order of first sight
	windows   map[string]*merged

	findings findings
	passed   map[string]uint64   // log records that have gone on, by tenant
	logs     []schemas.PassedLog // for the next commit; between messages there are some only while there is no time yet
	flushes  uint64              // since the state was made or restored
	touched  []*merged           // by what has just become whole or final
	dirty    []*merged           // came out, have changed, and wait for the next second
	holds    []*merged           // to be held at the end of this flush
	ended    []*merged           // in this flush, of views that are published here
	dec      schemas.CommitDecoder
	enc      schemas.CommitEncoder // of checkpoints
	out      fold.Collector
	spare    *run // to use again
	reads    byte // version of the state that is being restored

	inbox  bool // producers keep what is not applied, and bring it again
	unpack func(dst, src []byte) ([]byte, error)
	plain  []byte            // what was unpacked last
	emits  map[string]uint64 // revisions by view/timing, since this process started
}

// view is one view at this gateway.
type view struct {
	schemas.Progress
	byDevice bool
	late     bool      // late totals of a view: no progress is told of them
	waiting  []*merged // have not come out, a heap by end
	closing  []*merged // not final yet, a heap by end; held ones have left it
}

// NewFold makes the core of a partition that reads the outbox below.
func NewFold(producer string, tier schemas.Tier) *Fold {
	f := &Fold{producer: producer, tier: tier, emits: map[string]uint64{}}
	f.reset()
	return f
}

// NewInboxFold makes the core of a partition that reads what forwarders have
// brought. unpack appends the entry in src to dst and bounds it; nil: messages
// are entries.
func NewInboxFold(producer string, tier schemas.Tier, unpack func(dst, src []byte) ([]byte, error)) *Fold {
	f := NewFold(producer, tier)
	f.inbox, f.unpack = true, unpack
	return f
}

func (f *Fold) reset() {
	*f = Fold{
		producer: f.producer, tier: f.tier, emits: f.emits, now: never, second: never, told: never,
		producers: map[string]*producer{}, windows: map[string]*merged{}, passed: map[string]uint64{}, inbox: f.inbox, unpack: f.unpack,
	}
}

// Apply folds one entry of one producer. Entries may come in any order.
func (f *Fold) Apply(m fold.Message) (*fold.Results, error) {
	name, kind, ok := schemas.SourceOf(m.Subject)
	if !ok || kind != schemas.KindCommit && kind != schemas.KindFinding {
		return nil, nil
	}
	c, err := f.read(name, m)
	if c == nil {
		return nil, err
	}
	p := f.find(name)
	s := p.space(c.Epoch)
	if s == nil || s.refuses(c) || s.stray(c.N) {
		f.damaged++
		return nil, nil
	}
	st := s.add(c)
	if st == nil {
		f.repeats++
		return nil, nil
	}
	f.entries++
	f.touched = f.touched[:0]
	ended := f.enter(p, s, st, c)
	st.settle(f.finish)
	f.conclude(p)
	p.account()
	f.found(c.Findings)
	if !ended && len(f.touched) == 0 && len(f.findings.ready) == 0 && !f.passes() {
		return nil, nil
	}
	return f.flush(), nil
}

// read is the entry in a message of a producer; nil: there is none. What cannot
// be read is a debt of its producer.
func (f *Fold) read(name string, m fold.Message) (c *schemas.Commit, err error) {
	data := m.Data
	if f.unpack != nil {
		f.plain, err = f.unpack(f.plain[:0], data)
		data = f.plain
	}
	if err == nil {
		c, err = f.dec.Decode(data, schemas.WithWindows|schemas.WithFindings|schemas.WithLogs)
	}
	if newer := (*schemas.NewerVersionError)(nil); errors.As(err, &newer) && !f.inbox {
		return nil, fmt.Errorf("commit of %s at %d: %w", name, m.Seq, err)
	}
	if err != nil || c.Producer != name || c.RunFirst == 0 || c.RunFirst > c.N || c.N >= math.MaxInt64 {
		f.damaged++
		return nil, nil
	}
	return c, nil
}

// enter applies an entry that is new. It reports whether nothing is missing of
// its commit now.
func (f *Fold) enter(p *producer, s *space, st *stretch, c *schemas.Commit) (whole bool) {
	p.doubted = nil
	p.succeed(s, c)
	p.remember(s, c)
	s.lack(c.Shed)
	s.meet(c.Knows)
	f.pass(p, s, c)
	r := f.runOf(s, c.RunFirst)
	for i := range c.Windows {
		if c.Estate {
			f.inherit(p, s, c.N, &c.Windows[i])
		} else {
			f.apply(p, s, r, c.N, &c.Windows[i])
		}
	}
	s.anchorAll(c.First(), c.N, f.finish)
	if c.End {
		r.end = headingOf(c)
		st.note(r.end)
	}
	if r.end == nil || r.first < st.from || r.end.n > st.to {
		return false
	}
	f.take(p, s, r)
	return true
}

// runOf is the commit that begins with an entry.
func (f *Fold) runOf(s *space, first uint64) *run {
	r := s.runs[first]
	if r == nil {
		if r = f.spare; r == nil {
			r = new(run)
		}
		f.spare = nil
		*r = run{first: first, fresh: r.fresh[:0]}
		s.runs[first] = r
	}
	return r
}

func (f *Fold) find(name string) *producer {
	p := f.producers[name]
	if p == nil {
		p = newProducer(name, f.tier)
		f.producers[name] = p
		f.names = append(f.names, name)
		sort.Strings(f.names)
	}
	return p
}

// apply puts one revision of entry n in the place of the one before it.
func (f *Fold) apply(p *producer, s *space, r *run, n uint64, w *schemas.Window) {
	key := windowKey(w)
	if p.agent {
		if p.doubtful(s, w, key) {
			s.refuse(w, key)
			return
		}
		s.note(n, schemas.Hash([]byte(key)), w.End)
	}
	part, _ := f.revise(p, s, w, key)
	if part == nil {
		return
	}
	if !part.fresh || part.run != r.first {
		r.fresh = append(r.fresh, part)
	}
	part.fresh, part.run, part.at = true, r.first, n
}

// revise takes a revision of a part, and says how many records it has added. The
// part is nil where an older revision has come later.
func (f *Fold) revise(by *producer, s *space, w *schemas.Window, key string) (p *part, added uint64) {
	m, old := f.windows[key]
	if !old {
		m = &merged{key: key}
		f.windows[key] = m
	}
	i, known := m.find(w)
	if !known {
		m.parts = slices.Insert(m.parts, i, by.begin(m, w))
	}
	p = m.parts[i]
	if known && w.Revision <= p.Revision {
		return nil, 0
	}
	added = w.Records() - p.Records()
	if v := f.viewOf(w); !v.late {
		s.counted[w.View] += added
	}
	if w.View == schemas.DeviceView {
		s.records[ownerOf(w)] += added
	}
	sketch := append(p.Sketch[:0], w.Sketch...)
	p.Window = *w
	p.Sketch = sketch
	if !old {
		f.register(m)
	}
	m.changed = m.changed || m.counts(p)
	return p, added
}

// register puts a new window where its end is watched.
func (f *Fold) register(m *merged) {
	v := f.viewOf(&m.parts[0].Window)
	if v.late {
		return
	}
	m.amends = m.end() <= v.FinalThrough
	heap.Push((*mergedByEnd)(&v.closing), m)
	if !v.byDevice {
		heap.Push((*mergedByEnd)(&v.waiting), m)
	}
}

func (f *Fold) viewOf(w *schemas.Window) *view {
	v := f.viewNamed(w.View)
	v.byDevice = v.byDevice || w.Dim("device") != ""
	return v
}

func (f *Fold) viewNamed(name string) *view {
	for _, v := range f.views {
		if v.View == name {
			return v
		}
	}
	v := &view{Progress: schemas.Progress{View: name, OnTimeThrough: never, FinalThrough: never}}
	_, v.late = schemas.CutLate(name)
	f.views = append(f.views, v)
	return v
}

// take takes what a commit says of which nothing is missing any more: which of
// its parts are final and, if it is the newest, how far its producer is.
func (f *Fold) take(p *producer, s *space, r *run) {
	delete(s.runs, r.first)
	for _, part := range r.fresh {
		if part.fresh && part.run == r.first { // else a newer revision is on its way
			f.settle(s, part, r.end)
		}
	}
	if s.newest != nil && r.end.n < s.newest.n {
		r.end.totals = nil
	} else {
		if s.newest == nil || s != p.current {
			p.line = nil
		}
		if s.newest != nil {
			s.newest.totals = nil
		}
		s.newest = r.end
		f.progress(p, s)
	}
	s.judge(f.tier)
	clear(r.fresh)
	f.spare = r
}

// settle classes a part of a commit that is whole.
func (f *Fold) settle(s *space, part *part, end *heading) {
	part.fresh = false
	part.held = part.End <= end.through(part.View)
	f.touched = append(f.touched, part.of)
	s.place(part, f.finish)
}

// finish makes a part final.
func (f *Fold) finish(p *part) {
	p.final = true
	f.touched = append(f.touched, p.of)
}

// progress takes how far a producer is.
func (f *Fold) progress(p *producer, s *space) {
	h := s.newest
	if h.time > f.now {
		f.now, f.wall = h.time, h.wall
	}
	f.config = max(f.config, h.config)
	p.choose()
	if p.current != s {
		return
	}
	for i := range h.views {
		v := f.viewNamed(h.views[i].View)
		v.Size, v.Uplink = h.views[i].Size, h.views[i].Uplink
	}
	for _, old := range p.spaces {
		if old.newest != nil && old.newest.time < h.time-day {
			f.retire(p, old)
		}
	}
}

// retire gives up an epoch after which another one has gone on for a day: nobody
// revises its parts any more.
func (f *Fold) retire(p *producer, s *space) {
	if s.retired {
		return
	}
	s.retired, p.doubted = true, nil
	clear(s.runs)
	clear(s.floating)
	for _, st := range s.stretches {
		st.open, st.finals = nil, nil
	}
	for _, m := range f.windows {
		for _, part := range m.parts {
			if part.Contributor == p.name && p.spaces[part.Epoch] == s && !part.final {
				part.fresh = false
				f.finish(part)
			}
		}
	}
}
