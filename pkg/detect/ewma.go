package detect

import "math"

// ewma is the distance from an exponentially weighted mean in standard deviations: compared before it is learned, in
// seconds, and no value moves it by more than three deviations once there are thirty.
type ewma struct {
	mean, variance float64
	value, usual   float64 // newest, and the mean before it
	z              float64
	n              uint32
}

const (
	ewmaTime    = 60.0 // s, or at least ewmaSamples
	ewmaSamples = 20
	ewmaLimit   = 3.0 // deviations that one value can teach
)

func (e *ewma) judge(x, dt, interval, weight float64) float64 {
	if e.n == 0 {
		e.mean = x
	}
	d := x - e.mean
	sigma := math.Sqrt(e.variance)
	e.value, e.usual, e.z = x, e.mean, 0
	if sigma > 0 {
		e.z = min(math.Abs(d)/sigma, 1e6)
	}
	if e.n >= 30 && sigma > 0 {
		d = min(max(d, -ewmaLimit*sigma), ewmaLimit*sigma)
	}
	w := weight * max(gain(min(dt, 3*interval), max(ewmaTime, ewmaSamples*interval)), 1/(float64(e.n)+1))
	e.mean += w * d
	e.variance = (1 - w) * (e.variance + w*d*d)
	e.n += min(1, math.MaxUint32-e.n)
	return e.z
}

func (e *ewma) explain(add func(Contribution, float64)) {
	add(Contribution{Feature: "ewma", Observed: e.value, Expected: e.usual, Spread: math.Sqrt(e.variance)}, e.z)
}

func (e *ewma) fields(c *codec) {
	c.f64s(&e.mean, &e.variance, &e.value, &e.usual, &e.z)
	c.u32(&e.n)
	c.atLeast("variance", e.variance, 0)
}
