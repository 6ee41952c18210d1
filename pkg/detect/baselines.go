package detect

import "math"

// silent never says anything.
type silent struct{}

func (silent) update(int64, float64) Verdict       { return Verdict{Tail: 1} }
func (silent) explain(func(Contribution, float64)) {}
func (silent) fields(*codec)                       {}
func (silent) threshold() float64                  { return math.Inf(1) }

// dice gives a uniform score. It is SplitMix64 by Steele, Lea and Flood (OOPSLA'14).
type dice struct {
	state uint64
}

// diceThreshold lets about one sample in a thousand be flagged.
const diceThreshold = 0.999

func (d *dice) update(int64, float64) Verdict {
	d.state += 0x9e3779b97f4a7c15
	z := d.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	u := float64((z^z>>31)>>11) / (1 << 53)
	return Verdict{Score: u, Alert: u, Tail: 1 - u, Flag: u >= diceThreshold}
}

func (d *dice) explain(func(Contribution, float64)) {}
func (d *dice) fields(c *codec)                     { c.u64(&d.state) }
func (d *dice) threshold() float64                  { return diceThreshold }

// novelty is how far a value lies outside the range so far, in widths of that range.
type novelty struct {
	begun     bool
	low, high float64
	beyond    float64
	value     float64
	edge      float64 // of the range, that value went beyond
}

// noveltyThreshold is half a percent of the range.
const noveltyThreshold = 0.005

func (d *novelty) update(_ int64, x float64) Verdict {
	if !d.begun {
		d.begun, d.low, d.high = true, x, x
	}
	d.value, d.beyond = x, 0
	width := d.high - d.low
	switch {
	case x > d.high:
		d.beyond, d.edge, d.high = x-d.high, d.high, x
	case x < d.low:
		d.beyond, d.edge, d.low = d.low-x, d.low, x
	}
	if width > 0 {
		d.beyond /= width
	} else {
		d.beyond = 0
	}
	return Verdict{Score: d.beyond, Alert: d.beyond, Tail: 1, Flag: d.beyond >= noveltyThreshold}
}

func (d *novelty) explain(add func(Contribution, float64)) {
	add(Contribution{Feature: "range", Observed: d.value, Expected: d.edge}, d.beyond)
}

func (d *novelty) fields(c *codec) {
	c.flag(&d.begun)
	c.f64s(&d.low, &d.high, &d.beyond, &d.value, &d.edge)
}

func (d *novelty) threshold() float64 { return noveltyThreshold }
