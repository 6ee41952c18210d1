package detect

import (
	"math"
	"slices"
)

const cadenceFirst = 5 // differences that the interval is first learned from

// cadence learns how far apart samples are. The median of the first few differences begins; where the mean of the
// newest says something else by a factor of two and a half, that is the new interval.
type cadence struct {
	interval float64 // s; 0: not known yet
	mean     float32 // EWMA of the differences over 64, each at most ten intervals, s
	rank     float32 // log₁₀ of samples a day
	first    [cadenceFirst]float32
	n        uint8 // of first
}

// cadenceOf is what c says of it.
func cadenceOf(c Config) (k cadence) {
	if c.Interval > 0 {
		k.set(float64(c.Interval) / second)
	}
	return k
}

// set makes interval the time between samples, s.
func (c *cadence) set(interval float64) {
	c.interval, c.mean, c.rank = interval, float32(min(interval, math.MaxFloat32)), float32(math.Log10(day/second/interval))
}

// perDay is samples a day.
func (c *cadence) perDay() float64 { return day / second / c.interval }

// update takes in a difference in seconds and reports whether the interval has just become another one.
func (c *cadence) update(dt float64) (changed bool) {
	if c.interval == 0 {
		return c.begin(dt)
	}
	c.mean += float32((min(dt, 10*c.interval) - float64(c.mean)) / 64)
	if mean := float64(c.mean); mean < 2.5*c.interval && 2.5*mean > c.interval {
		return false
	}
	c.set(float64(c.mean))
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
	c.set(max(float64(sorted[cadenceFirst/2]), 1e-6))
	return true
}

func (c *cadence) fields(k *codec) {
	interval, mean := c.interval, float64(c.mean)
	k.f64s(&interval, &mean)
	k.atLeast("interval", interval, 0)
	k.atLeast("mean difference", mean, 0)
	if k.reading {
		c.set(interval)
		c.mean = float32(min(mean, math.MaxFloat32))
	}
	if c.interval <= 0 {
		for i := range c.first {
			k.f32(&c.first[i])
		}
		k.u8(&c.n)
		k.within("first differences", uint64(c.n), cadenceFirst)
	}
}
