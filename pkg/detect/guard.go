package detect

import (
	"cmp"
	"math"
	"slices"
)

// Bounds of what a sample may be to be judged and learned.
const (
	greatestValue    = 1e30        // either way: sums stay finite, in float32 too
	leastComplete    = 0.5         // a window with less of what was expected neither alarms nor teaches
	greatestClock    = 15 * minute // bound of the clock's error, half a bucket of the daily profile
	disorderBeforeIn = 32          // samples in a row behind the newest time before the clock is taken to have been set back
)

// judge is a detector behind its guard: what comes is finite and in order.
type judge interface {
	update(t int64, x float64) Verdict
	// explain hands each contribution on with its weight, in any order.
	explain(add func(Contribution, float64))
	fields(c *codec)
	threshold() float64
}

// A door says what a guard lets through.
type door struct {
	anyOrder bool // time may stand still or go back
	partial  bool // windows may be incomplete and clocks bad
	counter  bool // values count up
}

// Refused counts what a detector has neither judged nor learned.
type Refused struct {
	Value    uint32 // not finite, or beyond ±1e30
	Disorder uint32 // not after the sample before it
	Partial  uint32 // less than half complete, or the clock wrong by more than 15 minutes
	Reset    uint32 // of a counter
}

// guard is every Detector of this package: a judge, and what stands in front of it.
type guard struct {
	judge
	last    int64 // time of the newest sample that passed
	count   float64
	refused Refused
	door
	kind    uint8
	begun   bool
	counted bool  // count holds a value
	behind  uint8 // samples in a row that were refused for disorder
}

var nothing = Verdict{Tail: 1}

func (g *guard) Update(s Sample) Verdict {
	if !(math.Abs(s.Value) <= greatestValue) {
		g.refused.Value++
		return nothing
	}
	if !g.partial && (!(s.Completeness >= leastComplete) || s.ClockError > greatestClock) {
		g.refused.Partial++
		return nothing
	}
	if !g.inOrder(s.Time) {
		g.refused.Disorder++
		return nothing
	}
	x, ok := s.Value, true
	if g.counter {
		x, ok = g.increase(s)
	}
	g.begun, g.last = true, s.Time
	if !ok {
		return nothing
	}
	return g.update(s.Time, x)
}

// inOrder reports whether a sample at t comes after the newest one, or its clock has been set back for good.
func (g *guard) inOrder(t int64) bool {
	if g.anyOrder || !g.begun || t > g.last {
		g.behind = 0
		return true
	}
	if g.behind++; g.behind < disorderBeforeIn {
		return false
	}
	g.behind, g.counted = 0, false
	return true
}

// increase is the rate of a counter since the sample before, per second.
func (g *guard) increase(s Sample) (float64, bool) {
	before, known := g.count, g.counted
	g.count, g.counted = s.Value, true
	if known && s.Value < before {
		g.refused.Reset++
		return 0, false
	}
	elapsed := float64(s.Time-g.last) / second
	if !known || elapsed <= 0 {
		return 0, false
	}
	return (s.Value - before) / elapsed, true
}

// Refused counts the samples that were neither judged nor learned.
func (g *guard) Refused() Refused { return g.refused }

// Threshold is what Alert is compared with.
func (g *guard) Threshold() float64 { return g.threshold() }

func (g *guard) Explain(dst []Contribution) []Contribution { return ranked(dst, g.explain) }

// ranked appends what explain hands on, weights as shares of their sum, greatest first.
func ranked(dst []Contribution, explain func(add func(Contribution, float64))) []Contribution {
	first := len(dst)
	var total float64
	explain(func(c Contribution, weight float64) {
		if weight > 0 {
			c.Share = weight
			total += weight
			dst = append(dst, c)
		}
	})
	found := dst[first:]
	for i := range found {
		found[i].Share /= total
	}
	slices.SortStableFunc(found, func(a, b Contribution) int { return cmp.Compare(b.Share, a.Share) })
	return dst
}

func (g *guard) AppendState(b []byte) []byte {
	c := codec{b: append(b, stateVersion, g.kind)}
	g.whole(&c)
	return c.b
}

// RestoreState leaves the detector as it was where b is no state of its kind.
func (g *guard) RestoreState(b []byte) ([]byte, error) {
	c := codec{b: b, reading: true}
	var version, kind uint8
	if c.u8(&version); version != stateVersion {
		c.fail("version %d, known is %d", version, stateVersion)
	}
	if c.u8(&kind); kind != g.kind {
		c.fail("it is of kind %d, wanted %d", kind, g.kind)
	}
	backup := codec{b: []byte{}}
	g.whole(&backup)
	if g.whole(&c); c.err != nil {
		undo := codec{b: backup.b, reading: true}
		g.whole(&undo)
		return b, c.err
	}
	return c.b, nil
}

func (g *guard) whole(c *codec) {
	c.flag(&g.begun)
	c.flag(&g.counted)
	c.i64(&g.last)
	c.u8(&g.behind)
	if g.counter {
		c.f64(&g.count)
	}
	for _, n := range []*uint32{&g.refused.Value, &g.refused.Disorder, &g.refused.Partial, &g.refused.Reset} {
		c.u32(n)
	}
	g.fields(c)
}
