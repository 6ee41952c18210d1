package detect

import "math"

// foundingSigmas is what both parts of the founding recipe fire above.
const foundingSigmas = 3

// foundingThreshold is the first number above it.
var foundingThreshold = math.Nextafter(foundingSigmas, 4)

// founding is the recipe that the project was first told to build, as it fires: EWMA with a gain of 0.2, z-score over
// the 60 values before, 3 sigma each, any of them. It counts in samples and learns from everything at once.
type founding struct {
	ewma, ring bool // which of the parts have a say

	n              uint64
	mean, variance float64 // of the EWMA
	values         [60]float64
	at             uint32 // where the next value goes in values
	seen           uint32 // of values
	parts          [2]Contribution
	z              [2]float64
}

func (d *founding) update(_ int64, x float64) Verdict {
	d.z = [2]float64{}
	if z := d.average(x); d.ewma {
		d.z[0] = z
	}
	if z := d.window(x); d.ring {
		d.z[1] = z
	}
	d.n++
	z := max(d.z[0], d.z[1])
	return Verdict{Score: z, Alert: z, Tail: 1, Flag: z >= foundingThreshold}
}

// average compares x with the EWMA, then moves it.
func (d *founding) average(x float64) (z float64) {
	if d.n == 0 {
		d.mean = x
		return 0
	}
	e := x - d.mean
	if sigma := math.Sqrt(d.variance); sigma > 1e-12 && d.n > 10 {
		z = math.Abs(e) / sigma
	}
	d.parts[0] = Contribution{Feature: "ewma", Observed: x, Expected: d.mean}
	d.mean += 0.2 * e
	d.variance = 0.8 * (d.variance + 0.2*e*e)
	return z
}

// window compares x with the 60 values before it, then replaces the oldest.
func (d *founding) window(x float64) (z float64) {
	if d.seen == uint32(len(d.values)) {
		mean, sigma := meanAndSigma(d.values[:])
		switch {
		case sigma > 1e-12:
			z = math.Abs(x-mean) / sigma
		case x != mean:
			z = 100
		}
		d.parts[1] = Contribution{Feature: "z60", Observed: x, Expected: mean}
	}
	d.values[d.at] = x
	d.at = (d.at + 1) % uint32(len(d.values))
	d.seen = min(d.seen+1, uint32(len(d.values)))
	return z
}

// meanAndSigma are mean and population standard deviation, in two passes.
func meanAndSigma(values []float64) (mean, sigma float64) {
	for _, v := range values {
		mean += v
	}
	mean /= float64(len(values))
	for _, v := range values {
		sigma += (v - mean) * (v - mean)
	}
	return mean, math.Sqrt(sigma / float64(len(values)))
}

func (d *founding) explain(add func(Contribution, float64)) {
	for i, part := range d.parts {
		add(part, d.z[i])
	}
}

func (d *founding) fields(c *codec) {
	c.u64(&d.n)
	c.f64s(&d.mean, &d.variance)
	for i := range d.values {
		c.f64(&d.values[i])
	}
	c.u32(&d.at)
	c.u32(&d.seen)
	c.within("place in the ring", uint64(d.at), uint64(len(d.values)))
	c.within("values in the ring", uint64(d.seen), uint64(len(d.values))+1)
	c.atLeast("variance", d.variance, 0)
	for i := range d.parts {
		c.f64s(&d.parts[i].Observed, &d.parts[i].Expected, &d.z[i])
	}
	d.parts[0].Feature, d.parts[1].Feature = "ewma", "z60"
}

func (d *founding) threshold() float64 { return foundingThreshold }
