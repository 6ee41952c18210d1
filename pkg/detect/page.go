package detect

import "math"

// A page is Page's sum (1954) of steps that are negative on average: it grows while they are not. Beyond a level h it
// goes with a probability of about exp(−tilt·h), where tilt is the number for which exp(tilt·step) is 1 on average
// (Lundberg's exponent, Wald's identity). The tilt is learned from the series itself (Robbins and Monro): so the sum is
// calibrated without its own tail, of which a day shows little. That is so for steps that know nothing of each other.
// Noise that is greater by day than by night makes sums that are high for hours: time that a sum spends beyond a level
// that it should reach once in a thousand steps takes from the tilt, so that what happens each day is soon no news.
type page struct {
	sum  float32
	tilt float32 // 1/step
}

const (
	pageClip = 4.0  // usual innovations: what one value can say
	pageLoud = 1.25 // usual innovations: noise that grows to more than that on average adds up
	pageCalm = 0.75 // the same of noise that fades

	pageBegin    = 900           // samples after the beginning of the fast band: what is usual must be known well
	pageTilt     = 0.4           // at first
	pageSettle   = 200           // steps
	pageMemory   = 20000         // steps
	pageDoubt    = 5             // standard deviations of a tilt after one step, in tilts
	pageRare     = 0.7           // decades by which a sum that goes beyond a level is rarer than exp(−tilt·level): it stays there
	pageOften    = 3 * math.Ln10 // tilt·sum beyond which a sum should hardly ever be
	pageOver     = 1e-4          // what each second beyond it takes from the tilt
	pageOverMost = 3e-3          // what a step takes at most
	pageMost     = 12            // decades: where the sum stops, so that it comes down again
)

// A pageTurn is what all pages of a series do with the nth step, interval seconds after the one before.
type pageTurn struct {
	trust float64 // part of a tilt that is safe to count on
	part  float64 // of a step in the tilt
	over  float64 // what a step beyond pageOften takes from it
}

func turnOf(n uint32, interval, weight float64) pageTurn {
	seen := min(float64(n), pageMemory)
	return pageTurn{
		trust: 1 / (1 + pageDoubt/math.Sqrt(seen+1)),
		part:  2 * weight / (seen + pageSettle),
		over:  weight * min(pageOver*interval, pageOverMost),
	}
}

// update adds a step, and is −log₁₀ of how often a sum comes so far.
func (p *page) update(t *pageTurn, step float64) (u float64) {
	tilt := float64(p.tilt)
	if tilt == 0 {
		tilt = pageTilt
	}
	sum, safe := max(float64(p.sum)+step, 0), tilt*t.trust
	if sum*safe > pageMost*math.Ln10 {
		sum = pageMost * math.Ln10 / safe
	}
	p.sum = float32(sum)
	tilt -= t.part * (math.Exp(tilt*step) - 1)
	if sum*safe > pageOften {
		tilt -= t.over
	}
	p.tilt = float32(min(max(tilt, 0.02), 4))
	if sum == 0 {
		return 0
	}
	return pageRare + safe*sum*(1/math.Ln10)
}

func (p *page) fields(c *codec) {
	c.f32s(&p.sum, &p.tilt)
	c.atLeast("sum", float64(p.sum), 0)
	c.atLeast("tilt", float64(p.tilt), 0)
}
