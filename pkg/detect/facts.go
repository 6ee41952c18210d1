package detect

import "math"

// Facts are rules that are right or wrong: no statistics, no warm-up, no budget. Each is flagged once, at its first
// sample, and again only after it was over. Alert is at least factThreshold while it holds.
const factThreshold = 1

// A fact says of a value how far it is on the way to breaking a rule: 1 and more is broken.
type fact interface {
	share(t int64, x float64) float64
	explain(add func(Contribution, float64))
	fields(c *codec)
}

// facts is any of some rules.
type facts struct {
	rules  []fact
	broken bool
}

func (f *facts) threshold() float64 { return factThreshold }

func (f *facts) update(t int64, x float64) Verdict {
	var most float64
	for _, r := range f.rules {
		most = max(most, r.share(t, x))
	}
	v := Verdict{Score: most, Alert: most, Tail: 1}
	if most >= factThreshold {
		v.Tail = 0
	}
	broken := most >= factThreshold
	if v.Flag = broken && !f.broken; broken && !v.Flag {
		v.Alert = math.Nextafter(factThreshold, 0) // it goes on
	}
	v.Open, f.broken = broken, broken
	return v
}

func (f *facts) explain(add func(Contribution, float64)) {
	for _, r := range f.rules {
		r.explain(add)
	}
}

func (f *facts) fields(c *codec) {
	c.flag(&f.broken)
	for _, r := range f.rules {
		r.fields(c)
	}
}

// limits is broken by a value outside of low to high.
type limits struct {
	low, high float64 // configuration
	value     float64
}

func (l *limits) bounded() bool { return l.low != 0 || l.high != 0 }

func (l *limits) share(_ int64, x float64) float64 {
	l.value = x
	if !l.bounded() || x >= l.low && x <= l.high {
		return 0
	}
	return 1
}

func (l *limits) explain(add func(Contribution, float64)) {
	if l.bounded() && (l.value < l.low || l.value > l.high) {
		edge := l.high
		if l.value < l.low {
			edge = l.low
		}
		add(Contribution{Feature: "limit", Observed: l.value, Expected: edge}, 1)
	}
}

func (l *limits) fields(c *codec) { c.f64(&l.value) }

// stuck is broken by a value that has stayed exactly the same for as long as configured. Where nothing is configured,
// for ten minutes, stuckValues values and twice the longest run so far: a coarse or sluggish sensor, or one that is
// read every five minutes, often says the same again.
type stuck struct {
	after   int64 // ns, configuration; 0: by itself
	value   float64
	since   int64
	now     int64
	same    uint32 // values of the run
	longest uint32 // run that has ended, as far as it was no fault
	begun   bool
}

const stuckValues = 6

func (s *stuck) share(t int64, x float64) float64 {
	if !s.begun || x != s.value {
		s.end()
		s.begun, s.value, s.since, s.same = true, x, t, 0
	}
	s.now = t
	s.same += min(1, math.MaxUint32-s.same)
	if s.after > 0 {
		return float64(t-s.since) / float64(s.after)
	}
	return min(float64(t-s.since)/DefaultStuck, float64(s.same)/float64(max(stuckValues, 2*uint64(s.longest)+1)))
}

// end takes in a run that has ended. One fault is not what is usual.
func (s *stuck) end() { s.longest = max(s.longest, min(s.same, 2*s.longest+stuckValues)) }

func (s *stuck) explain(add func(Contribution, float64)) {
	after := s.after
	if after == 0 {
		after = DefaultStuck
	}
	if same := s.now - s.since; s.same > 1 && same >= after {
		add(Contribution{Feature: "stuck", Observed: float64(same) / second, Expected: float64(after) / second}, 1)
	}
}

func (s *stuck) fields(c *codec) {
	c.f64(&s.value)
	c.i64(&s.since)
	c.i64(&s.now)
	c.u32(&s.same)
	c.u32(&s.longest)
	c.flag(&s.begun)
}

// rate is broken by a change that is faster than the thing can change.
type rate struct {
	most   float64 // per second, configuration; 0: none
	value  float64
	change float64 // per second, newest
	at     int64
	begun  bool
}

func (r *rate) share(t int64, x float64) float64 {
	r.change = 0
	if elapsed := float64(t-r.at) / second; r.begun && elapsed > 0 {
		r.change = math.Abs(x-r.value) / elapsed
	}
	r.begun, r.value, r.at = true, x, t
	if r.most <= 0 {
		return 0
	}
	return min(r.change/r.most, 1e6)
}

func (r *rate) explain(add func(Contribution, float64)) {
	if r.most > 0 && r.change >= r.most {
		add(Contribution{Feature: "rate", Observed: r.change, Expected: r.most}, 1)
	}
}

func (r *rate) fields(c *codec) {
	c.f64s(&r.value, &r.change)
	c.i64(&r.at)
	c.flag(&r.begun)
}

// missing is broken by a silence, seen at the sample that ends it.
type missing struct {
	after int64 // ns, configuration; 0: four intervals
	cadence
	at      int64
	silence float64 // before the newest sample, s
	begun   bool
}

const missingIntervals = 4

// due is the longest silence that is none, s; 0: not known yet.
func (m *missing) due() float64 {
	if m.after > 0 {
		return float64(m.after) / second
	}
	return missingIntervals * m.interval
}

func (m *missing) share(t int64, _ float64) float64 {
	m.silence = 0
	if m.begun {
		m.silence = float64(t-m.at) / second
	}
	due := m.due()
	if m.begun && m.silence > 0 {
		m.cadence.update(m.silence)
	}
	m.begun, m.at = true, t
	if due == 0 {
		return 0
	}
	return min(m.silence/due, 1e6)
}

func (m *missing) explain(add func(Contribution, float64)) {
	if due := m.due(); due > 0 && m.silence >= due {
		add(Contribution{Feature: "missing", Observed: m.silence, Expected: m.interval}, 1)
	}
}

func (m *missing) fields(c *codec) {
	m.cadence.fields(c)
	c.i64(&m.at)
	c.f64(&m.silence)
	c.flag(&m.begun)
}

func newMissing(c Config) *missing {
	return &missing{after: c.Missing, cadence: cadenceOf(c)}
}

func newFacts(c Config) judge {
	return &facts{rules: []fact{
		&limits{low: c.Low, high: c.High}, &stuck{after: c.Stuck}, &rate{most: c.MaxRate}, newMissing(c),
	}}
}
