package detect

import "math"

// A curve says how rare a score is on a normal series: decades, −log₁₀ of the probability per sample, at some scores,
// straight lines in between, and the last line beyond.
type curve []struct{ score, decades float64 }

// decades at a score of 0 or more.
func (c curve) decades(score float64) float64 {
	i := 1
	for i < len(c)-1 && score > c[i].score {
		i++
	}
	a, b := c[i-1], c[i]
	return a.decades + (score-a.score)*(b.decades-a.decades)/(b.score-a.score)
}

// slowCurve is for the smoothed score of the slow band.
var slowCurve = curve{{0, 0}, {2.8, 2}, {4.9, 3}, {8, 3.8}, {12, 4.5}, {20, 5.5}}

// flatCurve is for the surprise of a run of equal values, per run.
var flatCurve = curve{{0, 0}, {2, 1}, {10, 8.5}}

// Shares of the budget.
const (
	slowShare  = 0.2
	fastShare  = 0.5
	slowBeside = 0.5 // where both see each sample
	fastBeside = 0.4
	flatShare  = 0.05
	gapShare   = 0.05
)

// findings is how many a day of perDay scores reach one that is so rare, where share of the budget is for it.
func findings(perDay, share, decades float64) float64 {
	if decades <= 0 {
		return perDay / share
	}
	return perDay / share * math.Exp(-decades*math.Ln10)
}

// level is what is compared with a threshold: it grows by one for each power of ten that a score is rarer than once a
// day, and stays above 0 for what is common. often is findings per series and day.
func level(often float64) float64 { return log1p(1/max(often, 1e-300)) / math.Ln10 }

// Peaks correct what a band says of its scores by the series itself: how often its scores begin to go beyond a mark, and
// how far they then go before they come back, against what is usual. A score that stays up is one event, as it is one
// finding, and more where it stays for long; its highest value counts.
type peaks struct {
	rate  float32 // of events, in usual ones
	mean  float32 // of how far events go beyond the mark, clipped
	count float32 // events, at most peakMemory
	top   float32 // of the running event; 0: none runs
}

// A peakSpec is what the peaks of a band share.
type peakSpec struct {
	rate   float64 // of events, at first: features that know little are on the safe side
	mean   float64 // of how far events go beyond the mark, usually
	weight float64 // events that what is usual speaks for
	least  float64 // of the stretch
	most   float64
	rarest float64 // of the rate that is believed
	runs   float64 // events that each further score of a running one counts as
	safe   float64 // standard errors that a mean is taken to be greater by
}

const (
	peakMemory = 400 // events
)

var (
	fastPeaks = peakSpec{rate: 0.1, mean: 0.434, weight: 30, least: 0.8, most: 3, rarest: 0.1, runs: 0.05, safe: 1}
	slowPeaks = peakSpec{rate: 0.5, mean: 1.2, weight: 10, least: 1, most: 3, rarest: 0.7, runs: 0.05}
	slowAlone = peakSpec{rate: 0.5, mean: 1.2, weight: 10, least: 1, most: 3, rarest: 0.1, safe: 2}
)

// The marks: fastMark in events per day, and slowMark as a score of which slowEvents of the blocks are the first.
const (
	fastMark     = 40
	fastMarkRank = 1.602 // log₁₀ of it
	slowMark     = 2.8
	slowEvents   = 0.01
)

// fit is a score beyond the mark as if the series went as far as is usual, on the safe side by a standard error.
func (p *peaks) fit(s *peakSpec, mark, score float64) float64 {
	if score <= mark {
		return score
	}
	n := float64(p.count) + s.weight
	mean := (float64(p.count)*float64(p.mean) + s.weight*s.mean) / n
	return mark + (score-mark)/min(max(mean*(1+s.safe/math.Sqrt(n))/s.mean, s.least), s.most)
}

// events is how many there are for each usual one, on the safe side by a standard error.
func (p *peaks) events(s *peakSpec) float64 {
	return max(float64(p.rate), s.rarest) * (1 + 1/math.Sqrt(float64(p.count)+s.weight))
}

// learn takes in the nth score, which counts as weight, 0 to 1; share of the scores usually begin an event.
func (p *peaks) learn(s *peakSpec, n uint32, share, mark, score, weight float64) {
	events := 0.0
	switch {
	case score > mark && p.top == 0:
		events, p.top = weight, float32(score)
	case score > mark:
		events, p.top = s.runs*weight, max(p.top, float32(score))
		p.goes(s, float64(p.top)-mark, events)
	case p.top > 0:
		p.goes(s, float64(p.top)-mark, weight)
		p.top = 0
	}
	p.rate += float32((events - share*float64(p.rate)) / (min(share*float64(n), peakMemory) + s.weight))
}

// goes takes in how far an event has gone.
func (p *peaks) goes(s *peakSpec, y, weight float64) {
	if p.count = min(p.count+float32(weight), peakMemory); p.count > 0 {
		p.mean += min(float32(weight)/p.count, 1) * (float32(min(y, 6*s.mean)) - p.mean)
	}
}

func (p *peaks) fields(c *codec) {
	c.f32s(&p.rate, &p.mean, &p.count, &p.top)
	c.atLeast("peaks", float64(min(p.rate, p.mean, p.count, p.top)), 0)
}
