package synth

import (
	"math"
	"math/rand/v2"
	"time"
)

// A Fault is something that happens to a healthy series at one moment.
type Fault struct {
	Name     string
	Lasts    time.Duration // 0: one sample
	Wanted   float64       // share that must be found at the alert budget
	Seasonal bool          // laid over a daily cycle of whatever noise there is
	Silent   bool          // no values come while it lasts: it can be seen when they come again

	Rare   bool    // only where samples come a minute apart or more
	gain   float64 // of the noise while it lasts; 0 counts as 1
	size   float64 // of a spike, in sigma
	change func(scene) (value float64, there bool)
}

// scene is what a fault is made from.
type scene struct {
	healthy Reading
	since   time.Duration // the onset
	sigma   float64
	side    float64 // +1 or −1
	before  Reading // the last healthy one
}

// Faults are those that are injected. Drift reaches 6 sigma, the seasonal break holds the level of its onset.
func Faults() []Fault {
	shift := func(by func(scene) float64) func(scene) (float64, bool) {
		return func(s scene) (float64, bool) { return s.healthy.Value + s.side*s.sigma*by(s), true }
	}
	return []Fault{
		{Name: "spike 8σ", Wanted: 0.95, size: 8, change: shift(func(scene) float64 { return 8 })},
		{Name: "flat line", Lasts: 10 * time.Minute, Wanted: 0.95, change: held},
		{Name: "flat for 1 h", Lasts: time.Hour, Rare: true, change: held},
		{Name: "missing", Lasts: 10 * time.Minute, Wanted: 0.95, Silent: true, change: func(scene) (float64, bool) { return 0, false }},
		{Name: "step 3σ", Lasts: time.Hour, Wanted: 0.9, change: shift(func(scene) float64 { return 3 })},
		{Name: "variance ×3", Lasts: time.Hour, Wanted: 0.9, gain: math.Sqrt(3), change: shift(func(scene) float64 { return 0 })},
		{Name: "drift 1σ/h", Lasts: 6 * time.Hour, Wanted: 0.7, change: shift(func(s scene) float64 { return s.since.Hours() })},
		{Name: "seasonal break", Lasts: 12 * time.Hour, Seasonal: true, change: func(s scene) (float64, bool) {
			return s.healthy.Value - s.healthy.Level + s.before.Level, true
		}},
	}
}

// held is the last healthy value, again and again.
func held(s scene) (float64, bool) { return s.before.Value, true }

// Seasonal lays the daily cycle over a family, in its own sigma. A family that has one keeps it.
func (f Family) Seasonal() Family {
	if f.Name == "diurnal" {
		return f
	}
	plain := f.NewSource
	f.NewSource = func(chance *rand.Rand, step time.Duration) Source {
		source := plain(chance, step)
		return func(at time.Duration, gain float64) Reading {
			r, lift := source(at, gain), f.Sigma*(daily(at)-level)
			return Reading{r.Value + lift, r.Level + lift}
		}
	}
	return f
}

// Horizon is how long after the onset a finding still counts: while the fault lasts, not when it ends. What is over in
// one sample, or silent, may be seen a little later.
func (f Fault) Horizon(step time.Duration) time.Duration {
	if f.Lasts > 0 && !f.Silent {
		return f.Lasts - 1
	}
	return f.Lasts + max(3*step, 3*time.Second)
}

// Break returns the source with a fault from its onset on: the value at each time, or none where it is missing.
// The source is healthy again when the fault is over. The side of shifts is drawn from chance.
func (f Fault) Break(source Source, sigma float64, onset time.Duration, chance *rand.Rand) func(at time.Duration) (value float64, there bool) {
	s := scene{sigma: sigma, side: side(chance)}
	begun, over := false, false
	gain := f.gain
	if gain == 0 {
		gain = 1
	}
	return func(at time.Duration) (float64, bool) {
		if at < onset || over || begun && at-onset >= f.Lasts {
			over = begun
			s.before = source(at, 1)
			return s.before.Value, true
		}
		begun = true
		s.healthy, s.since = source(at, gain), at-onset
		return f.change(s)
	}
}
