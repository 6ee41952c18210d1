package detect

import "math"

// A tail is one side of a feature: how far it goes beyond a quantile, the cut, which its owner keeps. Excesses over it
// follow a generalized Pareto distribution (Pickands, Balkema and de Haan). Its scale comes from their mean, its shape
// from the mean and the mean square of their logarithms (Dekkers, Einmahl and de Haan, 1989): one outlier moves a
// logarithm little, so that heavy tails are recognized as such and stay so.
type tail struct {
	mean       float32 // of the excess over the cut
	log1, log2 float32 // means of ln(1 + excess/(cut − location)) and of its square
	count      float32 // excesses so far, at most spec.memory
}

// A tailSpec is what the tails of a group of features share.
type tailSpec struct {
	share       float64 // of the values that lies beyond the cut
	memory      float32 // excesses
	least, most float64 // shape
	prior       float64 // shape that priorWeight excesses speak for at the start
	priorWeight float64
	floor       float64 // of the step of the cut, in spreads
	doubt       float64 // standard errors of the shape that count for a heavier tail
	meanWeight  float64 // excesses that the mean is taken to stand for before there are any
	clip        float64 // excess that one value can teach at most, in mean ones
}

const greatestSurprise = 30 // decades

// surprise is −log₁₀ of the probability that a value goes y beyond the cut, 0 where y is not beyond it. The cut lies beyond from the
// middle of the feature.
func (t *tail) surprise(s *tailSpec, y, beyond float64) float64 {
	if y <= 0 {
		return 0
	}
	return min(t.further(s, y, beyond)-math.Log10(s.share), greatestSurprise)
}

// further is −log₁₀ of the probability that a value that is beyond the cut goes y beyond it, y > 0.
func (t *tail) further(s *tailSpec, y, beyond float64) float64 {
	if t.count < 3 && s.meanWeight == 0 {
		return 0
	}
	shape := t.shape(s)
	scale := t.typical(s, beyond) * (1 - min(shape, 0.9))
	if math.Abs(shape) < 1e-3 {
		return y / (scale * math.Ln10)
	}
	z := 1 + shape*y/scale
	if shape < 0 {
		return min(math.Log10(max(z, 1e-12))/shape, 12) // beyond the end of a tail that has one, or near it
	}
	return math.Log10(z) / shape
}

// typical is the mean excess. A normal distribution has some sixth of beyond at these quantiles.
func (t *tail) typical(s *tailSpec, beyond float64) float64 {
	n, w := float64(t.count), s.meanWeight
	return max((n*float64(t.mean)+w*beyond/6)/(n+w+1e-9), 1e-30)
}

// shape of the generalized Pareto distribution.
func (t *tail) shape(s *tailSpec) (shape float64) {
	m1, m2 := float64(t.log1), float64(t.log2)
	if spread := 1 - m1*m1/m2; m2 > 0 && spread > 1e-6 {
		shape = m1 + 1 - 0.5/spread
	}
	n := float64(t.count)
	if s.most > s.least {
		shape = (n*shape + s.priorWeight*s.prior) / (n + s.priorWeight)
	}
	shape = min(max(shape, s.least), s.most)
	doubt := s.doubt * (1 + 3*max(shape, 0)) / math.Sqrt(n+s.priorWeight+1) // a heavy tail suffers more from an error
	return shape + doubt + 1/(n+1+s.meanWeight)                             // the mean itself is not known yet
}

// learn takes in the excess y of a value that counts as weight, 0 to 1, independent ones; beyond is how far the cut lies
// from the middle of the feature.
func (t *tail) learn(s *tailSpec, y, beyond float64, weight float32) {
	if t.count >= 1 {
		y = min(y, s.clip*float64(t.mean)) // one fault is not the tail
	}
	l := float32(math.Log1p(y / beyond))
	t.count = min(t.count+weight, s.memory)
	w := min(weight/t.count, 1)
	t.mean += w * (float32(y) - t.mean)
	t.log1 += w * (l - t.log1)
	t.log2 += w * (l*l - t.log2)
}

// settleValues is how many values a cut is first taken from: the greatest of them is the quantile of share 0.01.
const settleValues = 100

// follow is the cut after the nth value phi, with a step in units of usual that shrinks to the spec's floor.
func (s *tailSpec) follow(cut float64, n uint32, phi, usual, weight float64) float64 {
	switch {
	case n == 0:
		return phi
	case n < settleValues:
		return max(cut, phi)
	}
	return track(cut, phi, s.share, 0.5*weight*usual*max(s.floor, 3/math.Sqrt(float64(n-settleValues)*weight+1)))
}

// track moves a cut towards its quantile (Robbins and Monro) by a part of step.
func track(cut, phi, share, step float64) float64 {
	if phi > cut {
		return cut + (1-share)*step
	}
	return cut - share*step
}

func (t *tail) fields(c *codec) {
	c.f32s(&t.mean, &t.log1, &t.log2, &t.count)
	c.atLeast("excesses", float64(t.count), 0)
	c.atLeast("mean excess", float64(t.mean), 0)
	c.atLeast("mean logarithm", float64(t.log1), 0)
}
