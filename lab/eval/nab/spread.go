package nab

import (
	"math"
	"math/rand/v2"
	"slices"
)

// Bootstrap draws files with replacement, so many rounds, and returns the 5 % and 95 % points of the score. Draws
// without a window are drawn again; without any window both are NaN.
func Bootstrap(p Profile, files []Tally, rounds int, chance *rand.Rand) (low, high float64) {
	if Sum(files).Windows == 0 {
		return math.NaN(), math.NaN()
	}
	scores := make([]float64, rounds)
	for i := range scores {
		var sum Tally
		for sum.Windows == 0 {
			sum = Tally{}
			for range files {
				sum = sum.Plus(files[chance.IntN(len(files))])
			}
		}
		scores[i] = p.Score(sum)
	}
	slices.Sort(scores)
	return quantile(scores, 0.05), quantile(scores, 0.95)
}

// quantile interpolates between the sorted values.
func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	below := int(at)
	if below+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[below] + (at-float64(below))*(sorted[below+1]-sorted[below])
}

// Transfer splits the files at random into halves, so many times, takes the best threshold of the first half to the
// second, and returns the mean and the standard deviation of the scores there. Splits whose second half has no
// window are left out; both are NaN where none is left.
func (s *Sheet) Transfer(p Profile, splits int, chance *rand.Rand) (mean, deviation float64) {
	var scores []float64
	for range splits {
		fit := make([]bool, len(s.windows))
		for _, file := range chance.Perm(len(fit))[:len(fit)/2] {
			fit[file] = true
		}
		threshold, _ := s.Best(p, fit)
		var rest Tally
		for file, t := range s.At(p, threshold) {
			if !fit[file] {
				rest = rest.Plus(t)
			}
		}
		if rest.Windows > 0 {
			scores = append(scores, p.Score(rest))
		}
	}
	return meanAndDeviation(scores)
}

// meanAndDeviation is NaN, NaN for no values, and the deviation of one value is NaN.
func meanAndDeviation(values []float64) (mean, deviation float64) {
	n := float64(len(values))
	for _, v := range values {
		mean += v / n
	}
	if len(values) == 0 {
		return math.NaN(), math.NaN()
	}
	var squares float64
	for _, v := range values {
		squares += (v - mean) * (v - mean)
	}
	return mean, math.Sqrt(squares / (n - 1))
}
