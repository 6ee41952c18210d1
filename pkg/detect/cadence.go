package detect

import (
	"slices"
)

const cadenceFirst = 5 // differences that the interval is first learned from

// cadence learns how far apart samples are. The median of the first few differences begins; where the mean of the
// newest says something else by a factor of two and a half, that is the new interval.
type cadence struct {
	interval float64 // s; 0: not known yet
	mean     float64 // EWMA of the differences over 64, each at most ten intervals, s
	first    [cadenceFirst]float32
	n        uint8 // of first
}

// update takes in a difference in seconds and reports whether the interval has just become another one.
func (c *cadence) update(dt float64) (changed bool) {
	if c.interval == 0 {
		return c.begin(dt)
	}
	c.mean += (min(dt, 10*c.interval) - c.mean) / 64
	if c.mean < 2.5*c.interval && c.mean > c.interval/2.5 {
		return false
	}
	c.interval = c.mean
	return true
}

func (c *cadence) begin(dt float64) (known bool) {
	c.first[c.n] = float32(dt)
	if c.n++; c.n < cadenceFirst {
		return false
	}
	sorted := c.first
	slices.Sort(sorted[:])
	c.n = 0
	c.interval = max(float64(sorted[cadenceFirst/2]), 1e-6)
	c.mean = c.interval
	return true
}

func (c *cadence) fields(k *codec) {
	k.f64s(&c.interval, &c.mean)
	if c.interval <= 0 {
		for i := range c.first {
			k.f32(&c.first[i])
		}
		k.u8(&c.n)
		k.within("first differences", uint64(c.n), cadenceFirst)
	}
	k.atLeast("interval", c.interval, 0)
	k.atLeast("mean difference", c.mean, 0)
}
