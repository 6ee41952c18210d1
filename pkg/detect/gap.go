package detect

import "math"

// gap watches how far apart samples are, in intervals. A series that is always irregular has a wide tail of its own.
type gap struct {
	cut    float32 // of the tail
	tail   tail
	usual  float32 // intervals
	newest float32 // intervals
	part   half    // surprise of it
	n      uint16  // differences so far, up to what matters
}

const (
	gapWarm  = 100 // differences before one is a surprise
	gapLeast = 3   // intervals: less is no gap
)

// update is −log₁₀ of the probability that a sample comes so many intervals after the one before.
func (g *gap) update(intervals, weight float64) float64 {
	u := 0.0
	if g.n > gapWarm {
		u = g.surprise(intervals)
	}
	g.newest, g.part = float32(min(intervals, 1e9)), halfOf(u)
	n := min(float64(g.n)+1, slowMemory)
	if g.n == 0 {
		g.cut = float32(min(intervals, 1e9))
	}
	cut := float64(g.cut)
	if y := intervals - cut; y > 0 && g.n > gapWarm/4 {
		g.tail.learn(&flatTails, y, max(cut, 1), float32(weight))
	}
	g.usual += float32(weight * (min(intervals, 10) - float64(g.usual)) / n)
	g.cut = float32(track(cut, intervals, flatTails.share, 0.5*weight*float64(g.usual)*max(flatTails.floor, 3/math.Sqrt(float64(g.n)+1))))
	g.n += min(1, math.MaxUint16-g.n)
	return u
}

func (g *gap) surprise(intervals float64) float64 {
	t := g.tail
	t.mean = max(t.mean, 0.35)
	t.count = max(t.count, 20)
	return t.surprise(&flatTails, intervals-max(float64(g.cut), gapLeast), 0)
}

func (g *gap) fields(c *codec) {
	g.tail.fields(c)
	c.f32s(&g.cut, &g.usual, &g.newest)
	c.half(&g.part)
	c.u16(&g.n)
}
