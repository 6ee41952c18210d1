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
	edgeLeast   = 1    // of what is usual: nothing nearer is a surprise
	edgeFalling = 60   // excesses that the tail remembers while the cut is not yet where it should be
)

var edgeTails = tailSpec{memory: 1000, least: -0.15, most: 0.6, prior: 0.1, priorWeight: 20, doubt: 1, meanWeight: 5, clip: 20}

// A pace is what all edges of a series do with the nth value.
type pace struct {
	n      uint32
	target float64 // share of the values that should lie beyond a cut
	early  bool    // it is not yet what it will be
	part   float64 // of one value in the share that really does
}

func paceOf(n uint32, interval float64) pace {
	p := pace{n: n, target: min(edgesPerDay*interval/(day/second), edgeMost)}
	if early := edgeMost * 1000 / float64(n+1); early > p.target {
		p.target, p.early = min(early, edgeMost), true
	}
	p.part = max(4/float64(n), p.target/edgeMemory)
	return p
}

// update judges the nth value phi by the edge, then learns it with a weight of 0 to 1, blurred: as much more. It is
// −log₁₀ of the probability of such a value, 0 where it does not reach the cut.
func (e *edge) update(p *pace, phi, blur, weight float64) (u float64) {
	if p.n < edgeSettle {
		e.cut, e.share = max(e.cut, float32(phi)), 1./edgeSettle
		return 0
	}
	if p.early {
		e.count = min(e.count, edgeFalling)
	}
	cut, part := max(float64(e.cut), edgeLeast), float32(weight*p.part)
	if y := phi - cut; y > 0 { // what has not been seen yet may come: half a value, as Jeffreys has it
		u = min(e.further(&edgeTails, y, cut)-math.Log10(float64(e.share)+p.part/2), greatestSurprise)
	}
	step := edgeGain * weight * e.typical(&edgeTails, cut)
	if y := phi + blur - cut; y > 0 && phi > 0 {
		e.learn(&edgeTails, y, cut, float32(weight))
		e.cut += float32((1 - p.target) * step)
		e.share += part * (1 - e.share)
		return u
	}
	e.cut = max(e.cut-float32(p.target*step), 0)
	e.share = max(e.share-part*e.share, 1e-9)
	return u
}

func (e *edge) fields(c *codec) {
	c.f32s(&e.cut, &e.share)
	c.atLeast("cut", float64(e.cut), 0)
	c.atLeast("share", float64(e.share), 0)
	e.tail.fields(c)
}
