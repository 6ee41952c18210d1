package detect

import "math"

// Constants of the measured detector's tails.
const (
	measuredQuantile = 0.98 // of a feature, both ways: what lies beyond is an excess
	measuredExcesses = 50   // memory of a tail, excesses
	measuredShape    = 0.3  // greatest shape of the tail, either way
	measuredWarm     = 50   // samples before anything is a surprise
	measuredMemory   = 1000 // samples that location and scale remember
)

// A measuredTail is one side of a feature: the probability of what lies beyond a quantile, by the peaks over threshold
// of Siffer et al. (SPOT, KDD'17), with moments where they use likelihood.
type measuredTail struct {
	cut    float64 // where the tail begins; of the negated feature for the lower side
	mean   float64 // of the excess over cut
	square float64 // mean of its square
	count  float32 // excesses so far, at most a million
}

// surprise is −log₁₀ of the probability to see y beyond the cut, 0 where nothing is known. It learns from y.
func (t *measuredTail) surprise(n uint32, y float64) float64 {
	if n <= measuredWarm || y <= 0 {
		return 0
	}
	u := -math.Log10(1 - measuredQuantile)
	if t.count >= 3 {
		u += t.excess(y)
	}
	w := 1 / math.Min(float64(t.count)+1, measuredExcesses)
	t.mean += w * (y - t.mean)
	t.square += w * (y*y - t.square)
	t.count = min(t.count+1, 1e6)
	return math.Min(u, 30)
}

// excess is −log₁₀ of the generalized Pareto distribution's tail at y.
func (t *measuredTail) excess(y float64) float64 {
	m2 := t.mean * t.mean
	v := math.Max(t.square-m2, 1e-18+1e-6*m2)
	r := m2 / v
	shape, scale := (1-r)/2, t.mean*(r+1)/2
	if math.Abs(shape) > measuredShape {
		shape = math.Copysign(measuredShape, shape)
		scale = t.mean * (1 - shape)
	}
	scale = math.Max(scale, 1e-12)
	if math.Abs(shape) < 1e-3 {
		return y / (scale * math.Ln10)
	}
	z := 1 + shape*y/scale
	if z <= 1e-12 {
		return 12 // beyond the end of a tail that has one
	}
	return math.Log10(z) / shape
}

// track moves the cut towards the quantile (Robbins and Monro).
func (t *measuredTail) track(phi, step float64) {
	if phi > t.cut {
		t.cut += measuredQuantile * step
	} else {
		t.cut -= (1 - measuredQuantile) * step
	}
}

func (t *measuredTail) fields(c *codec) {
	c.f64s(&t.cut, &t.mean, &t.square)
	c.f32(&t.count)
	c.atLeast("excesses", float64(t.count), 0)
}

// A measuredFeature is one of the five numbers that are watched.
type measuredFeature struct {
	upper, lower measuredTail
	location     float64
	spread       float64 // mean absolute deviation from the location
	high, low    float64 // record values, once seen is set
	seen         bool
	value        float64 // newest, for the explanation
	usual        float64 // location before it
	part         float64 // of the newest score
}

// surprise judges phi, the value at n samples before it, then learns from it.
func (f *measuredFeature) surprise(n uint32, phi float64) float64 {
	if n == 0 {
		f.upper.cut, f.lower.cut, f.location = phi, -phi, phi
		return 0
	}
	u := math.Max(f.upper.surprise(n, phi-f.upper.cut), f.lower.surprise(n, -phi-f.lower.cut))
	w := 1 / math.Min(float64(n)+1, measuredMemory)
	f.location += w * (phi - f.location)
	f.spread += w * (math.Abs(phi-f.location) - f.spread)
	step := 0.5 * f.spread * math.Max(0.02, 3/math.Sqrt(float64(n)+1))
	f.upper.track(phi, step)
	f.lower.track(-phi, step)
	return u
}

// record is the surprise of a new extreme: one among count exchangeable values has probability 2/count.
func (f *measuredFeature) record(count, phi float64) float64 {
	if !f.seen {
		f.seen, f.high, f.low = true, phi, phi
		return 0
	}
	width, beyond := f.high-f.low, 0.0
	switch {
	case phi > f.high:
		beyond, f.high = phi-f.high, phi
	case phi < f.low:
		beyond, f.low = f.low-phi, phi
	}
	if beyond <= 0 || width <= 0 {
		return 0
	}
	return math.Log10(count/2+1) + math.Min(10, 5*beyond/width)
}

func (f *measuredFeature) fields(c *codec) {
	f.upper.fields(c)
	f.lower.fields(c)
	c.f64s(&f.location, &f.spread, &f.high, &f.low, &f.value, &f.usual, &f.part)
	c.flag(&f.seen)
}
