package gateway

import (
	"container/heap"
	"slices"

	"weir/schemas"
	"weir/services/internal/fold"
)

// flush puts out what the commit just applied allows: windows of devices as
// they come, other windows when every producer that counts has passed their end,
// changed ones once a second, and the last revisions of what is final.
func (f *Fold) flush() *fold.Results {
	f.out.Reset()
	f.holds, f.ended = f.holds[:0], f.ended[:0]
	f.flushes++
	second := f.now-f.now%wholeSecond > f.second
	moved := false
	for _, v := range f.views {
		moved = f.reach(v) || moved
		f.close(v)
	}
	for _, v := range f.views {
		f.first(v)
	}
	f.follow(second)
	for _, m := range f.holds {
		f.holdBack(m)
	}
	f.findings.settle(f.home(), f.now)
	if f.out.Len() == 0 && len(f.ended) == 0 && len(f.findings.ready) == 0 && !f.passes() && !(second && moved) {
		return nil
	}
	if second {
		f.second = f.now - f.now%wholeSecond
	}
	return f.results()
}

// reach moves a view's progress: the least of the producers that count. It
// reports whether it moved. The view is published if any producer's policy says so.
func (f *Fold) reach(v *view) bool {
	if v.late {
		return false
	}
	onTime, final, newest := int64(never), int64(never), f.newest(v)
	first := true
	v.Publish = false
	for _, name := range f.names {
		p := f.producers[name]
		row := p.view(v.View)
		v.Publish = v.Publish || row != nil && row.Publish
		if row == nil || !counts(row, newest) {
			continue
		}
		through := p.finalThrough(v.View)
		if first || row.OnTimeThrough < onTime {
			onTime = row.OnTimeThrough
		}
		if first || through < final {
			final = through
		}
		first = false
	}
	moved := onTime > v.OnTimeThrough || final > v.FinalThrough
	v.OnTimeThrough, v.FinalThrough = max(v.OnTimeThrough, onTime), max(v.FinalThrough, final)
	return moved
}

func (f *Fold) newest(v *view) int64 {
	newest := int64(never)
	for _, name := range f.names {
		if row := f.producers[name].view(v.View); row != nil {
			newest = max(newest, row.OnTimeThrough)
		}
	}
	return newest
}

// counts reports whether a producer holds windows back: it has had records, and
// is not further behind than the hold time.
func counts(row *schemas.Progress, newest int64) bool {
	return row.OnTimeThrough != never && newest-row.OnTimeThrough <= hold
}

// close ends the windows that the view's final_through has passed; those with
// parts that are not final are held.
func (f *Fold) close(v *view) {
	for len(v.closing) > 0 && v.closing[0].end() <= v.FinalThrough {
		m := heap.Pop((*mergedByEnd)(&v.closing)).(*merged)
		if m.final() {
			f.end(v, m)
			continue
		}
		f.holds = append(f.holds, m)
	}
}

// end puts out the last revision of a window, if it says anything new, and
// forgets it.
func (f *Fold) end(v *view, m *merged) {
	if m.changed || m.held || !m.out || v.late || f.lacking(v, m) {
		f.emit(v, m, schemas.FinalTiming)
	}
	if f.publishes(v, m) && m.rev > 0 {
		f.ended = append(f.ended, m)
	}
	f.forget(m)
	m.gone = true
	delete(f.windows, m.key)
}

// lacking reports whether a window of no single device may lack records of a
// producer whose entries are missing, so that its last revision names it.
func (f *Fold) lacking(v *view, m *merged) bool {
	return !v.byDevice && slices.ContainsFunc(f.names, func(name string) bool {
		return f.producers[name].owes && f.producers[name].misses(&m.parts[0].Window, f.now)
	})
}

// first puts out windows whose end every producer that counts has passed.
func (f *Fold) first(v *view) {
	for len(v.waiting) > 0 && v.waiting[0].end() <= v.OnTimeThrough {
		m := heap.Pop((*mergedByEnd)(&v.waiting)).(*merged)
		if !m.gone && !m.out {
			f.emit(v, m, schemas.OnTime)
		}
	}
}

// follow puts out what has changed.
func (f *Fold) follow(second bool) {
	for _, m := range f.touched {
		if m.gone {
			continue
		}
		v := f.viewNamed(m.view())
		switch {
		case (m.held || v.late) && m.final():
			f.end(v, m)
		case !m.changed:
		case v.byDevice || v.late:
			f.emit(v, m, next(m))
		case m.out:
			f.dirty = append(f.dirty, m)
		}
	}
	if !second {
		return
	}
	for _, m := range f.dirty {
		if !m.gone && m.changed {
			f.emit(f.viewNamed(m.view()), m, schemas.LateTiming)
		}
	}
	f.dirty = f.dirty[:0]
}

func next(m *merged) schemas.Timing {
	if m.out {
		return schemas.LateTiming
	}
	return schemas.OnTime
}

// holdBack marks a window that is announced as final while a part is not. What
// came out before comes out again, so that the reader knows.
func (f *Fold) holdBack(m *merged) {
	if m.out && m.flushed != f.flushes {
		f.emit(f.viewNamed(m.view()), m, schemas.LateTiming)
	}
	m.held = true
}

// emit puts out the whole value of a window of which something counts.
func (f *Fold) emit(v *view, m *merged, t schemas.Timing) {
	if m.empty() {
		return
	}
	var w schemas.Window
	w, f.out.Sketches = m.sum(f.out.Sketches)
	m.rev++
	w.FirstN, w.Revision, w.Timing = m.firstN, m.rev, t
	if !v.byDevice && !v.late {
		f.nameMissing(&w)
	}
	if !v.late {
		v.Emitted += w.Records() - m.emitted
	}
	m.emitted, m.out, m.changed, m.flushed = w.Records(), true, false, f.flushes
	f.emits[v.View+"/"+t.String()]++
	f.out.Put(w, !f.goesUp(v), func(n uint64) { m.firstN = n })
}

// nameMissing names the producers that have not passed the window's end, or of
// which entries are missing that may be in it.
func (f *Fold) nameMissing(w *schemas.Window) {
	for _, name := range f.names {
		if len(w.Missing) < schemas.MaxMissing && f.producers[name].misses(w, f.now) {
			w.Missing = append(w.Missing, name)
		}
	}
}

// goesUp reports whether a view's windows travel beyond this tier.
func (f *Fold) goesUp(v *view) bool {
	if f.tier == schemas.TierCenter {
		return false
	}
	if of, late := schemas.CutLate(v.View); late {
		v = f.viewNamed(of)
	}
	return v.Uplink == schemas.TierCenter
}

func (f *Fold) results() *fold.Results {
	r := &fold.Results{Time: f.now, Wall: f.wall, ConfigRev: f.config, Totals: f.totals()}
	f.out.Into(r)
	r.Findings, f.findings.ready = f.findings.ready, nil
	r.Logs, f.logs = f.logs, nil
	r.Knows = f.news()
	r.Finals = f.finals()
	for _, v := range f.views {
		if !v.late {
			f.whole(v)
			r.Views = append(r.Views, v.Progress)
		}
	}
	return r
}
