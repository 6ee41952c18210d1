package window

import (
	"cmp"
	"fmt"
	"slices"
)

// Timing says when in the life of its window a revision came out.
type Timing uint8

// The timings of revisions, in the Dataflow model's words. Early values are not revisions and not made here.
const (
	OnTime Timing = iota + 1 // the watermark has passed the end
	Late                     // something changed since, or the window was announced as final while still open
	Final                    // the allowed lateness has passed too: the last revision of this part
)

// String is the word used on the bus.
func (t Timing) String() string {
	switch t {
	case OnTime:
		return "on_time"
	case Late:
		return "late"
	case Final:
		return "final"
	}
	return fmt.Sprintf("timing(%d)", uint8(t))
}

// Revision is the whole value of one part of a window at one moment. It replaces the revisions before it. Nearly every
// window has one part; one that opens anew after silence has more, each beginning with Revision 1.
type Revision[A any] struct {
	Bounds
	Timing Timing
	Acc    *A     // everything in the part; valid, and not to be changed, during the call of emit
	Before *A     // with Spec.Carry: what the slices before Start have come to (see Successor), nil if none is known. Valid like Acc
	State  *State // Revision is set; FirstN and Emitted are the caller's to set. Valid like Acc
}

// Advance moves event time on. watermark closes windows: with the device in the key it is the device's Watermark, else
// the agent watermark; it may go back. judge, at most the watermark, is what Accept judges records by: the device's
// DataWatermark, else the agent watermark again. finalThrough is what the view announces as final, the agent watermark
// less the lateness; it does not go back. For each window that holds data, in order of End:
//
//  1. If the watermark has reached End + Lateness, or the window was closed by force, it is final and forgotten. A Final
//     revision comes out if something changed since the last one, if there was none, or if the window is held; if not,
//     the announcement says it. If judge has not reached End + Lateness, only silence closed the window, and it may
//     open anew, as another part (see Accept).
//  2. Else, if the watermark has reached End, the first revision comes out as OnTime, and a changed one as Late.
//  3. Then, if the window has come out, now or earlier, and End <= finalThrough, it is held from now on, and comes out
//     as Late if it did not do so in this call.
//
// So a receiver may take every window with End <= finalThrough that is not in the same commit as final; the held ones
// get an explicit Final. A part that opens after its window was announced is held from its first revision on, or comes
// out as Final at once. emit must not call p.
func (p *Panes[A]) Advance(s *Spec, watermark, judge, finalThrough int64, pool *Pool[A], emit func(Revision[A])) {
	if len(p.windows) == 0 || (watermark < p.due && finalThrough < p.holdDue && !p.stale) {
		return
	}
	p.heat(Bounds{}, 0, nil, false)
	gone := 0
	for i := range p.windows {
		w := &p.windows[i]
		final := i < p.closed || watermark >= w.end+s.Lateness
		if final {
			gone++
		}
		if timing := w.next(final, watermark, finalThrough); timing != 0 {
			p.emit(s, w, timing, pool, emit)
		}
	}
	p.forget(s, gone, judge, pool)
	p.plan(s)
}

// next is the timing with which a window comes out now, 0 if it does not, after the rules of Advance.
func (w *pane) next(final bool, watermark, finalThrough int64) Timing {
	if final {
		if w.changed || w.held {
			return Final
		}
		return 0
	}
	var timing Timing
	switch {
	case watermark < w.end || !w.changed:
	case w.state.Revision == 0:
		timing = OnTime
	default:
		timing = Late
	}
	out := timing != 0 || w.state.Revision > 0
	if out && w.end <= finalThrough && !w.held {
		w.held = true
		timing = cmp.Or(timing, Late)
	}
	return timing
}

// emit gives out the next revision of a window.
func (p *Panes[A]) emit(s *Spec, w *pane, timing Timing, pool *Pool[A], emit func(Revision[A])) {
	w.state.Revision++
	w.changed = false
	from, to := p.sliceFrom(w.end-s.Size), p.sliceFrom(w.end)
	r := Revision[A]{Bounds: Bounds{w.end - s.Size, w.end}, Timing: timing, State: &w.state}
	if s.Carry {
		r.Before = p.preceding(from, pool)
		defer p.putBack(r.Before, pool)
	}
	if to-from == 1 {
		r.Acc = p.slices[from].acc
		emit(r)
		return
	}
	r.Acc = pool.Get()
	for _, sl := range p.slices[from:to] {
		pool.merge(r.Acc, sl.acc)
	}
	emit(r)
	pool.Put(r.Acc)
}

// preceding is what all slices before slices[i] have come to.
func (p *Panes[A]) preceding(i int, pool *Pool[A]) *A {
	if i == 0 {
		return p.before
	}
	acc := pool.Get()
	if p.before != nil {
		pool.carry(acc, p.before)
	}
	for _, sl := range p.slices[:i] {
		pool.carry(acc, sl.acc)
	}
	return acc
}

// putBack gives back what preceding has made.
func (p *Panes[A]) putBack(before *A, pool *Pool[A]) {
	if before != p.before {
		pool.Put(before)
	}
}

// forget drops the first windows, which are final, and the slices that no other window can hold.
func (p *Panes[A]) forget(s *Spec, gone int, judge int64, pool *Pool[A]) {
	if gone == 0 {
		return
	}
	p.seal(s, gone, judge)
	through := p.windows[gone-1].end
	p.windows = slices.Delete(p.windows, 0, gone)
	unheld := 0
	for ; unheld < len(p.slices); unheld++ {
		if newest, _ := s.place(p.slices[unheld].start); newest.End > through {
			break
		}
		p.drop(p.slices[unheld].acc, s.Carry, pool)
	}
	p.slices = slices.Delete(p.slices, 0, unheld)
}

// seal raises finalEnd through those of the first windows, which are final, that may not open anew. bound has done so
// for those closed by force.
func (p *Panes[A]) seal(s *Spec, gone int, judge int64) {
	if s.reopens() {
		for gone > 0 && p.windows[gone-1].end+s.Lateness > judge {
			gone--
		}
	}
	if gone > 0 {
		p.finalEnd, p.final = max(p.FinalEnd(), p.windows[gone-1].end), true
	}
	p.closed = 0
}

// drop gives an accumulator back, after what follows has taken what it needs of it.
func (p *Panes[A]) drop(acc *A, carry bool, pool *Pool[A]) {
	if carry {
		if p.before == nil {
			p.before = pool.Get()
		}
		pool.carry(p.before, acc)
	}
	pool.Put(acc)
}

// plan works out when there is something to do next.
func (p *Panes[A]) plan(s *Spec) {
	p.due, p.holdDue, p.stale = forever, forever, false
	for i := range p.windows {
		w := &p.windows[i]
		if w.state.Revision == 0 {
			p.due = min(p.due, w.end)
			continue
		}
		p.due = min(p.due, w.end+s.Lateness)
		p.stale = p.stale || w.changed
		if !w.held {
			p.holdDue = min(p.holdDue, w.end)
		}
	}
}
