package aggregator

import (
	"encoding/binary"
	"math"
	"math/bits"

	"weir/pkg/sketch"
	"weir/pkg/window"
	"weir/schemas"
	"weir/services/internal/fold"
)

// tally is what one slice of one group adds up: the accumulator of its windows.
type tally struct {
	sk     sketch.Sketch
	digest uint64
	first  schemas.Point
	last   schemas.Point
	count  *window.Counters // only in counter views: the samples that the increases are worked out from
	beyond int64            // records less values: a histogram is one record of many values
	late   uint64           // records that came after the device or agent watermark had passed their window's end
	seen   bitset           // devices in it; only where the key does not hold the device
	traces schemas.Exemplars
}

// Reset empties the tally and keeps its memory.
func (a *tally) Reset() {
	a.sk.Reset()
	if a.count != nil {
		a.count.Reset()
	}
	*a = tally{sk: a.sk, count: a.count, seen: a.seen[:0], traces: a.traces[:0]}
}

// Merge adds everything in from.
func (a *tally) Merge(from *tally) {
	if from.records() == 0 {
		return
	}
	if a.records() == 0 {
		a.first, a.last = from.first, from.last
	}
	a.sk.Merge(&from.sk)
	a.beyond += from.beyond
	a.digest += from.digest
	a.late += from.late
	a.first, a.last = earlier(a.first, from.first), later(a.last, from.last)
	a.seen.or(from.seen)
	a.traces = a.traces.Merge(from.traces)
	if from.count != nil {
		a.counters().Merge(from.count)
	}
}

// Succeed takes what a later window needs of this one: where its counters stood.
func (a *tally) Succeed(from *tally) {
	if from.count != nil {
		a.counters().Succeed(from.count)
	}
}

// counters are the tally's, made where there are none.
func (a *tally) counters() *window.Counters {
	if a.count == nil {
		a.count = &window.Counters{}
	}
	return a.count
}

// records is how many records have been added.
func (a *tally) records() uint64 { return a.sk.Count() + uint64(a.beyond) }

// addMany adds one record that is a distribution. p is its mean.
func (a *tally) addMany(p schemas.Point, values *sketch.Sketch) {
	if a.records() == 0 {
		a.first, a.last = p, p
	}
	a.first, a.last = earlier(a.first, p), later(a.last, p)
	a.sk.Merge(values)
	a.beyond += 1 - int64(values.Count())
	a.digest += p.ID
}

// exemplify takes a record that has been added and belongs to a trace.
func (a *tally) exemplify(e schemas.Exemplar) {
	if a.traces == nil {
		a.traces = make(schemas.Exemplars, 0, schemas.MaxExemplars)
	}
	a.traces = a.traces.Add(e)
}

// add adds one record.
func (a *tally) add(p schemas.Point) {
	if a.records() == 0 {
		a.first, a.last = p, p
	} else {
		if schemas.Before(p.Time, p.ID, a.first.Time, a.first.ID) {
			a.first = p
		}
		if schemas.Before(a.last.Time, a.last.ID, p.Time, p.ID) {
			a.last = p
		}
	}
	a.sk.Add(p.Value)
	a.digest += p.ID
}

// finite keeps a sum of huge values a number: infinity would make the commit
// unreadable for every reader.
func finite(v float64) float64 {
	if math.IsInf(v, 0) {
		return math.Copysign(math.MaxFloat64, v)
	}
	return v
}

func earlier(a, b schemas.Point) schemas.Point {
	if schemas.Before(b.Time, b.ID, a.Time, a.ID) {
		return b
	}
	return a
}

func later(a, b schemas.Point) schemas.Point {
	if schemas.Before(a.Time, a.ID, b.Time, b.ID) {
		return b
	}
	return a
}

func appendTally(b []byte, a *tally) []byte {
	b, _ = a.sk.AppendBinary(b) // fails only for sketches that cannot exist here
	b = binary.LittleEndian.AppendUint64(b, a.digest)
	b = appendPoint(appendPoint(b, a.first), a.last)
	b = binary.AppendVarint(b, a.beyond)
	b = binary.AppendUvarint(b, a.late)
	b = binary.AppendUvarint(b, uint64(len(a.seen)))
	for _, w := range a.seen {
		b = binary.LittleEndian.AppendUint64(b, w)
	}
	if b = fold.AppendBool(b, a.count != nil); a.count != nil {
		b = a.count.AppendBinary(b)
	}
	return fold.AppendExemplars(b, a.traces)
}

// readTally reads what appendTally wrote. alone is the one series of a group of before version 6.
func readTally(a *tally, b []byte, version byte, alone uint64) ([]byte, error) {
	r := fold.StateReader{B: b}
	r.Then(a.sk.Decode)
	a.digest = r.Fixed()
	a.first, a.last = readPoint(&r), readPoint(&r)
	if version > 2 {
		a.beyond = r.Int()
	}
	a.late = r.Uint()
	for k := r.Len(); k > 0 && r.Err == nil; k-- {
		a.seen = append(a.seen, r.Fixed())
	}
	switch {
	case !r.Bool():
	case version < 6:
		r.Then(a.counters().Of(alone).Decode)
	default:
		r.Then(a.counters().Decode)
	}
	if version > 4 {
		a.traces = r.Exemplars()
	}
	return r.B, r.Err
}

func appendPoint(b []byte, p schemas.Point) []byte {
	b = binary.AppendVarint(b, p.Time)
	b = fold.AppendFloat(b, p.Value)
	return binary.LittleEndian.AppendUint64(b, p.ID)
}

func readPoint(r *fold.StateReader) schemas.Point {
	return schemas.Point{Time: r.Int(), Value: r.Float(), ID: r.Fixed()}
}

// bitset is a set of small numbers.
type bitset []uint64

func (s *bitset) set(i int) {
	for len(*s) <= i/64 {
		*s = append(*s, 0)
	}
	(*s)[i/64] |= 1 << (i % 64)
}

func (s *bitset) or(o bitset) {
	for len(*s) < len(o) {
		*s = append(*s, 0)
	}
	for i, w := range o {
		(*s)[i] |= w
	}
}

func (s bitset) has(i int) bool { return i/64 < len(s) && s[i/64]>>(i%64)&1 == 1 }

func (s bitset) count() (n int) {
	for _, w := range s {
		n += bits.OnesCount64(w)
	}
	return n
}
