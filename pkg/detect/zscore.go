package detect

import "math"

// zscore is the distance from the median of the 60 values before, in standard deviations as the quartiles have them:
// a fault among the 60 hides none after it.
type zscore struct {
	ring
	value, median, sigma float64 // newest
	z                    float64
}

const zscoreValues = 60

func (z *zscore) judge(x, _, _, weight float64) float64 {
	z.value, z.z = x, 0
	if z.full() {
		z.median = z.quantile(0.5)
		z.sigma = (z.quantile(0.75) - z.quantile(0.25)) / 1.349
		if z.sigma > 0 {
			z.z = min(math.Abs(x-z.median)/z.sigma, 1e6)
		}
	}
	if weight == 1 || z.z < 3 {
		z.add(x)
	}
	return z.z
}

func (z *zscore) explain(add func(Contribution, float64)) {
	add(Contribution{Feature: "z-score", Observed: z.value, Expected: z.median, Spread: z.sigma}, z.z)
}

func (z *zscore) fields(c *codec) {
	z.ring.fields(c)
	c.f64s(&z.value, &z.median, &z.sigma, &z.z)
}
