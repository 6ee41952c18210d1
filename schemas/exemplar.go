package schemas

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
)

// MaxExemplars bounds Window.Exemplars.
const MaxExemplars = sampledTraces + 1

// sampledTraces is how many of a window's exemplars go by the hash of their trace.
const sampledTraces = 3

// Exemplar is one record of a window with the span that it belongs to.
type Exemplar struct {
	Time  int64
	Value float64
	TraceID
}

// Exemplars are some records of a window that belong to traces: of each of the three
// traces with the least hashes, and of all other traces together, the record with the
// greatest value. So the greatest of all is among them, and windows of other views, other
// services and other agents show the same traces, if they have them.
//
// They depend on nothing but the set of records: not on the order in which records and
// other Exemplars are added, nor on how often.
//
// They are sorted by the hash of their trace, and no two are of the same.
type Exemplars []Exemplar

// Add adds a record, in place where there is room.
func (x Exemplars) Add(e Exemplar) Exemplars {
	i, known := slices.BinarySearchFunc(x, e, compareTraces)
	switch {
	case known:
		x[i] = greater(e, x[i])
	case len(x) < MaxExemplars:
		return slices.Insert(x, i, e)
	case i >= sampledTraces:
		x[sampledTraces] = greater(e, x[sampledTraces])
	default:
		x[sampledTraces] = greater(x[sampledTraces-1], x[sampledTraces])
		copy(x[i+1:sampledTraces], x[i:])
		x[i] = e
	}
	return x
}

// Merge adds what another window, or part of one, has.
func (x Exemplars) Merge(o Exemplars) Exemplars {
	for _, e := range o {
		x = x.Add(e)
	}
	return x
}

// ByTime are the same, earlier ones first.
func (x Exemplars) ByTime() Exemplars {
	return slices.SortedFunc(slices.Values(x), func(a, b Exemplar) int { return cmp.Or(cmp.Compare(a.Time, b.Time), compareTraces(a, b)) })
}

// sound reports whether Add can have made them.
func (x Exemplars) sound() bool {
	for i := range x {
		if !finite(x[i].Value) || i > 0 && compareTraces(x[i-1], x[i]) >= 0 {
			return false
		}
	}
	return len(x) <= MaxExemplars
}

// greater is the record with the greater value; of equal ones the earlier, then that of
// the lesser span.
func greater(a, b Exemplar) Exemplar {
	if cmp.Or(cmp.Compare(a.Value, b.Value), cmp.Compare(b.Time, a.Time), bytes.Compare(b.Span[:], a.Span[:]), bytes.Compare(b.Trace[:], a.Trace[:])) > 0 {
		return a
	}
	return b
}

// compareTraces orders records by the hash of their trace.
func compareTraces(a, b Exemplar) int {
	return cmp.Or(cmp.Compare(a.traceHash(), b.traceHash()), bytes.Compare(a.Trace[:], b.Trace[:]))
}

// traceHash is part of the format: agents and gateways of any version choose the same traces.
func (t *TraceID) traceHash() uint64 {
	return mix64(binary.LittleEndian.Uint64(t.Trace[:8]) ^ mix64(binary.LittleEndian.Uint64(t.Trace[8:])))
}
