package verify

import (
	"weir/simulator/plan"
	"weir/simulator/truth"
)

const (
	hour      = int64(3600 * 1e9)
	anyNumber = int64(1) << 50 // more records than a run has
)

// hourOf is a device and an hour of event time.
type hourOf struct {
	device int
	hour   int64 // its start, Unix ns
}

// expectation is what one truth says as a whole. What depends on device and
// window is too much to keep, and made slice by slice.
type expectation struct {
	truth *truth.Truth
	flow  flow
	fleet map[int64]*bounds  // by start of the fleet window: what must be counted
	stale map[int64]*bounds  // the same of too late readings
	late  map[hourOf]*bounds // too late readings by device
	never int64              // records that were not sent
	first int64              // event time of the first reading that must be counted, 0 if there is none
	last  int64
}

// flow is what the ledger must hold of a run, in records.
type flow struct {
	counted, late, rejected span
	duplicate               span
	reasons                 map[string]span
}

// span is a number with bounds.
type span struct{ least, most int64 }

func (s *span) add(n int64, p presence) {
	if p == arrived {
		s.least += n
	}
	s.most += n
}

func (s span) plus(o span) span { return span{s.least + o.least, s.most + o.most} }

// expect walks all messages of a truth once. fleetSize is the size of fleet
// windows, ns.
func expect(t *truth.Truth, fleetSize int64) *expectation {
	e := &expectation{truth: t, fleet: map[int64]*bounds{}, stale: map[int64]*bounds{}, late: map[hourOf]*bounds{}}
	e.flow.reasons = map[string]span{}
	for d := range t.Devices {
		e.device(d, fleetSize)
		e.never += t.Devices[d].Never.Len() * int64(t.Plan.Batch)
	}
	e.flow.duplicate = span{t.Totals.Copies, t.Totals.Copies}
	switch {
	case !t.Finished:
		e.flow.resent(anyNumber)
	case t.Totals.Resent > 0:
		e.flow.resent(t.Totals.Resent)
	}
	return e
}

func (e *expectation) device(d int, fleetSize int64) {
	p, series := e.truth.Plan, e.truth.Plan.Series(d)
	for w := newWalk(e.truth, d); w.cursor.Index < w.until; {
		m, presence := w.next()
		if presence == absent {
			continue
		}
		e.flow.message(p, m, presence)
		switch {
		case m.Counted():
			readings(p, series, m, func(r reading) { e.count(r, presence, fleetSize) })
		case m.Fate == plan.TooLate:
			readings(p, series, m, func(r reading) {
				at(e.late, hourOf{d, floor(r.at, hour)}).reading(r, presence)
				at(e.stale, floor(r.at, fleetSize)).reading(r, presence)
			})
		}
	}
}

func (e *expectation) count(r reading, p presence, fleetSize int64) {
	at(e.fleet, floor(r.at, fleetSize)).reading(r, p)
	if e.first == 0 || r.at < e.first {
		e.first = r.at
	}
	e.last = max(e.last, r.at)
}

func (f *flow) message(p *plan.Plan, m plan.Message, is presence) {
	n := p.Records(m)
	switch reason := p.Reason(m); {
	case reason != "":
		f.rejected.add(n, is)
		s := f.reasons[string(reason)]
		s.add(n, is)
		f.reasons[string(reason)] = s
	case m.Fate == plan.TooLate:
		f.late.add(n, is)
	default:
		f.counted.add(n, is)
	}
}

// resent widens what may be there where n records were sent again: each may have
// been counted as a duplicate, or refused twice.
func (f *flow) resent(n int64) {
	f.duplicate.most += n
	f.rejected.most += n
	for reason, s := range f.reasons {
		s.most += n
		f.reasons[reason] = s
	}
}

// at is the element of a map, made where there is none.
func at[K comparable, V any](m map[K]*V, k K) *V {
	v := m[k]
	if v == nil {
		v = new(V)
		m[k] = v
	}
	return v
}

// floor is the start of the interval of the given size that holds t.
func floor(t, size int64) int64 { return t - t%size }
