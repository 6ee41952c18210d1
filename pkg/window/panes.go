package window

import (
	"iter"
	"slices"
)

// Panes holds the open windows of one key in one view. A is the accumulator of one slice. The zero value is empty.
//
// A slice holds the records of its bounds once; a window is the slices within its bounds. Tumbling windows have one
// slice each. Both lists are ascending, and
//
//   - each slice lies in at least one window of the list, and each window of the list holds at least one slice;
//   - a window that holds a slice and is not in the list is final, with End <= finalEnd; tumbling windows have none;
//   - the first closed windows of the list, and only those, have End <= finalEnd: they were closed by force and come
//     out at the next Advance.
type Panes[A any] struct {
	slices  []slice[A]
	windows []pane
	before  *A  // what the slices that were dropped have come to, when Spec.Carry; else nil
	closed  int // windows[:closed] are closed by force

	finalEnd int64 // no window with End <= finalEnd opens, anew or at all; only if final. Never decreases
	final    bool

	due     int64 // least watermark at which Advance has to do; meaningful while there are windows
	holdDue int64 // least finalThrough at which Advance has to do; likewise
	stale   bool  // a window that has come out has changed since

	hot      Bounds // slice of the last accepted record; empty after Advance
	hotLimit int64  // watermark from which hot is late
	hotAcc   *A
}

// slice is what has been added up within bounds that windows share.
type slice[A any] struct {
	start int64
	acc   *A
}

// pane is one open window.
type pane struct {
	end     int64
	state   State
	changed bool // holds a record that no revision has shown
	held    bool // came out while announced as final: it owes an explicit final revision
}

// State is what the caller and Panes know of the revisions of one part of a window. It lives as long as the window is
// open; when it opens anew, all is 0 again.
type State struct {
	FirstN   uint64 // the caller's: number of the commit entry that held the first revision, 0 before; names the part
	Emitted  uint64 // the caller's: records in the latest revision
	Revision uint32 // revisions so far, counted by Panes; 1 in the first one
}

// Accept judges a record with event time t and returns the accumulator to add it to, or false when it is late.
//
// watermark is what judges lateness for this key: the device's own data watermark where the key holds the device, the
// agent watermark elsewhere; the judge of Advance. An accepted record is in every window that holds t and has not become
// final, and those that have come out come out again. When more than MaxOpen windows are open, the oldest is closed by
// force: it counts as final at once, with all before it, and its last revision comes out at the next Advance.
//
// Tumbling windows without Carry: the record is late iff its window has End + Lateness <= watermark, or it or a newer
// one was closed by force. Silence makes nothing late: a window that Advance closed by the silence of the device, and not
// by what it sent, opens anew as another part. The part holds the new records only, its State begins at 0, and receivers
// add up the parts of a window. Each silence that outlasts the lateness may make one part more.
//
// Hopping windows and Carry: the record is late iff the newest window that holds t has End + Lateness <= watermark, or is
// final already, by silence too. Their values depend on what other windows hold, so parts would not add up.
//
// The accumulator may be used until the next call.
func (p *Panes[A]) Accept(s *Spec, t, watermark int64, pool *Pool[A]) (*A, bool) {
	if p.hot.Contains(t) && watermark < p.hotLimit {
		return p.hotAcc, true
	}
	return p.accept(s, t, watermark, pool)
}

// accept is Accept for a slice other than the last one, or for the first time since Advance.
func (p *Panes[A]) accept(s *Spec, t, watermark int64, pool *Pool[A]) (*A, bool) {
	if !inSpan(t) {
		return nil, false
	}
	newest, b := s.place(t)
	limit := newest.End + s.Lateness
	if limit <= watermark || p.isFinal(newest.End) {
		return nil, false
	}
	i := p.openSlice(b.Start, pool)
	p.touch(s, newest, b)
	if s.Carry {
		p.touchFollowers(s, i, b)
	}
	p.bound(s.maxOpen())
	p.heat(b, limit, p.slices[i].acc, !p.isFinal(newest.End))
	return p.slices[i].acc, true
}

// isFinal reports whether windows with this end are final for good, or closed by force.
func (p *Panes[A]) isFinal(end int64) bool { return p.final && end <= p.finalEnd }

// openSlice finds or makes the slice that begins at start.
func (p *Panes[A]) openSlice(start int64, pool *Pool[A]) int {
	i := p.sliceFrom(start)
	if i == len(p.slices) || p.slices[i].start != start {
		p.slices = slices.Insert(p.slices, i, slice[A]{start, pool.Get()})
	}
	return i
}

// sliceFrom is the index of the first slice that begins at start or later.
func (p *Panes[A]) sliceFrom(start int64) int {
	from, to := 0, len(p.slices)
	for from < to {
		if mid := (from + to) / 2; p.slices[mid].start < start {
			from = mid + 1
		} else {
			to = mid
		}
	}
	return from
}

// windowFrom is the index of the first window that ends at end or later.
func (p *Panes[A]) windowFrom(end int64) int {
	from, to := 0, len(p.windows)
	for from < to {
		if mid := (from + to) / 2; p.windows[mid].end < end {
			from = mid + 1
		} else {
			to = mid
		}
	}
	return from
}

// touch marks every window that holds the slice, newest first, and opens those that are not final.
func (p *Panes[A]) touch(s *Spec, newest, slice Bounds) {
	hop := s.hop()
	for end := newest.End; end >= slice.End; end -= hop {
		i := p.windowFrom(end)
		if i == len(p.windows) || p.windows[i].end != end {
			if p.isFinal(end) {
				continue
			}
			p.open(i, end)
		}
		p.change(i)
	}
}

// open inserts an open window that has not come out yet.
func (p *Panes[A]) open(i int, end int64) {
	if len(p.windows) == 0 {
		p.due, p.holdDue = end, forever
	}
	p.windows = slices.Insert(p.windows, i, pane{end: end})
	p.due = min(p.due, end)
}

// change marks a window as holding what no revision has shown.
func (p *Panes[A]) change(i int) {
	w := &p.windows[i]
	w.changed = true
	p.stale = p.stale || w.state.Revision > 0
}

// touchFollowers marks the windows that come after slice i and begin with the next one: what precedes them changes.
func (p *Panes[A]) touchFollowers(s *Spec, i int, slice Bounds) {
	if i+1 < len(p.slices) {
		p.touchBefore(s, slice, p.slices[i+1].start)
	}
}

// touchBefore marks the windows that come after a slice and hold the one that begins at next.
func (p *Panes[A]) touchBefore(s *Spec, slice Bounds, next int64) {
	for w := p.windowFrom(max(slice.End+s.Size, next+1)); w < len(p.windows) && p.windows[w].end-s.Size <= next; w++ {
		p.change(w)
	}
}

// Follow marks the windows whose value depends on a record at t, which was accepted just now, because their first slice
// that goes on from it is the next one that has reports so. It is for Spec.Carry where accumulators hold several
// series: Accept itself marks the windows that begin with the very next slice.
func (p *Panes[A]) Follow(s *Spec, t int64, has func(*A) bool) {
	_, b := s.place(t)
	for i := p.sliceFrom(b.End); i < len(p.slices); i++ {
		if has(p.slices[i].acc) {
			p.touchBefore(s, b, p.slices[i].start)
			return
		}
	}
}

// bound closes the oldest windows until no more than most are open.
func (p *Panes[A]) bound(most int) {
	for len(p.windows)-p.closed > most {
		p.finalEnd, p.final = p.windows[p.closed].end, true
		p.closed++
		p.due = never
	}
}

// heat remembers the slice for the next record, unless its windows were just closed.
func (p *Panes[A]) heat(b Bounds, limit int64, acc *A, open bool) {
	p.hot, p.hotLimit, p.hotAcc = Bounds{}, 0, nil
	if open {
		p.hot, p.hotLimit, p.hotAcc = b, limit, acc
	}
}

// Open is the number of windows that hold data and have not become final in an Advance, or not since they opened anew.
func (p *Panes[A]) Open() int { return len(p.windows) }

// FinalEnd is the latest end of a window that is final for good or closed by force, math.MinInt64 when there is none.
// Windows that only silence has closed do not count where they may open anew. Whoever forgets the Panes of a key forgets
// this too: a record before it would no longer be late for that reason.
func (p *Panes[A]) FinalEnd() int64 {
	if !p.final {
		return never
	}
	return p.finalEnd
}

// Due is the least watermark at which Advance has something to do, besides what Dirty and HoldDue say: math.MaxInt64
// when nothing is open, math.MinInt64 when a window closed by force waits to come out.
func (p *Panes[A]) Due() int64 {
	if len(p.windows) == 0 {
		return forever
	}
	return p.due
}

// HoldDue is the least finalThrough at which Advance has something to do, whatever the watermark: the end of the first
// window that has come out and is neither final nor held. math.MaxInt64 when there is none.
func (p *Panes[A]) HoldDue() int64 {
	if len(p.windows) == 0 {
		return forever
	}
	return p.holdDue
}

// Dirty reports whether a window that has come out has changed since.
func (p *Panes[A]) Dirty() bool { return p.stale }

// Each yields the windows that hold data, oldest first, and their states.
func (p *Panes[A]) Each(s *Spec) iter.Seq2[Bounds, *State] {
	return func(yield func(Bounds, *State) bool) {
		for i := range p.windows {
			end := p.windows[i].end
			if !yield(Bounds{end - s.Size, end}, &p.windows[i].state) {
				return
			}
		}
	}
}

// Slices yields the slices that hold data, oldest first. Each accepted record that a window may still show is in
// exactly one.
func (p *Panes[A]) Slices(s *Spec) iter.Seq2[Bounds, *A] {
	return func(yield func(Bounds, *A) bool) {
		width := s.slice()
		for _, sl := range p.slices {
			if !yield(Bounds{sl.start, sl.start + width}, sl.acc) {
				return
			}
		}
	}
}

// Release empties p and gives its accumulators back to the pool. What was not emitted is gone.
func (p *Panes[A]) Release(pool *Pool[A]) {
	for _, sl := range p.slices {
		pool.Put(sl.acc)
	}
	if p.before != nil {
		pool.Put(p.before)
	}
	*p = Panes[A]{}
}
