package synth

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
)

// An oracle is told what no detector knows: the family, its level at each time, what it remembers, the kind of fault and
// its size, but not when it comes, nor to which side. It watches the likelihood ratio of what is new in each sample,
// which is the best anybody can do (Neyman and Pearson for one sample, Moustakides for a change that lasts).

// fresh is the law of what is new in each sample.
type fresh struct {
	draw    func(*rand.Rand) float64
	density func(x, gain float64) float64 // logarithm, of draw times gain; of a rounded value its probability
}

var gaussian = fresh{(*rand.Rand).NormFloat64, gaussianDensity}

// How much the oracle draws.
const (
	oracleDraws  = 20_000
	oracleTrials = 2_000
	oracleMark   = 5.0 // of a sum of likelihood ratios, from which its rate is extrapolated
	oracleSteps  = 400_000
)

// Possible is the share of faults that the oracle finds while they last samples, 0 for a spike, where it may be wrong
// with probability perSample on a healthy sample. It is −1 where the family or the fault has no oracle.
func (f Family) Possible(fault Fault, samples int, perSample float64, chance *rand.Rand) float64 {
	switch {
	case f.fresh.draw == nil:
		return -1
	case fault.size > 0:
		return f.spikesPossible(fault.size*f.Sigma, perSample, chance)
	case fault.gain > 0:
		return f.gainPossible(fault.gain, samples, perSample, chance)
	}
	return -1
}

// spikesPossible draws spikes. How often a healthy sample has such a ratio follows from the same draws: the ratio is
// also their weight.
func (f Family) spikesPossible(size, perSample float64, chance *rand.Rand) float64 {
	if f.Name == "quantized" {
		return 1 // a spike of that size lies between the steps
	}
	ratios := make([]float64, oracleDraws)
	for i := range ratios {
		x := f.fresh.draw(chance) + size
		either := math.Exp(f.fresh.density(x-size, 1)) + math.Exp(f.fresh.density(x+size, 1))
		ratios[i] = math.Log(either/2) - f.fresh.density(x, 1)
	}
	slices.SortFunc(ratios, func(a, b float64) int { return cmp.Compare(b, a) })
	wrong := 0.0
	for i, r := range ratios {
		if wrong += math.Exp(-r) / oracleDraws; wrong > perSample {
			return float64(i) / oracleDraws
		}
	}
	return 1
}

// gainPossible plays noise that has grown to Page's sum of its likelihood ratios. Beyond a mark the sum's rate falls by a
// factor of e for each unit, exactly.
func (f Family) gainPossible(gain float64, samples int, perSample float64, chance *rand.Rand) float64 {
	ratio := func(x float64) float64 {
		if f.Name == "quantized" {
			x = math.Round(x)
		}
		return f.fresh.density(x, gain) - f.fresh.density(x, 1)
	}
	healthy, sum := 0, 0.0
	for range oracleSteps {
		if sum = max(0, sum+ratio(f.fresh.draw(chance))); sum > oracleMark {
			healthy, sum = healthy+1, 0
		}
	}
	level := oracleMark + math.Log(float64(healthy)/oracleSteps/perSample)
	found := 0
	for range oracleTrials {
		sum = 0
		for range samples {
			if sum = max(0, sum+ratio(gain*f.fresh.draw(chance))); sum > level {
				found++
				break
			}
		}
	}
	return float64(found) / oracleTrials
}

func gaussianDensity(x, gain float64) float64 {
	return -x*x/(2*gain*gain) - math.Log(gain) - math.Log(2*math.Pi)/2
}

func laplaceDensity(x, gain float64) float64 { return -math.Abs(x)/gain - math.Log(2*gain) }

func student3Density(x, gain float64) float64 {
	y := x / gain
	return math.Log(2/(math.Pi*math.Sqrt(3))) - 2*math.Log1p(y*y/3) - math.Log(gain)
}

// roundedDensity is of a Gaussian of deviation gain that is rounded to whole numbers.
func roundedDensity(x, gain float64) float64 {
	x = math.Abs(x)
	upper := func(v float64) float64 { return math.Erfc(v/(gain*math.Sqrt2)) / 2 }
	return math.Log(upper(x-0.5) - upper(x+0.5))
}
