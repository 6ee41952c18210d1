package aggregator

import (
	"encoding/binary"
	"sort"

	"weir/schemas"
	"weir/services/internal/fold"
)

// Late totals keep the records visible that came too late for a view: one
// window of the view schemas.LateView per key and event hour. They travel like
// windows, in parts and revisions.

const hour = 3600 * 1_000_000_000

// lateQuiet is the agent time without a change after which a late total is
// final and forgotten; what comes later opens a new part.
const lateQuiet = 600 * 1_000_000_000

// lateKey names a late total.
type lateKey struct {
	g    *group
	hour int64
}

// lateTotal adds up the records of one key and hour.
type lateTotal struct {
	lateKey
	w       schemas.Window // count, sum, min, max, first, last, digest
	firstN  uint64
	rev     uint32
	changed bool
	touched int64 // agent time of the last record
}

// addLate books a record that came too late for the group.
func (f *Fold) addLate(g *group, p schemas.Point) {
	k := lateKey{g, p.Time - (p.Time%hour+hour)%hour}
	t := f.lates[k]
	if t == nil {
		t = &lateTotal{lateKey: k}
		t.w.First, t.w.Last, t.w.Min, t.w.Max = p, p, p.Value, p.Value
		f.lates[k] = t
	}
	t.w.Count++
	t.w.Sum = finite(t.w.Sum + p.Value)
	t.w.Min, t.w.Max = min(t.w.Min, p.Value), max(t.w.Max, p.Value)
	t.w.First, t.w.Last = earlier(t.w.First, p), later(t.w.Last, p)
	t.w.Digest += p.ID
	t.changed, t.touched = true, f.now
	g.state.late++
}

// emitLates puts out what changed since the last second, and forgets what has
// been quiet.
func (f *Fold) emitLates() {
	for k, t := range f.lates {
		quiet := f.now-t.touched >= lateQuiet
		if t.changed || quiet {
			f.emitLate(t, quiet)
		}
		if quiet {
			delete(f.lates, k)
		}
	}
}

func (f *Fold) emitLate(t *lateTotal, quiet bool) {
	t.rev++
	t.changed = false
	w := t.w
	w.View, w.Dims, w.Key = schemas.LateView(t.g.view.Name), t.g.view.Dims, t.g.key
	w.Start, w.End = t.hour, t.hour+hour
	w.FirstN, w.Revision, w.Timing = t.firstN, t.rev, schemas.LateTiming
	w.LateCount, w.ConfigRev = w.Count, f.revision()
	if quiet {
		w.Timing = schemas.FinalTiming
	}
	f.out.Put(w, t.g.view.Uplink == "", func(n uint64) { t.firstN = n })
}

func (f *Fold) appendLates(b []byte) []byte {
	index := make(map[*group]int, len(f.order))
	for i, g := range f.order {
		index[g] = i
	}
	list := make([]*lateTotal, 0, len(f.lates))
	for _, t := range f.lates {
		list = append(list, t)
	}
	sort.Slice(list, func(i, j int) bool {
		if a, b := index[list[i].g], index[list[j].g]; a != b {
			return a < b
		}
		return list[i].hour < list[j].hour
	})
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, t := range list {
		b = binary.AppendUvarint(b, uint64(index[t.g]))
		b = binary.AppendVarint(b, t.hour)
		b = binary.AppendUvarint(b, t.w.Count)
		b = fold.AppendFloat(fold.AppendFloat(fold.AppendFloat(b, t.w.Sum), t.w.Min), t.w.Max)
		b = appendPoint(appendPoint(b, t.w.First), t.w.Last)
		b = binary.LittleEndian.AppendUint64(b, t.w.Digest)
		b = binary.AppendUvarint(b, t.firstN)
		b = binary.AppendUvarint(b, uint64(t.rev))
		b = fold.AppendBool(b, t.changed)
		b = binary.AppendVarint(b, t.touched)
	}
	return b
}

func (f *Fold) readLates(r *fold.StateReader) {
	for k := r.Len(); k > 0 && r.Err == nil; k-- {
		i := r.Uint()
		if i >= uint64(len(f.order)) {
			r.Fail(errBadGroup)
			return
		}
		t := &lateTotal{lateKey: lateKey{f.order[i], r.Int()}}
		t.w.Count = r.Uint()
		t.w.Sum, t.w.Min, t.w.Max = r.Float(), r.Float(), r.Float()
		t.w.First, t.w.Last = readPoint(r), readPoint(r)
		t.w.Digest = r.Fixed()
		t.firstN, t.rev = r.Uint(), uint32(r.Uint())
		t.changed, t.touched = r.Bool(), r.Int()
		f.lates[t.lateKey] = t
	}
}
