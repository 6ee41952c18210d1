package console

import (
	"fmt"
	"strings"
	"time"

	"weir/pkg/sketch"
	"weir/schemas"
)

// Total is a window as the sum of the newest revisions of its parts. The zero
// Total is the sum of none.
type Total struct {
	schemas.Window        // names, bounds and sums; Timing is the least final of the parts'
	Revisions      uint64 // sum over parts: it grows with every revision of any of them
	Values         *sketch.Sketch

	parts         int
	unsketched    bool // a part carries no sketch: the values are not known
	uncounted     bool // a part does not know whom it expects
	unsynchronous bool // a part does not know its clock error
}

// add adds a part whose timing has been judged.
func (t *Total) add(w *schemas.Window, timing schemas.Timing) error {
	t.unsketched = t.unsketched || len(w.Sketch) == 0
	t.uncounted = t.uncounted || w.Expected == 0
	t.unsynchronous = t.unsynchronous || w.ClockError == 0
	t.Revisions += uint64(w.Revision)
	if t.parts++; t.parts == 1 {
		t.Window, t.Values = *w, new(sketch.Sketch)
		t.Timing = timing
		return t.addSketch(w)
	}
	t.Count += w.Count
	t.LateCount += w.LateCount
	t.Sum += w.Sum
	t.Digest += w.Digest
	t.Min, t.Max = min(t.Min, w.Min), max(t.Max, w.Max)
	t.Expected += w.Expected
	t.Seen += w.Seen
	t.Timing = min(t.Timing, timing)
	t.ClockError = max(t.ClockError, w.ClockError)
	if schemas.Before(w.First.Time, w.First.ID, t.First.Time, t.First.ID) {
		t.First = w.First
	}
	if schemas.Before(t.Last.Time, t.Last.ID, w.Last.Time, w.Last.ID) {
		t.Last = w.Last
	}
	return t.addSketch(w)
}

func (t *Total) addSketch(w *schemas.Window) error {
	if t.unsketched {
		t.Values = nil
		return nil
	}
	var part sketch.Sketch
	if err := part.UnmarshalBinary(w.Sketch); err != nil {
		return fmt.Errorf("window %s %v of %s, part of %s: %w", w.View, w.Key.Values, formatTime(w.Start), w.Contributor, err)
	}
	if !t.Values.Merge(&part) {
		return fmt.Errorf("window %s %v of %s: more than 2^53 values", w.View, w.Key.Values, formatTime(w.Start))
	}
	return nil
}

// completeness is seen / expected, nil where a part does not know.
func (t *Total) completeness() *float64 {
	if t.uncounted {
		return nil
	}
	v := min(1, float64(t.Seen)/float64(t.Expected))
	return &v
}

func (t *Total) clockErrorMS() *float64 {
	if t.unsynchronous {
		return nil
	}
	v := float64(t.ClockError) / float64(time.Millisecond)
	return &v
}

func (t *Total) quantile(q float64) *float64 {
	if t.Values == nil || t.Values.Count() == 0 {
		return nil
	}
	v := t.Values.Quantile(q)
	return &v
}

// key is the view key by the names of its dimensions.
func (t *Total) key() map[string]string {
	m := make(map[string]string, len(t.Dims))
	for i, d := range t.Dims {
		m[d] = t.Key.Values[i]
	}
	return m
}

// row is the total as people see it. agentOf tells a device's agent; nil where
// this process does not know.
func (t *Total) row(agentOf func(tenant, device string) string, detail bool) Row {
	view, _ := cutLate(t.View)
	r := Row{
		Tenant: t.Key.Tenant, View: view, Key: t.key(), Start: formatTime(t.Start), End: formatTime(t.End),
		Count: t.Count, Sum: t.Sum, Min: t.Min, Max: t.Max,
		P50: t.quantile(0.5), P90: t.quantile(0.9), P99: t.quantile(0.99),
		Revision: t.Revisions, Timing: t.Timing.String(),
		Completeness: t.completeness(), ClockErrorMS: t.clockErrorMS(),
	}
	if device := dim(&t.Window, deviceDim); device != "" {
		r.Region, _, _ = strings.Cut(t.Contributor, "/")
		if agentOf != nil {
			r.Agent = agentOf(t.Key.Tenant, device)
		}
	}
	if detail {
		r.Detail = &Detail{Digest: hex64(t.Digest), Late: t.LateCount, First: rowPoint(t.First), Last: rowPoint(t.Last)}
	}
	return r
}

// late is the total of a late view as people see it.
func (t *Total) late() LateRow {
	view, _ := cutLate(t.View)
	return LateRow{
		Tenant: t.Key.Tenant, View: view, Key: t.key(), Hour: formatTime(t.Start),
		Count: t.Count, Sum: t.Sum, Min: t.Min, Max: t.Max, Digest: hex64(t.Digest),
	}
}

func rowPoint(p schemas.Point) RowPoint {
	return RowPoint{Time: formatTime(p.Time), Value: p.Value, ID: hex64(p.ID)}
}

func hex64(v uint64) string { return fmt.Sprintf("%016x", v) }
