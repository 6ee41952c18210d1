package detect

import "math"

// A budgeted is a simple statistic behind the same last stage as the ensemble: what its score's own tail says of how
// often a normal series goes so far, against the budget, and an episode from a flag until the return to normal.
type budgeted struct {
	statistic
	cadence
	episode
	budget float64 // findings per day
	cut    float64 // of the tail
	tail   tail    // of the score
	usual  float32 // mean of the score
	n      uint32  // scores so far
	last   int64   // ns
	begun  bool
}

// A statistic judges a value by what came before it, then learns it with a weight of 0 to 1. Its score is at least 0.
type statistic interface {
	judge(x, dt, interval, weight float64) (score float64)
	explain(add func(Contribution, float64))
	fields(c *codec)
}

var scoreTails = tailSpec{share: 0.01, memory: 1000, least: -0.05, most: 0.6, prior: 0.1, priorWeight: 20, meanWeight: 5, floor: 0.01, clip: 20}

const (
	budgetedBegin = 100 // scores that the statistic settles in
	budgetedWarm  = 300 // scores before one can be flagged
)

func newBudgeted(c Config, s statistic) *budgeted {
	return &budgeted{statistic: s, budget: c.Budget, cadence: cadenceOf(c)}
}

func (b *budgeted) threshold() float64 { return level(b.budget) }

func (b *budgeted) update(t int64, x float64) Verdict {
	dt := float64(t-b.last) / second
	begun := b.begun
	b.begun, b.last = true, t
	if begun && dt > 0 {
		b.cadence.update(dt)
	}
	if b.interval == 0 {
		return nothing
	}
	if dt <= 0 || !begun {
		dt = b.interval
		b.episode = episode{} // the clock has been set back, or there was none
	}
	weight := b.weight(t, b.interval)
	score := b.judge(x, dt, b.interval, weight)
	return b.verdict(t, score, b.decades(score, weight))
}

// decades is how rare the score is by its own tail, which then learns it.
func (b *budgeted) decades(score, weight float64) (u float64) {
	y := score - b.cut
	if b.n > budgetedWarm {
		u = b.tail.surprise(&scoreTails, y, b.cut)
		if y > 0 {
			b.tail.learn(&scoreTails, y, max(b.cut, 1e-9), float32(weight))
		}
	}
	if b.n >= budgetedBegin {
		n := b.n - budgetedBegin
		b.usual += float32(weight * (score - float64(b.usual)) / min(float64(n)+1, slowMemory))
		b.cut = scoreTails.follow(b.cut, n, score, float64(b.usual), weight)
	}
	b.n += min(1, math.MaxUint32-b.n)
	return u
}

func (b *budgeted) verdict(t int64, score, decades float64) Verdict {
	perDay := b.perDay()
	often := findings(perDay, 1, decades)
	v := Verdict{Score: score, Alert: level(often), Tail: min(often/perDay, 1)}
	v.Flag = b.episode.update(t, b.interval, b.budget, opinion{often: often, slowly: math.Inf(1)})
	if v.Open = b.open; !v.Flag {
		v.Alert = suppress(v.Alert, b.threshold(), !b.open)
	}
	return v
}

func (b *budgeted) fields(c *codec) {
	b.statistic.fields(c)
	b.common(c)
}

// common are the fields besides those of the statistic.
func (b *budgeted) common(c *codec) {
	b.cadence.fields(c)
	b.episode.fields(c)
	c.f64(&b.cut)
	b.tail.fields(c)
	c.f32(&b.usual)
	c.u32(&b.n)
	c.i64(&b.last)
	c.flag(&b.begun)
}

func (b *budgeted) explain(add func(Contribution, float64)) { b.statistic.explain(add) }
