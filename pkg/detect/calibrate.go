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

// fastCurve is for the score of the fast band.
var fastCurve = curve{{0, 0}, {4.8, 3}, {6.2, 4}, {7.5, 5}, {9.1, 6}, {10.7, 7}}

// flatCurve is for the surprise of a run of equal values, per run.
var flatCurve = curve{{0, 0}, {2, 1}, {10, 8.5}}

// Shares of the budget.
const (
	slowShare = 0.2
	fastShare = 0.7
	flatShare = 0.05
	gapShare  = 0.05
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
func level(often float64) float64 { return math.Log1p(1/max(often, 1e-300)) / math.Ln10 }

// A slope corrects a curve by the series itself: how far its scores go beyond a mark, against how far the curve has them
// go. It stretches or shrinks what lies beyond the mark.
type slope struct {
	mean  float32 // of the excess over the mark, clipped
	count float32 // excesses, at most slopeMemory
}

// A slopeSpec is what the slopes of a band share.
type slopeSpec struct {
	mark   float64 // score
	mean   float64 // excess as the curve has it
	weight float64 // excesses that the curve speaks for
	least  float64 // of the stretch
	most   float64
}

const slopeMemory = 2000

var (
	fastSlope = slopeSpec{mark: 4, mean: 0.65, weight: 100, least: 0.75, most: 2}
	slowSlope = slopeSpec{mark: 2.8, mean: 1.2, weight: 30, least: 1, most: 3}
)

// fit is score as the curve has it.
func (l *slope) fit(s *slopeSpec, score float64) float64 {
	if score <= s.mark {
		return score
	}
	return s.mark + (score-s.mark)/l.stretch(s)
}

// stretch is how much further than on the curve scores go, on the safe side by two standard errors.
func (l *slope) stretch(s *slopeSpec) float64 {
	n := float64(l.count)
	mean := (n*float64(l.mean) + s.weight*s.mean) / (n + s.weight)
	safe := 1.0
	if mean < s.mean {
		safe = 1 + 2/math.Sqrt(n+s.weight)
	}
	return min(max(mean*safe/s.mean, s.least), s.most)
}

// learn takes in a score that counts as weight, 0 to 1.
func (l *slope) learn(s *slopeSpec, score, weight float64) {
	if score <= s.mark || weight <= 0 {
		return
	}
	y := min(score-s.mark, 6*s.mean)
	l.count = min(l.count+float32(weight), slopeMemory)
	l.mean += min(float32(weight)/l.count, 1) * (float32(y) - l.mean)
}

func (l *slope) fields(c *codec) {
	c.f32s(&l.mean, &l.count)
	c.atLeast("mean excess", float64(l.mean), 0)
	c.atLeast("excesses", float64(l.count), 0)
}
