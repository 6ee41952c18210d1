package detect

import "math"

// ensemble is the shipped detector: two bands and a watch on equal values, each with its share of the alert budget.
// What they say is turned into one number, how often a normal series would say it, and that decides.
type ensemble struct {
	front  guard   // of this one: both in one piece of memory
	budget float64 // findings per day
	cadence
	fast
	flat
	gap
	previous float64 // value
	last     int64   // time of the newest sample
	block    block
	episode  episode
	peaks    [2]peaks // of the fast and the slow band
	rarity   [2]half  // decades of their newest scores; 0 where that is common
	judged   bool     // the slow band has judged the newest sample
	slow              // last: most samples do not touch it
}

// block is what the slow band gets its next value from.
type block struct {
	begin int64   // time of the sample before the block, ns
	sum   float64 // of the samples
	n     uint32
	size  uint32 // samples of a whole block, at least 1
}

func newEnsemble(c Config) judge {
	e := &ensemble{budget: c.Budget, peaks: [2]peaks{{rate: float32(fastPeaks.rate)}, {rate: float32(slowPeaks.rate)}}}
	e.slow.profile.cycle, e.slow.profile.start = c.Day, c.DayStart
	if e.cadence = cadenceOf(c); e.interval > 0 {
		e.resize()
	}
	return e
}

// resize sets the size of a block by the interval.
func (e *ensemble) resize() {
	e.block.size = 1
	if e.interval < blockLength/second/3 {
		e.block.size = uint32(math.Round(blockLength / second / e.interval))
	}
}

func (e *ensemble) threshold() float64 { return level(e.budget) }

func (e *ensemble) update(t int64, x float64) Verdict {
	dt := float64(t-e.last) / second
	begun := e.last != 0
	e.last = t
	if begun && dt > 0 && e.cadence.update(dt) {
		e.restart()
	}
	if e.interval == 0 {
		return nothing
	}
	if dt <= 0 || !begun {
		dt = e.interval
		e.episode, e.block = episode{}, block{size: e.block.size} // the clock has been set back, or there was none
	}
	return e.judgeSample(t, x, dt)
}

// restart begins anew where the rate of samples has changed; the daily profile stays.
func (e *ensemble) restart() {
	profile, n := e.slow.profile, e.block.size
	e.fast, e.flat, e.gap = fast{}, flat{}, gap{}
	if e.resize(); n != e.block.size && (n <= 1 || e.block.size == 1) {
		e.slow = slow{profile: profile}
	}
	e.block = block{size: e.block.size}
}

// judgeSample judges x, dt seconds after the sample before it.
func (e *ensemble) judgeSample(t int64, x, dt float64) Verdict {
	weight := e.episode.weight(t, e.interval)
	o := opinion{alone: e.block.size == 1}
	score := e.fastBand(x, dt, weight, &o)
	score += e.watchRuns(x, dt, weight, &o)
	score += e.slowBand(t, x, weight, &o)
	e.previous = x

	all := min(o.often, o.slowly)
	v := Verdict{Score: score, Alert: level(all), Tail: min(all/e.perDay(), 1)}
	v.Flag = e.episode.update(t, e.interval, e.budget, o)
	fresh := o.fresh || o.often <= o.slowly
	if v.Open = e.episode.open; !v.Flag && !(fresh && all > 2*e.budget) { // that is below the threshold
		v.Alert = suppress(v.Alert, e.threshold(), fresh)
	}
	return v
}

// fastBand is the score of x in the fast band, whose opinion goes into o.
func (e *ensemble) fastBand(x, dt, weight float64, o *opinion) (score float64) {
	weight *= suspicion(e.rarity[0], fastSuspect)
	score = e.fast.update(x, e.previous, dt, e.interval, weight, e.flat.moves())
	mark := max(float64(e.rank)-fastMarkRank, 1) // decades that fastMark events a day reach
	usual := min(fastMark*e.interval/(day/second), 0.1)
	decades, events := e.peaks[0].fit(&fastPeaks, mark, score), e.peaks[0].events(&fastPeaks)
	e.peaks[0].learn(&fastPeaks, e.fast.n, usual, mark, score, weight)
	if e.rarity[0] = 0; decades > fastSuspect-1 { // events are a decade rarer than usual at most
		e.rarity[0] = halfOf(decades - math.Log10(events))
	}
	share := fastShare
	if o.alone {
		share = fastBeside
	}
	o.often = findings(e.perDay()*events, share, decades)
	return score
}

// watchRuns is the same of a run of equal values, of which there are fewer than samples, and of the time since the
// sample before.
func (e *ensemble) watchRuns(x, dt, weight float64, o *opinion) (score float64) {
	if u := e.flat.update(x == e.previous, e.interval, weight); u > 0 {
		o.often = min(o.often, findings(e.perDay()/max(float64(e.flat.usual), 1), flatShare, flatCurve.decades(u)))
		score += u
	}
	if u := e.gap.update(dt/e.interval, weight); u > 0 {
		o.often = min(o.often, findings(e.perDay(), gapShare, flatCurve.decades(u)))
		score += u
	}
	return score
}

// Decades from which a band learns less: what goes on for long has begun somewhere.
const (
	fastSuspect   = 3
	slowSuspect   = 2.3
	suspectWeight = 0.25
)

// suspicion is how much is learned after a score that was so rare.
func suspicion(decades half, from float64) float64 {
	if decades.float() >= from {
		return suspectWeight
	}
	return 1
}

// suppress keeps the alert of an episode that is open already, or of what does not beat the recent peak, below half of
// the threshold, in its order.
func suppress(alert, threshold float64, fresh bool) float64 {
	if fresh && alert < threshold {
		return alert
	}
	return 0.5 * threshold * alert / (alert + threshold)
}

// slowBand hands a whole block to the slow band, whose opinion goes into o. What is left of a block before a gap says
// too little.
func (e *ensemble) slowBand(t int64, x, weight float64, o *opinion) (score float64) {
	e.judged, o.slowly = false, math.Inf(1)
	b := &e.block
	length := e.interval * float64(b.size)
	if b.n == 0 && b.begin == 0 || b.n > 0 && float64(t-b.begin)/second > 1.5*length {
		*b = block{begin: t - int64(e.interval*second), size: b.size}
	}
	b.sum += e.forBlock(x)
	if b.n++; b.n < b.size {
		return 0
	}
	dt := max(float64(t-b.begin)/second, e.interval)
	weight *= suspicion(e.rarity[1], slowSuspect)
	score, smoothed := e.slow.update(t, b.sum/float64(b.n), dt, length, weight)
	spec := &slowPeaks
	if o.alone {
		spec = &slowAlone
	}
	decades := slowCurve.decades(e.peaks[1].fit(spec, slowMark, smoothed)) - math.Log10(e.peaks[1].events(spec))
	e.peaks[1].learn(spec, e.slow.n, slowEvents, slowMark, smoothed, weight)
	e.rarity[1] = halfOf(decades)
	if !o.alone {
		decades *= e.slow.heard(length)
	}
	share := slowShare
	if o.alone {
		share = slowBeside
	}
	o.slowly = findings(day/second/length, share, decades)
	o.fresh = e.slow.above(smoothed, dt, length, o.alone)
	o.loud = e.slow.loud()
	if o.alone {
		o.loud = o.slowly <= calmFactor*e.budget
	}
	e.judged = true
	*b = block{begin: t, size: b.size}
	return score
}

// forBlock is x as a block sees it: a spike is the fast band's.
func (e *ensemble) forBlock(x float64) float64 {
	if e.block.size == 1 || e.fast.n <= fastWarm {
		return x
	}
	return e.fast.location + clip(x-e.fast.location, e.fast.spread, clipDeviation)
}

func (e *ensemble) explain(add func(Contribution, float64)) {
	e.fast.explain(e.previous, add)
	e.flat.explain(add)
	e.gap.explain(add)
	if e.judged {
		e.slow.explain(add)
	}
}

func (e *ensemble) fields(c *codec) {
	e.cadence.fields(c)
	e.fast.fields(c)
	e.flat.fields(c)
	e.gap.fields(c)
	e.slow.fields(c)
	c.f64(&e.previous)
	c.i64(&e.last)
	c.i64(&e.block.begin)
	c.f64(&e.block.sum)
	c.u32(&e.block.n)
	if c.reading {
		e.resize()
	}
	c.flag(&e.judged)
	e.peaks[0].fields(c)
	e.peaks[1].fields(c)
	c.half(&e.rarity[0])
	c.half(&e.rarity[1])
	e.episode.fields(c)
}
