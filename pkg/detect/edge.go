package detect

import "math"

// An edge is one side of a feature: a cut that so many values a day go beyond, whatever the rate of samples, how many
// really do, and the tail beyond it. A finding each ten days is as far beyond such a cut at ten samples a second as it
// is at one a minute: that is how far the tail has to reach.
type edge struct {
	cut   float32 // in units of what is usual
	share float32 // of the values that lie beyond the cut
	tail
}

const (
	edgesPerDay = 432  // values beyond a cut, or edgeMost of them
	edgeMost    = 0.02 // of all
	edgeSettle  = 50   // values that the first cut is taken from
	edgeGain    = 0.05 // mean excesses that an excess moves the cut by
	edgeMemory  = 100  // excesses that the share remembers
	edgeFalling = 60   // excesses that the tail remembers while the cut is not yet where it should be
)

var edgeTails = tailSpec{memory: 1000, least: -0.15, most: 0.6, prior: 0.1, priorWeight: 20, doubt: 1, meanWeight: 5, clip: 20}

// update judges the nth value phi by the edge, then learns it with a weight of 0 to 1, blurred: as much more. It is
// −log₁₀ of the probability of such a value, 0 where it does not reach the cut.
func (e *edge) update(n uint32, target, phi, blur, weight float64) (u float64) {
	if n < edgeSettle {
		e.cut, e.share = max(e.cut, float32(phi)), 1./edgeSettle
		return 0
	}
	if early := edgeMost * 1000 / float64(n+1); early > target {
		target = min(early, edgeMost)
		e.count = min(e.count, edgeFalling)
	}
	cut := max(float64(e.cut), 1e-9)
	if y := phi - cut; y > 0 {
		u = min(e.further(&edgeTails, y, cut)-math.Log10(float64(e.share)), greatestSurprise)
	}
	step := edgeGain * weight * e.typical(&edgeTails, cut)
	w := weight / min(0.25*float64(n), edgeMemory/target)
	if y := phi + blur - cut; y > 0 {
		e.learn(&edgeTails, y, cut, float32(weight))
		e.cut += float32((1 - target) * step)
		e.share += float32(w) * (1 - e.share)
		return u
	}
	e.cut = max(e.cut-float32(target*step), 0)
	e.share = max(e.share-float32(w)*e.share, 1e-9)
	return u
}

func (e *edge) fields(c *codec) {
	c.f32s(&e.cut, &e.share)
	c.atLeast("cut", float64(e.cut), 0)
	c.atLeast("share", float64(e.share), 0)
	e.tail.fields(c)
}
