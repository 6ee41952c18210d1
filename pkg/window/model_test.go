package window

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
)

// tally is the accumulator of the tests: how many records, which ones, and the counter's samples where wanted.
type tally struct {
	n       uint64
	digest  uint64 // sum of mixed identities: equal for equal multisets of records
	counter Counter
}

func (a *tally) Reset() {
	a.n, a.digest = 0, 0
	a.counter.Reset()
}

func (a *tally) Merge(from *tally) {
	a.n += from.n
	a.digest += from.digest
	a.counter.Merge(&from.counter)
}

func (a *tally) add(id uint64) {
	a.n++
	a.digest += mix(id)
}

func (a *tally) String() string {
	if a == nil {
		return "none"
	}
	return fmt.Sprintf("%d/%x", a.n, a.digest)
}

func appendTally(b []byte, a *tally) []byte {
	b = binary.AppendUvarint(b, a.n)
	b = binary.AppendUvarint(b, a.digest)
	return a.counter.AppendBinary(b)
}

func decodeTally(a *tally, b []byte) (rest []byte, err error) {
	r := newReader(b)
	a.n, a.digest = r.uvarint("count"), r.uvarint("digest")
	r.take("counter", a.counter.Decode)
	return r.rest, r.err
}

// mix is splitmix64's finalizer.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// record is an accepted record in the model.
type record struct {
	t  int64
	id uint64
}

// modelWindow is what the model knows of a window that is open.
type modelWindow struct {
	revision             uint32
	changed, held, force bool
}

// model is Panes written without thought for speed: it keeps every record and works everything out anew.
type model struct {
	spec     Spec
	records  []record // accepted; where windows open anew, without those of parts that are final
	open     map[Bounds]*modelWindow
	forced   int64 // latest end of a window that was closed by force
	finalEnd int64
}

func newModel(spec Spec) *model {
	return &model{spec: spec, open: map[Bounds]*modelWindow{}, forced: never, finalEnd: never}
}

// inParts says that silence makes nothing late.
func (m *model) inParts() bool {
	return (m.spec.Hop == 0 || m.spec.Hop == m.spec.Size) && !m.spec.Carry
}

// late is the rule of Accept for a record whose newest window ends then.
func (m *model) late(end, watermark int64) bool {
	if m.inParts() {
		return end+m.spec.Lateness <= watermark || end <= m.forced
	}
	return end+m.spec.Lateness <= watermark || end <= m.finalEnd
}

// holding lists the windows that hold t, oldest first, by trying every start near it.
func (m *model) holding(t int64) (all []Bounds) {
	for start := t - m.spec.Size + 1; start <= t; start++ {
		if start%m.spec.hop() == 0 {
			all = append(all, Bounds{start, start + m.spec.Size})
		}
	}
	return all
}

func (m *model) accept(t int64, id uint64, watermark int64) bool {
	holding := m.holding(t)
	if m.late(holding[len(holding)-1].End, watermark) {
		return false
	}
	m.records = append(m.records, record{t, id})
	for _, b := range holding {
		if m.open[b] == nil && b.End > m.finalEnd {
			m.open[b] = &modelWindow{}
		}
		if w := m.open[b]; w != nil {
			w.changed = true
		}
	}
	if m.spec.Carry {
		m.touchFollowers(t)
	}
	m.bound()
	return true
}

// touchFollowers marks the windows that begin after the slice of t, and have no data before the slice that comes next.
func (m *model) touchFollowers(t int64) {
	slice := m.spec.SliceOf(t)
	next := int64(forever)
	for _, r := range m.records {
		if r.t >= slice.End {
			next = min(next, m.spec.SliceOf(r.t).Start)
		}
	}
	for b, w := range m.open {
		if b.Start >= slice.End && b.Start <= next {
			w.changed = true
		}
	}
}

func (m *model) bound() {
	var free []Bounds
	for _, b := range m.sorted() {
		if !m.open[b].force {
			free = append(free, b)
		}
	}
	for ; len(free) > m.spec.maxOpen(); free = free[1:] {
		m.open[free[0]].force = true
		m.forced = free[0].End
		m.finalEnd = max(m.finalEnd, m.forced)
	}
}

func (m *model) sorted() []Bounds {
	return slices.SortedFunc(maps.Keys(m.open), func(a, b Bounds) int { return int(a.End - b.End) })
}

// within adds up the accepted records of some bounds.
func (m *model) within(b Bounds) *tally {
	sum := &tally{}
	for _, r := range m.records {
		if b.Contains(r.t) {
			sum.add(r.id)
		}
	}
	return sum
}

// before adds up the last slice with data before start.
func (m *model) before(start int64) *tally {
	last := int64(never)
	for _, r := range m.records {
		if r.t < start {
			last = max(last, r.t)
		}
	}
	if last == never || !m.spec.Carry {
		return nil
	}
	return m.within(m.spec.SliceOf(last))
}

// advance is the three rules of Panes.Advance, word for word; it describes each revision in a line.
func (m *model) advance(watermark, judge, finalThrough int64) (out []string) {
	for _, b := range m.sorted() {
		w := m.open[b]
		emit := func(timing Timing) {
			w.revision++
			w.changed = false
			out = append(out, describe(b, timing, w.revision, m.within(b), m.before(b.Start)))
		}
		if watermark >= b.End+m.spec.Lateness || w.force {
			if w.changed || w.revision == 0 || w.held {
				emit(Final)
			}
			m.forget(b, judge)
			continue
		}
		before := w.revision
		if watermark >= b.End {
			if w.revision == 0 {
				emit(OnTime)
			} else if w.changed {
				emit(Late)
			}
		}
		if w.revision > 0 && b.End <= finalThrough && !w.held {
			w.held = true
			if w.revision == before {
				emit(Late)
			}
		}
	}
	return out
}

// forget drops a window that is final, and with it the records of this part, where others may follow.
func (m *model) forget(b Bounds, judge int64) {
	delete(m.open, b)
	if m.inParts() {
		m.records = slices.DeleteFunc(m.records, func(r record) bool { return b.Contains(r.t) })
	}
	if !m.inParts() || judge >= b.End+m.spec.Lateness {
		m.finalEnd = max(m.finalEnd, b.End)
	}
}

// due, holdDue and dirty are what Panes tells its caller.
func (m *model) due() int64 {
	due := int64(forever)
	for b, w := range m.open {
		switch {
		case w.force:
			due = never
		case w.revision == 0:
			due = min(due, b.End)
		default:
			due = min(due, b.End+m.spec.Lateness)
		}
	}
	return due
}

func (m *model) holdDue() int64 {
	due := int64(forever)
	for b, w := range m.open {
		if w.revision > 0 && !w.held {
			due = min(due, b.End)
		}
	}
	return due
}

func (m *model) dirty() bool {
	for _, w := range m.open {
		if w.revision > 0 && w.changed {
			return true
		}
	}
	return false
}

// describe puts a revision into one line, to compare.
func describe(b Bounds, timing Timing, revision uint32, acc, before *tally) string {
	return fmt.Sprintf("[%d,%d) %s rev=%d %v before %v", b.Start, b.End, timing, revision, acc, before)
}
