package aggregator

import (
	"cmp"
	"math"
	"slices"

	"weir/pkg/sketch"
	"weir/pkg/window"
	"weir/schemas"
	"weir/services/internal/fold"
)

const wholeSecond = 1_000_000_000

// tick closes what the watermarks allow and cuts a commit: when windows came out or log
// records are passed through, and once a second when anything changed.
func (f *Fold) tick() *fold.Results {
	f.out.Reset()
	f.early = f.early[:0]
	second := f.now-f.now%wholeSecond > f.second
	f.low = f.sources.Low(f.now, f.newest().Views[0].Spec.Lateness)
	top := f.announce()
	f.advanceDevices(top, second)
	f.advanceViews(second)
	f.retire()
	if second {
		f.second = f.now - f.now%wholeSecond
		f.emitLates()
		f.emitEarly()
	}
	if f.out.Len() == 0 && len(f.logs.ready) == 0 && !(second && (f.changed || f.low != f.told)) {
		return nil
	}
	f.changed, f.told = false, f.low
	passed := f.takeLogs()
	r := f.results()
	r.Logs = passed
	return r
}

// announce moves each view's final_through, and returns the greatest.
func (f *Fold) announce() (top int64) {
	top = math.MinInt64
	if f.low == math.MinInt64 {
		return top
	}
	for _, s := range f.views {
		s.through = max(s.through, f.low-f.lateness(s.name))
		top = max(top, s.through)
	}
	return top
}

// lateness is the greatest allowed lateness of a view among the generations
// that are kept.
func (f *Fold) lateness(view string) (most int64) {
	for _, g := range f.generations {
		for i := range g.Views {
			if v := &g.Views[i]; v.Name == view {
				most = max(most, v.Spec.Lateness)
			}
		}
	}
	return most
}

// advanceDevices closes windows whose key holds a device, by its own watermark.
func (f *Fold) advanceDevices(top int64, second bool) {
	for _, d := range f.devices {
		if d.due == math.MaxInt64 && d.hold == math.MaxInt64 {
			continue
		}
		w := f.sources.Watermark(d.id, f.now)
		if w < d.due && top < d.hold && !(second && d.dirty) {
			continue
		}
		d.due, d.hold, d.dirty = math.MaxInt64, math.MaxInt64, false
		for _, g := range d.own {
			f.advance(g, w, f.sources.DataWatermark(d.id))
			d.noteDue(g)
		}
	}
}

// advanceViews closes the other windows, by the agent watermark.
func (f *Fold) advanceViews(second bool) {
	for _, s := range f.views {
		for _, g := range s.groups {
			if f.low >= g.panes.Due() || s.through >= g.panes.HoldDue() || second && g.panes.Dirty() {
				f.advance(g, f.low, f.low)
			}
		}
	}
}

// advance closes the windows of a group by the watermark. judge is what its
// records are late by.
func (f *Fold) advance(g *group, watermark, judge int64) {
	g.panes.Advance(&g.spec, watermark, judge, g.state.through, f.pool, func(r window.Revision[tally]) { f.revise(g, r) })
}

// revise puts out one revision of a window.
func (f *Fold) revise(g *group, r window.Revision[tally]) {
	n := r.Acc.records()
	f.emitted(g, n-r.State.Emitted)
	r.State.Emitted = n
	from := len(f.out.Sketches)
	f.out.Sketches, _ = r.Acc.sk.AppendBinary(f.out.Sketches) // fails only for sketches that cannot exist here
	w := schemas.Window{
		View: g.view.Name, Dims: g.view.Dims, Key: g.key, Start: r.Start, End: r.End,
		FirstN: r.State.FirstN, Revision: r.State.Revision, Timing: timing(r.Timing),
		Count: r.Acc.sk.Count(), Extra: r.Acc.sk.Count() - n, Sum: r.Acc.sk.Sum(), Min: r.Acc.sk.Min(), Max: r.Acc.sk.Max(),
		First: r.Acc.first, Last: r.Acc.last, Sketch: f.out.Sketches[from:len(f.out.Sketches):len(f.out.Sketches)],
		Digest: r.Acc.digest, LateCount: r.Acc.late, ClockError: f.in.Tick.Error, ConfigRev: f.revision(),
		Exemplars: slices.Clone(r.Acc.traces),
	}
	if g.view.Counter {
		f.increase(&w, &r)
	}
	if g.dev == nil {
		f.certify(&w, g, r.Acc.seen)
	}
	end := r.End
	f.out.Put(w, g.view.Uplink == "", func(n uint64) { g.assign(end, n) })
}

// increase makes the window of a counter view: what each counter went up by is a value
// of it, so that its sum is what all of them went up by; count stays the number of records.
func (f *Fold) increase(w *schemas.Window, r *window.Revision[tally]) {
	var before *window.Counters
	if r.Before != nil {
		before = r.Before.count
	}
	var each sketch.Sketch
	sum := 0.0
	for _, up := range r.Acc.counters().Increases(before) {
		sum += up
		each.Add(finite(up))
	}
	w.Sum, w.Min, w.Max = finite(sum), each.Min(), each.Max()
	w.Sketch, _ = each.AppendBinary(nil) // fails only for sketches that cannot exist here
}

// emitted books records that are now in an emitted revision. Hopping windows
// show each record several times, so what is open is not told of them.
func (f *Fold) emitted(g *group, n uint64) {
	g.state.emitted += n
	if g.tumbling() {
		g.state.open -= n
	}
	if g.view.Name == f.newest().Views[0].Name {
		f.share(g.key.Tenant, g.signal()).open -= n
	}
}

// certify writes the completeness certificate: who should be in the window, who
// is, and who is missing.
func (f *Fold) certify(w *schemas.Window, g *group, seen bitset) {
	w.Expected, w.Seen = uint32(g.members.count()), uint32(seen.count())
	if w.Expected == w.Seen {
		return
	}
	for i := range f.devices {
		if len(w.Missing) == schemas.MaxMissing {
			return
		}
		if g.members.has(i) && !seen.has(i) {
			w.Missing = append(w.Missing, f.devices[i].Device)
		}
	}
}

func timing(t window.Timing) schemas.Timing {
	switch t {
	case window.OnTime:
		return schemas.OnTime
	case window.Final:
		return schemas.FinalTiming
	}
	return schemas.LateTiming
}

// assign notes the entry that held the first revision of a window.
func (g *group) assign(end int64, n uint64) {
	for b, s := range g.panes.Each(&g.spec) {
		if b.End == end {
			s.FirstN = n
			return
		}
	}
}

// emitEarly reports the second, series in the order in which they were first seen.
func (f *Fold) emitEarly() {
	slices.SortFunc(f.touched, func(a, b *series) int {
		return cmp.Or(a.dev.id-b.dev.id, a.index-b.index)
	})
	for _, s := range f.touched {
		f.early = append(f.early, s.early.value(s))
		s.early = early{}
	}
	f.touched = f.touched[:0]
}

// results are what the tick has for a commit. Every view in force is reported,
// so that the tier above knows how far it may go.
func (f *Fold) results() *fold.Results {
	r := &fold.Results{Time: f.now, Wall: f.wall, ConfigRev: f.revision(), Early: f.early, Totals: append(f.since(f.rows()), f.accounts.open()...), Holes: f.holes}
	f.out.Into(r)
	for i := range f.newest().Views {
		f.viewState(&f.newest().Views[i])
	}
	for _, s := range f.views {
		r.Views = append(r.Views, schemas.Progress{
			View: s.name, Size: s.size, Uplink: s.uplink, Publish: s.publish, OnTimeThrough: f.low, FinalThrough: s.through,
			Emitted: s.emitted, Open: s.open, Late: s.late,
		})
	}
	r.Config, r.Resumed = f.config(), f.resumed
	f.holes, f.news = nil, news{}
	return r
}
