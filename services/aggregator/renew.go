package aggregator

import (
	"encoding/binary"
	"maps"
	"math"
	"slices"
	"sort"

	"weir/pkg/window"
	"weir/schemas"
	"weir/services/internal/fold"
)

// Written tells when ingest wrote a frame, and whether it is the first since it started.
func (f *Fold) Written(m fold.Message) (at int64, resumed bool) {
	if f.dec.Decode(m.Data, &f.in) != nil {
		return math.MinInt64, false
	}
	return f.in.Tick.Time, f.in.Resumed
}

// Renew ends what the fold has put out so far: see fold.Renewer. What devices and
// watermarks have come to stays: so does which windows are final.
func (f *Fold) Renew(c fold.Cut) *fold.Results {
	f.out.Reset()
	f.doubt(c.Stand)
	f.early = f.early[:0]
	for _, g := range f.order {
		g.panes.Flush(&g.spec, f.pool, func(r window.Revision[tally], changed bool) { f.leave(g, r, changed) })
	}
	for _, d := range f.devices {
		d.due, d.hold, d.dirty = math.MaxInt64, math.MaxInt64, false
	}
	f.leaveLates()
	if c.Anew {
		f.logs = logs{} // perhaps they are in what the epoch has put out
	}
	f.rewound = f.rewound || c.Rewound
	for _, s := range f.views {
		s.emitted, s.open, s.late = 0, 0, 0
	}
	r := f.results() // its totals are the last ones on the old base
	r.Time = max(r.Time, 0)
	f.rebase(c.Anew)
	f.changed = true
	return r
}

// rebase lets totals begin at 0. Those of what is lost go on, unless they are not this
// state's own.
func (f *Fold) rebase(anew bool) {
	base := map[schemas.Total]uint64{}
	for _, t := range f.rows() {
		n, name := t.N, unnumbered(t)
		if t.Outcome == schemas.LostDeclared && !anew {
			n = f.base[name]
		}
		if n > 0 {
			base[name] = n
		}
	}
	f.base = base
}

// unnumbered is a total as a name of what it counts.
func unnumbered(t schemas.Total) schemas.Total {
	t.N = 0
	return t
}

// doubt takes windows that stand, of which what comes may be told already, and drops
// those for which nobody sends any more.
func (f *Fold) doubt(stand fold.Standing) {
	if f.standing == nil {
		f.standing = fold.Standing{}
	}
	maps.Copy(f.standing, stand)
	maps.DeleteFunc(f.standing, func(_ string, end int64) bool { return f.now > math.MinInt64 && end < f.now-day })
	f.standEnd = math.MinInt64
	for _, end := range f.standing {
		f.standEnd = max(f.standEnd, end)
	}
}

// day is how long, in agent time, windows that stand are remembered.
const day = 24 * hour

func (f *Fold) stands(w *schemas.Window) bool {
	_, ok := f.standing[fold.WindowName(w)]
	return ok
}

// doubtful reports whether a record is for a window that stands: it may be one that
// was folded, from input that is lost.
func (f *Fold) doubtful(g *group, t int64) bool {
	if t >= f.standEnd || len(f.standing) == 0 {
		return false
	}
	end := windowEnd(&g.spec, t)
	return f.stands(&schemas.Window{View: g.view.Name, Key: g.key, Start: end - g.spec.Size, End: end})
}

// leave puts out what a window holds that nobody has seen, and forgets it.
func (f *Fold) leave(g *group, r window.Revision[tally], changed bool) {
	if !changed {
		return
	}
	w := schemas.Window{View: g.view.Name, Dims: g.view.Dims, Key: g.key, Start: r.Start, End: r.End}
	if f.stands(&w) {
		f.emitted(g, r.Acc.records()-r.State.Emitted)
		return
	}
	f.revise(g, r)
}

// leaveLates does the same for late totals.
func (f *Fold) leaveLates() {
	for k, t := range f.lates {
		w := schemas.Window{View: schemas.LateView(t.g.view.Name), Dims: t.g.view.Dims, Key: t.g.key, Start: t.hour, End: t.hour + hour}
		if t.changed && !f.stands(&w) {
			f.emitLate(t, true)
		}
		delete(f.lates, k)
	}
}

// resync takes the first frame after the input has lost its end: its number and what
// arrived before it say nothing. It is false for frames that the state includes.
func (f *Fold) resync() bool {
	if !f.rewound {
		return true
	}
	if f.in.N <= f.frame && f.in.Tick.Time <= f.now {
		return false
	}
	f.rewound = false
	f.frame, f.arrived, f.numbers, f.gap = f.in.N-1, f.in.ArrivedBefore, f.in.NumberedBefore, 0
	for _, d := range f.devices {
		for _, n := range d.boots {
			n.renumber()
		}
	}
	return true
}

func (f *Fold) passedBy() bool { return f.included }

// since are totals without what an earlier epoch has told. A count that has gone
// back, as numbers that were missing do when they come, is told as none.
func (f *Fold) since(rows []schemas.Total) []schemas.Total {
	if len(f.base) == 0 {
		return rows
	}
	kept := rows[:0]
	for _, t := range rows {
		if before := f.base[unnumbered(t)]; t.N > before {
			t.N -= before
			kept = append(kept, t)
		}
	}
	return kept
}

// sortedBase are the totals of the base, in order.
func (f *Fold) sortedBase() []schemas.Total {
	out := make([]schemas.Total, 0, len(f.base))
	for t, n := range f.base {
		t.N = n
		out = append(out, t)
	}
	sort.Slice(out, func(i, j int) bool { return less(&out[i], &out[j]) })
	return out
}

func (f *Fold) appendBase(b []byte) []byte {
	b = fold.AppendBool(b, f.rewound)
	b = binary.AppendUvarint(b, uint64(len(f.base)))
	for _, t := range f.sortedBase() {
		for _, s := range [...]string{t.Tenant, string(t.Signal), string(t.Stage), string(t.Outcome), string(t.Reason)} {
			b = fold.AppendString(b, s)
		}
		b = binary.AppendUvarint(b, t.N)
	}
	b = binary.AppendUvarint(b, uint64(len(f.standing)))
	for _, name := range slices.Sorted(maps.Keys(f.standing)) {
		b = binary.AppendVarint(fold.AppendString(b, name), f.standing[name])
	}
	return b
}

func (f *Fold) readBase(r *fold.StateReader, version byte) {
	f.rewound = r.Bool()
	f.base = map[schemas.Total]uint64{}
	for k := r.Len(); k > 0 && r.Err == nil; k-- {
		t := schemas.Total{
			Tenant: r.String(), Signal: schemas.Signal(r.String()), Stage: schemas.Stage(r.String()),
			Outcome: schemas.Outcome(r.String()), Reason: schemas.Reason(r.String()),
		}
		if n := r.Uint(); version > 3 || t.Outcome != schemas.LostDeclared { // it was told anew in each epoch
			f.base[t] = n
		}
	}
	stand := fold.Standing{}
	for k := r.Len(); k > 0 && r.Err == nil; k-- {
		name := r.String()
		stand[name] = r.Int()
	}
	f.doubt(stand)
}
