package detect

import "math"

// cusum adds up what a series goes beyond its reference, both ways (Page, 1954): drifts and small steps that last. It
// works on means of about a minute, in their own deviations, each clipped; the reference follows over two days.
type cusum struct {
	reference, deviation float64 // of the minutes' means
	up, down             float64 // sums, in deviations
	sum                  float64 // of the open minute
	elapsed              float64 // s of the open minute
	value                float64 // newest mean
	score                float64
	count                uint32 // of samples in the open minute
	n                    uint32 // minutes
}

const (
	cusumMinute    = 60.0        // s
	cusumReference = 2 * 86400.0 // s, time constant
	cusumSlack     = 0.5         // deviations that a mean may lie off
	cusumLimit     = 4.0         // deviations that one mean counts at most
	cusumCap       = 1000.0      // of the sums, so that a series comes back from them
	cusumWarm      = 60          // minutes
)

func (u *cusum) judge(x, dt, interval, weight float64) float64 {
	u.sum += x
	u.count++
	u.elapsed += min(dt, 3*interval)
	if u.elapsed < cusumMinute {
		return u.score
	}
	u.value = u.sum / float64(u.count)
	u.minute(u.value, u.elapsed, weight)
	u.sum, u.count, u.elapsed = 0, 0, 0
	return u.score
}

// minute judges a mean over dt seconds.
func (u *cusum) minute(x, dt, weight float64) {
	if u.n == 0 {
		u.reference = x
	}
	d := x - u.reference
	z := 0.0
	if u.deviation > 0 {
		z = min(max(d/u.deviation, -cusumLimit), cusumLimit)
	}
	if u.n >= cusumWarm {
		u.up = min(max(u.up+z-cusumSlack, 0), cusumCap)
		u.down = min(max(u.down-z-cusumSlack, 0), cusumCap)
	}
	if u.n >= cusumWarm && u.deviation > 0 {
		d = min(max(d, -cusumLimit*u.deviation), cusumLimit*u.deviation)
	}
	w := weight * max(gain(dt, cusumReference), 1/(float64(u.n)+1))
	u.reference += w * d
	u.deviation += w * (1.2533*math.Abs(d) - u.deviation) // sigma of a normal distribution from its mean deviation
	u.n += min(1, math.MaxUint32-u.n)
	u.score = max(u.up, u.down)
}

func (u *cusum) explain(add func(Contribution, float64)) {
	add(Contribution{Feature: "drift", Observed: u.value, Expected: u.reference, Spread: u.deviation}, u.score)
}

func (u *cusum) fields(c *codec) {
	c.f64s(&u.reference, &u.deviation, &u.up, &u.down, &u.sum, &u.elapsed, &u.value, &u.score)
	c.u32(&u.count)
	c.u32(&u.n)
	for _, v := range []float64{u.deviation, u.up, u.down, u.elapsed} {
		c.atLeast("sum", v, 0)
	}
}
