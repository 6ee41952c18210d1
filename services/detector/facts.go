package detector

import (
	"math"

	"weir/schemas"
)

// motion follows whether a value moves from second to second.
type motion struct {
	moving  float64 // share of the seconds in which it did, before it stood still
	seconds uint8   // followed, up to motionEnough
	still   int64   // agent time since which it stands still; 0: it moves
	stood   uint32  // seconds that it has stood still
}

// What makes it abnormal that a value stands still: it has moved nearly every second
// before, and has come so often since. One that comes every minute says the same twice
// by chance.
const (
	stoodEnough  = 10
	motionEnough = 60
	movesAlways  = 0.9
	motionMemory = 300 // seconds
)

// step takes a second with values.
func (m *motion) step(moved bool, at int64) {
	if !moved {
		if m.still == 0 {
			m.still = at
		}
		m.stood++
		return
	}
	keep := 1 - 1/float64(min(int(m.seconds)+1, motionMemory))
	m.moving *= math.Pow(keep, float64(m.stood))
	m.moving += (1 - m.moving) * (1 - keep)
	m.seconds = uint8(min(int(m.seconds)+1+int(m.stood), motionEnough))
	m.still, m.stood = 0, 0
}

// stuckFor reports whether it has stood still for too long.
func (m *motion) stuckFor(now int64, r *Rules, own *MetricRules) bool {
	if m.still == 0 {
		return false
	}
	if own.StuckAfter > 0 {
		return now-m.still >= own.StuckAfter
	}
	return r.StuckAfter > 0 && m.seconds >= motionEnough && m.moving >= movesAlways && m.stood >= stoodEnough && now-m.still >= r.StuckAfter
}

// facts looks at what policy names.
func (s *series) facts(f *Fold, e *schemas.Early, end int64) {
	r, own := s.dev.rules, s.dev.rules.metric(s.metric)
	counter := s.counter()
	if !own.Off {
		s.limits(f, e, own, end)
		s.rate(f, e, own, end, counter)
	}
	moved := e.Min != e.Max || s.lastAt == 0 || e.Last != s.last
	s.motion.step(moved, end-second)
	s.last, s.lastAt = e.Last, end
	switch {
	case moved:
		s.dev.clear(s.metric, schemas.Stuck, f.now)
	case !own.Off && !counter && s.stuckFor(end, r, own):
		s.dev.raise(f.now, s.metric, schemas.Stuck, s.still, s.hold(), float64(s.stood), func(y *symptom) {
			y.fact(schemas.Warning, s.still, end)
			y.says = stuckSays(s, e.Last, end)
			y.evidence = []schemas.Evidence{{Feature: "value", Share: 1, Observed: e.Last, Expected: e.Last}}
		})
	}
}

func (s *series) limits(f *Fold, e *schemas.Early, own *MetricRules, end int64) {
	beyond := func(value, limit float64) {
		s.dev.raise(f.now, s.metric, schemas.Limit, end-second, s.hold(), math.Abs(value-limit), func(y *symptom) {
			y.fact(schemas.Critical, end-second, end)
			y.threshold = limit
			y.says = limitSays(s, value, limit)
			y.evidence = []schemas.Evidence{{Feature: "value", Share: 1, Observed: value, Expected: limit}}
		})
	}
	if own.Low != nil && e.Min < *own.Low {
		beyond(e.Min, *own.Low)
	}
	if own.High != nil && e.Max > *own.High {
		beyond(e.Max, *own.High)
	}
}

func (s *series) rate(f *Fold, e *schemas.Early, own *MetricRules, end int64, counter bool) {
	if own.MaxRate <= 0 || s.lastAt == 0 || end <= s.lastAt || counter && e.Last < s.last {
		return
	}
	perSecond := math.Abs(e.Last-s.last) / (float64(end-s.lastAt) / second)
	if perSecond <= own.MaxRate {
		return
	}
	s.dev.raise(f.now, s.metric, schemas.Rate, end-second, s.hold(), finite(perSecond), func(y *symptom) {
		y.fact(schemas.Warning, s.lastAt, end)
		y.score, y.threshold = finite(perSecond), own.MaxRate
		y.says = rateSays(s, perSecond, own.MaxRate)
		y.evidence = []schemas.Evidence{{Feature: "rate", Share: 1, Observed: finite(perSecond), Expected: own.MaxRate}}
	})
}

// fact says that a rule was broken in an interval.
func (y *symptom) fact(severity schemas.Severity, start, end int64) {
	y.severity, y.detector, y.model, y.view = severity, y.kind.String(), "1", schemas.EarlyView
	y.start, y.end, y.complete = start, end, 1
}

// silences looks for what no longer comes.
func (f *Fold) silences() {
	for _, d := range f.devices {
		if d.rules.Off {
			continue
		}
		if d.silentFor(f.now, d.rules) {
			d.silent(f)
			continue
		}
		d.clear("", schemas.Silent, f.now)
		for _, s := range d.series {
			s.missing(f)
		}
	}
}

func (d *device) silent(f *Fold) {
	d.raise(f.now, "", schemas.Silent, d.seen, quiet, 0, func(y *symptom) {
		y.fact(schemas.Warning, d.seen, f.now)
		y.complete = 0
		y.threshold = float64(d.rules.SilentAfter) / second
		y.says = silentSays(d)
	})
}

func (s *series) missing(f *Fold) {
	if !s.silentFor(f.now, s.dev.rules) {
		s.dev.clear(s.metric, schemas.Missing, f.now)
		return
	}
	s.dev.raise(f.now, s.metric, schemas.Missing, s.seen, quiet, 0, func(y *symptom) {
		y.fact(schemas.Warning, s.seen, f.now)
		y.complete = 0
		y.says = missingSays(s)
	})
}
