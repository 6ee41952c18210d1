package exporter

import (
	"errors"
	"maps"

	"weir/pkg/sketch"
	"weir/schemas"
)

// Bounds of the cumulative series.
const (
	maxTotals = 20_000                 // one more counts for the overflow series of its view
	forget    = 24 * 3_600_000_000_000 // ns of agent time without a window, after which a series is forgotten
	sweepEach = 3_600_000_000_000      // ns of agent time
	tick      = 1_000_000              // ns: the least difference of times that receivers see
)

// overflowValue stands for the values of the key of an overflow series.
const overflowValue = "weir.overflow"

// total is a cumulative series: the sum of its final windows since it began.
type total struct {
	*series
	start    int64 // of the first window
	last     int64 // time of the newest point
	sum      sketch.Sketch
	increase float64
	pending  uint64 // records that no point has shown yet

	exemplars schemas.Exemplars // of them
}

// cumulative adds final windows up. Windows of a key come in the order of their
// ends, but for amendments.
type cumulative struct {
	totals map[string]*total
	swept  int64
}

func newCumulative() *cumulative { return &cumulative{totals: map[string]*total{}, swept: never} }

// add takes the windows that one entry has made final, in the order of their ends,
// and appends their points.
//
// A window gives a point at its end. Its difference to the point before it is the
// window: where a series begins, or has been silent, a point at the window's start
// repeats the sum so far. What comes for a time that has passed cannot be put there
// any more, so it is a point of its own right behind the newest: times only grow,
// and no time has two values.
func (a *cumulative) add(points []point, finals []readable) []point {
	var amended []*total
	var prompt []readable
	for _, f := range finals {
		t := a.at(f)
		if f.End > t.last {
			prompt = append(prompt, f)
			continue
		}
		t.take(f)
		amended = append(amended, t)
	}
	for _, t := range amended {
		if t.pending > 0 { // else it stands there twice
			points = append(points, t.point(t.last+tick, nil))
		}
	}
	for _, f := range prompt {
		points = a.at(f).extend(points, f)
	}
	return points
}

// readable is a final window with its values.
type readable struct {
	*final
	*series
	sketch *sketch.Sketch
}

// at is the series that a window belongs to.
func (a *cumulative) at(f readable) *total {
	id := seriesID(f.series)
	t := a.totals[id]
	if t == nil && len(a.totals) >= maxTotals {
		f.series = f.overflow()
		id = seriesID(f.series)
		t = a.totals[id]
	}
	if t == nil {
		t = &total{series: f.series, start: f.Start, last: never}
		_ = t.sum.Configure(f.sketch.Config()) // it is empty, and the resolution that of a sketch
		a.totals[id] = t
	}
	return t
}

// extend takes a window that ends after the newest point.
func (t *total) extend(points []point, f readable) []point {
	if t.last < f.Start {
		points = append(points, t.point(f.Start, nil))
	}
	t.take(f)
	return append(points, t.point(max(f.End, t.last+tick), gaugesOf(f)))
}

// take adds a window to the sum.
func (t *total) take(f readable) {
	t.sum.Merge(f.sketch) // refused only beyond 2^53 values
	t.increase += f.Sum
	t.pending += f.Count
	t.exemplars = t.exemplars.Merge(f.Exemplars)
}

// point is the sum so far.
func (t *total) point(at int64, g *gauges) point {
	p := point{series: t.series, start: t.start, time: at, gauges: g, records: t.pending, increase: t.increase, exemplars: t.exemplars}
	if !t.counter {
		p.sketch, p.increase = new(sketch.Sketch), 0
		p.sketch.CopyFrom(&t.sum)
	}
	t.last, t.pending, t.exemplars = at, 0, nil
	return p
}

// sweep forgets series that have had no window for a day: the next one begins anew.
func (a *cumulative) sweep(now int64) {
	if now-sweepEach < a.swept {
		return
	}
	a.swept = now
	maps.DeleteFunc(a.totals, func(_ string, t *total) bool { return t.last < now-forget })
}

// drop forgets the series of a producer: what was added to them is not known any
// more, so they begin anew.
func (a *cumulative) drop(producer string) {
	maps.DeleteFunc(a.totals, func(_ string, t *total) bool { return t.producer == producer })
}

func seriesID(s *series) string {
	return s.producer + "\x01" + s.view + "\x01" + schemas.Key{Tenant: s.tenant, Values: s.values}.ID()
}

// overflow is the series that counts what has no room for one of its own.
func (s *series) overflow() *series {
	o := *s
	o.tenant, o.values = overflowValue, make([]string, len(s.values))
	for i := range o.values {
		o.values[i] = overflowValue
	}
	return &o
}

var errValues = errors.New("its values cannot be read")

// read reads the values of a final window.
func (f *final) read(counter bool) (readable, error) {
	r := readable{final: f, sketch: new(sketch.Sketch), series: &series{
		producer: f.producer, view: f.View, tenant: f.Key.Tenant, dims: f.Dims, values: f.Key.Values, counter: counter,
	}}
	if len(f.Sketch) == 0 || r.sketch.UnmarshalBinary(f.Sketch) != nil || !counter && r.sketch.Count() != f.Count {
		return r, errValues
	}
	return r, nil
}

// tiles reports whether the windows of its kind that begin at multiples of their
// length hold each record once: of hopping windows, these are taken.
func (f *final) tiles() bool {
	size := f.End - f.Start
	return f.Widened != 0 || size <= 0 || f.Start%size == 0
}
