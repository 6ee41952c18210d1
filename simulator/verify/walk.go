package verify

import (
	"weir/schemas"
	"weir/simulator/plan"
	"weir/simulator/truth"
)

// presence says whether a message arrived.
type presence uint8

const (
	absent presence = iota
	unsure
	arrived
)

// walk goes through the messages of one device in order, with what the truth
// says of each.
type walk struct {
	plan    *plan.Plan
	status  truth.Status
	cursor  plan.Cursor
	acked   int // the first interval that may hold the next message
	unknown int
	until   int64 // messages from here on did not arrive
}

func newWalk(t *truth.Truth, device int) walk {
	s := t.Devices[device]
	return walk{plan: t.Plan, status: s, cursor: plan.Cursor{Device: device}, until: max(end(s.Acked), end(s.Unknown))}
}

func end(s truth.Set) int64 {
	if len(s) == 0 {
		return 0
	}
	return s[len(s)-1][1]
}

// begins is the event time at which the next message was scheduled to begin,
// Unix ns; ok is false behind the last one.
func (w *walk) begins() (at int64, ok bool) {
	if w.cursor.Index >= w.until {
		return 0, false
	}
	return w.plan.EventTime(plan.Message{Device: w.cursor.Device, Index: w.cursor.Index}, 0), true
}

func (w *walk) next() (plan.Message, presence) {
	m := w.plan.Next(&w.cursor)
	switch {
	case holds(w.status.Acked, &w.acked, m.Index):
		return m, arrived
	case holds(w.status.Unknown, &w.unknown, m.Index):
		return m, unsure
	}
	return m, absent
}

// holds is Set.Has for numbers that only grow.
func holds(s truth.Set, at *int, n int64) bool {
	for *at < len(s) && s[*at][1] <= n {
		*at++
	}
	return *at < len(s) && s[*at][0] <= n
}

// readings calls yield for each reading of a message.
func readings(p *plan.Plan, series uint64, m plan.Message, yield func(r reading)) {
	for i := range p.Batch {
		seq := m.Seq + uint64(i)
		yield(reading{p.EventTime(m, i), p.Value(m, i), seq, schemas.NumberedIdentity(series, seq)})
	}
}

// reading is one record.
type reading struct {
	at    int64 // event time, Unix ns
	units int64
	seq   uint64
	id    uint64
}

// into adds a reading to the right side of the bounds.
func (b *bounds) reading(r reading, p presence) {
	if p == arrived {
		b.sure.record(r.units, r.id)
	} else {
		b.maybe.record(r.units, r.id)
	}
}
