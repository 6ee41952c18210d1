package detect

import "math"

// The features of the measured detector and their weights.
var (
	measuredNames   = [5]string{"value", "difference", "level", "activity", "daily"}
	measuredWeights = [5]float64{1, 0.5, 0.5, 0.5, 1}
)

// measuredThreshold is the best one over all of NAB. It was chosen with sight of the labels: this is a baseline.
const measuredThreshold = 5.94

// measured is the ensemble that the design started from, as it was measured, defects included: constants in samples,
// absolute floors, a daily profile that forgets yesterday at high rates. Five features, the tail surprise of each,
// summed, with records; then smoothing, a decaying peak and a refractory time. It is kept to compare with.
type measured struct {
	n        uint32 // samples before the current one
	previous float64
	level    float64 // EWMA of the value
	activity float64 // EWMA of the absolute difference
	smooth   float64 // EWMA of the score
	peak     float64 // decaying
	tripped  uint32  // number of the sample that last raised an alert; 0: none
	profile  [48]float32
	days     [48]uint8 // samples seen in each bucket, at most 255
	features [5]measuredFeature
}

func (d *measured) threshold() float64 { return measuredThreshold }

func (d *measured) update(t int64, x float64) Verdict {
	s := d.score(floorDiv(t, second), x)
	z, o := d.alert(s)
	_ = z
	return Verdict{Score: s, Alert: o, Tail: 1, Flag: o >= measuredThreshold}
}

// score is the sum of surprises of value x at t seconds.
func (d *measured) score(t int64, x float64) float64 {
	if d.n == 0 {
		d.previous, d.level = x, x
	}
	difference := x - d.previous
	d.previous = x
	d.level += 0.1 * (x - d.level)
	d.activity += 0.05 * (math.Abs(difference) - d.activity)
	residual, known := d.daily(t, x)
	phi := [5]float64{x, difference, d.level, math.Log(d.activity + 1e-6), residual}
	admitted := [5]bool{true, d.n+1 > 2, d.n+1 > 20, false, known}
	var s, records float64
	for i := range d.features {
		f := &d.features[i]
		f.value, f.usual = phi[i], f.location
		f.part = measuredWeights[i] * f.surprise(d.n, phi[i])
		s += f.part
		if admitted[i] {
			rho := f.record(float64(d.n)+1, phi[i])
			records += rho
			f.part += 0.5 * rho
		}
	}
	return s + 0.5*records
}

// daily is the distance of x from its half hour's profile, known once there were two values; then it learns x.
func (d *measured) daily(t int64, x float64) (residual float64, known bool) {
	b := floorMod(t, 86400) * 48 / 86400
	if d.days[b] >= 2 {
		residual, known = x-float64(d.profile[b]), true
	}
	if d.days[b] < 255 {
		d.days[b]++
	}
	d.profile[b] += float32(math.Max(1/float64(d.days[b]), 0.2) * (x - float64(d.profile[b])))
	return residual, known
}

// alert smooths score s to z, and lets as o through what beats the recent peak outside the refractory time.
func (d *measured) alert(s float64) (z, o float64) {
	d.n++
	d.smooth += 0.05 * (s - d.smooth)
	z = 0.5*s + d.smooth
	if z > d.peak {
		o = z
	}
	d.peak *= 0.995
	d.peak = math.Max(d.peak, z)
	if o <= 6 {
		return z, o
	}
	if d.tripped != 0 && d.n-d.tripped <= 30 {
		return z, 0
	}
	d.tripped = d.n
	return z, o
}

func (d *measured) explain(add func(Contribution, float64)) {
	for i, f := range d.features {
		add(Contribution{Feature: measuredNames[i], Observed: f.value, Expected: f.usual}, f.part)
	}
}

func (d *measured) fields(c *codec) {
	c.u32(&d.n)
	c.f64s(&d.previous, &d.level, &d.activity, &d.smooth, &d.peak)
	c.u32(&d.tripped)
	for i := range d.profile {
		c.f32(&d.profile[i])
		c.u8(&d.days[i])
	}
	for i := range d.features {
		d.features[i].fields(c)
	}
	c.atLeast("activity", d.activity, 0)
}
