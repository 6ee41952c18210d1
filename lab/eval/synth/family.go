package synth

import (
	"math"
	"math/rand/v2"
	"time"
)

// A Reading is one value of a healthy series and the level around which its noise lies.
type Reading struct{ Value, Level float64 }

// A Source gives the reading at a time since the beginning of the series; calls go forward in time, one per sample.
// Gain multiplies the noise that is new in this sample, 1 for a healthy series.
type Source func(at time.Duration, gain float64) Reading

// A Family is a kind of healthy series.
type Family struct {
	Name      string
	Sigma     float64 // standard deviation of its noise, in the long run
	Wanted    bool    // whether the alert budget must hold on it; others are shown beside it
	NewSource func(chance *rand.Rand, step time.Duration) Source

	// fresh is what is new in each sample, for the oracle: noise, or the innovation of noise that remembers.
	fresh fresh
}

// level is that of all families, give or take cycles and drifts.
const level = 50

// Shapes of single families.
const (
	memory     = 0.95 // of AR(1), per sample
	grain      = 0.05 // step and deviation of the quantized noise
	cycle      = 5    // amplitude of a day, in sigma
	drifts     = 1    // sigma per day
	wanderTime = 6 * time.Hour
	wanderSize = 2 // sigma
	dwell      = 30 * time.Minute
	lag        = time.Minute
)

// Families are the five of noise, those with a cycle and a drift, and three more that nobody asked for.
func Families() []Family {
	white := func(draw func(*rand.Rand) float64) func(*rand.Rand, time.Duration) Source {
		return func(chance *rand.Rand, _ time.Duration) Source {
			return func(_ time.Duration, gain float64) Reading { return Reading{level + gain*draw(chance), level} }
		}
	}
	perSample := func(time.Duration) float64 { return memory }
	perMinute := func(step time.Duration) float64 { return math.Exp(-float64(step) / float64(lag)) }
	return []Family{
		{"Gaussian", 1, true, white((*rand.Rand).NormFloat64), gaussian},
		{"Laplace", math.Sqrt2, true, white(laplace), fresh{laplace, laplaceDensity}},
		{"Student t3", math.Sqrt(3), true, white(student3), fresh{student3, student3Density}},
		{"AR(1) 0.95", 1 / math.Sqrt(1-memory*memory), true, autoregressive(perSample, false), gaussian},
		{"quantized", grain * math.Sqrt(13./12), true, quantized, fresh{(*rand.Rand).NormFloat64, roundedDensity}},
		{"diurnal", 1, true, diurnal, gaussian},
		{"drifting", 1, true, drifting, gaussian},
		{"AR(1) 60 s", 1, false, autoregressive(perMinute, true), fresh{}},
		{"wandering", 1, false, wandering, fresh{}},
		{"two states", 1, false, twoStates, fresh{}},
	}
}

// laplace has scale 1.
func laplace(chance *rand.Rand) float64 {
	if chance.Uint64()&1 == 0 {
		return chance.ExpFloat64()
	}
	return -chance.ExpFloat64()
}

// student3 is Student's t with three degrees of freedom.
func student3(chance *rand.Rand) float64 {
	a, b, c := chance.NormFloat64(), chance.NormFloat64(), chance.NormFloat64()
	return chance.NormFloat64() / math.Sqrt((a*a+b*b+c*c)/3)
}

// autoregressive noise remembers a share of its last deviation; its innovations, or else its values, have deviation 1.
func autoregressive(share func(step time.Duration) float64, unitValues bool) func(*rand.Rand, time.Duration) Source {
	return func(chance *rand.Rand, step time.Duration) Source {
		phi := share(step)
		innovation := 1.0
		if unitValues {
			innovation = math.Sqrt(1 - phi*phi)
		}
		off := chance.NormFloat64() * innovation / math.Sqrt(1-phi*phi)
		return func(_ time.Duration, gain float64) Reading {
			off = phi*off + gain*innovation*chance.NormFloat64()
			return Reading{level + off, level}
		}
	}
}

// quantized noise is a sensor of few digits.
func quantized(chance *rand.Rand, _ time.Duration) Source {
	return func(_ time.Duration, gain float64) Reading {
		return Reading{grain * math.Round((level+gain*grain*chance.NormFloat64())/grain), level}
	}
}

// around is Gaussian noise around a level that moves.
func around(chance *rand.Rand, levelAt func(time.Duration) float64) Source {
	return func(at time.Duration, gain float64) Reading {
		l := levelAt(at)
		return Reading{l + gain*chance.NormFloat64(), l}
	}
}

// diurnal is a sine of a day.
func diurnal(chance *rand.Rand, _ time.Duration) Source { return around(chance, daily) }

func daily(at time.Duration) float64 {
	return level + cycle*math.Sin(2*math.Pi*at.Hours()/24)
}

// drifting is a level that rises, or falls, all the time.
func drifting(chance *rand.Rand, _ time.Duration) Source {
	slope := side(chance) * drifts
	return around(chance, func(at time.Duration) float64 { return level + slope*at.Hours()/24 })
}

// wandering is a level with a memory of hours.
func wandering(chance *rand.Rand, step time.Duration) Source {
	slow := autoregressive(func(step time.Duration) float64 { return math.Exp(-float64(step) / float64(wanderTime)) }, true)(chance, step)
	return around(chance, func(at time.Duration) float64 {
		return level + wanderSize*(slow(at, 1).Value-level)
	})
}

// twoStates is a machine that is switched on and off, at random, every half hour or so.
func twoStates(chance *rand.Rand, step time.Duration) Source {
	l := float64(level)
	return around(chance, func(time.Duration) float64 {
		if chance.Float64() < float64(step)/float64(dwell) {
			l = 2*level + 10 - l // 50 and 60
		}
		return l
	})
}

// side is +1 or −1.
func side(chance *rand.Rand) float64 {
	if chance.Uint64()&1 == 0 {
		return 1
	}
	return -1
}
