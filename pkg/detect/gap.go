package detect

import "math"

// gap watches how far apart samples are, in intervals. A series that is always irregular has a wide tail of its own.
type gap struct {
	cut    float32 // of the tail
	tail   tail
	usual  float32 // intervals
	part   float32 // surprise of the newest
	newest float32 // intervals
	n      uint32  // differences so far
}

const (
	gapWarm  = 100 // differences before one is a surprise
	gapLeast = 3   // intervals: less is no gap
)

// update is −log₁₀ of the probability that a sample comes so many intervals after the one before.
func (g *gap) update(intervals, weight float64) float64 {
	g.part, g.newest = 0, float32(min(intervals, 1e9))
	if g.n > gapWarm {
		g.part = float32(g.surprise(intervals))
	}
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
	g.n += min(1, math.MaxUint32-g.n)
	return float64(g.part)
}

func (g *gap) surprise(intervals float64) float64 {
	t := g.tail
	t.mean = max(t.mean, 0.35)
	t.count = max(t.count, 20)
	return t.surprise(&flatTails, intervals-max(float64(g.cut), gapLeast), 0)
}

func (g *gap) fields(c *codec) {
	g.tail.fields(c)
	c.f32s(&g.cut, &g.newest, &g.usual, &g.part)
	c.u32(&g.n)
}
