package vus

import (
	"cmp"
	"math"
	"slices"

	"weir/lab/eval/nab"
)

// thresholds is how many are tried, at even ranks of the scores.
const thresholds = 250

// PR is the volume for tolerances from 0 to the greatest. Windows are in order and do not touch. It is NaN where there
// are no windows, or nothing but windows.
func PR(scores []float64, windows []nab.Window, greatest int) float64 {
	labeled := 0
	for _, w := range windows {
		labeled += w.Right - w.Left + 1
	}
	if labeled == 0 || labeled == len(scores) {
		return math.NaN()
	}
	cuts := newCuts(scores)
	sum := 0.0
	for tolerance := range greatest + 1 {
		sum += cuts.area(windows, tolerance, labeled)
	}
	return sum / float64(greatest+1)
}

// cuts know at which of the thresholds each row is first reached.
type cuts struct {
	first   []int // per row: the first threshold that it reaches; a row reaches all further ones too
	reached [thresholds]float64
}

func newCuts(scores []float64) *cuts {
	sorted := slices.Clone(scores)
	slices.SortFunc(sorted, func(a, b float64) int { return cmp.Compare(b, a) })
	var values [thresholds]float64
	for k := range values {
		values[k] = sorted[int(float64(k)*float64(len(sorted)-1)/(thresholds-1))]
	}
	c := &cuts{first: make([]int, len(scores))}
	for i, s := range scores {
		at, _ := slices.BinarySearchFunc(values[:], s, func(v, s float64) int {
			if v <= s {
				return 1 // reached: look further to the front
			}
			return -1
		})
		c.first[i] = at
		c.reached[at]++
	}
	for k := 1; k < thresholds; k++ {
		c.reached[k] += c.reached[k-1]
	}
	return c
}

// area is that under precision over recall for one tolerance, of which half is granted on either side of a window.
func (c *cuts) area(windows []nab.Window, tolerance, labeled int) float64 {
	var inside, around, seen [thresholds]float64 // per threshold: labeled rows, shares of rows around them, stretches
	stretches := stretch(windows, tolerance, len(c.first))
	for _, s := range stretches {
		earliest := thresholds
		for i := s.Left; i <= s.Right; i++ {
			earliest = min(earliest, c.first[i])
			if share := shareOf(i, windows, tolerance); share == within {
				inside[c.first[i]]++
			} else {
				around[c.first[i]] += share
			}
		}
		seen[earliest]++
	}
	var area, recallBefore, in, near, stretched float64
	for k := range thresholds {
		in, near, stretched = in+inside[k], near+around[k], stretched+seen[k]
		positive := float64(labeled) + near/2 // the mean of the labels with and without those around them
		recall := min((in+near)/positive, 1) * stretched / float64(len(stretches))
		area += (recall - recallBefore) * (in + near) / c.reached[k]
		recallBefore = recall
	}
	return area
}

// stretch widens windows by half the tolerance on both sides and joins those that meet.
func stretch(windows []nab.Window, tolerance, rows int) (all []nab.Window) {
	half := tolerance / 2
	for _, w := range windows {
		wide := nab.Window{Left: max(w.Left-half, 0), Right: min(w.Right+half, rows-1)}
		if n := len(all); n > 0 && all[n-1].Right >= wide.Left {
			all[n-1].Right = wide.Right
			continue
		}
		all = append(all, wide)
	}
	return all
}

// within is the share of a labeled row.
const within = 2

// shareOf is how far a row near windows counts as labeled: less with its distance, 1 at most.
func shareOf(row int, windows []nab.Window, tolerance int) float64 {
	sum := 0.0
	next, _ := slices.BinarySearchFunc(windows, row, func(w nab.Window, row int) int { return cmp.Compare(w.Right, row) })
	if next < len(windows) && row >= windows[next].Left {
		return within
	}
	for n := next; n < len(windows) && windows[n].Left-row <= tolerance/2; n++ {
		sum += math.Sqrt(1 - float64(windows[n].Left-row)/float64(tolerance))
	}
	for n := next - 1; n >= 0 && row-windows[n].Right <= tolerance/2; n-- {
		sum += math.Sqrt(1 - float64(row-windows[n].Right)/float64(tolerance))
	}
	return min(sum, 1)
}

// Bounds of a period, in rows.
const (
	leastLag      = 3
	mostLags      = 400
	periodRows    = 20000
	unknownPeriod = 125
)

// Tolerance is the greatest one for a series, as TSB-AD chooses it: the lag from 6 to 303 at which the series is most
// like itself among all local maxima of its autocorrelation up to 400, or 125.
func Tolerance(values []float64) int {
	r := autocorrelation(values[:min(len(values), periodRows)])
	best := -1
	for i := leastLag + 1; i+1 < len(r); i++ {
		if r[i] > r[i-1] && r[i] > r[i+1] && (best < 0 || r[i] > r[best]) {
			best = i
		}
	}
	if best < 2*leastLag || best > 300+leastLag {
		return unknownPeriod
	}
	return best
}

// autocorrelation is that of lags 0 to 400; empty for a constant series or a value that is not a number.
func autocorrelation(values []float64) []float64 {
	mean := 0.0
	for _, v := range values {
		mean += v / float64(len(values))
	}
	r := make([]float64, min(mostLags+1, len(values)))
	for lag := range r {
		for i := lag; i < len(values); i++ {
			r[lag] += (values[i] - mean) * (values[i-lag] - mean)
		}
	}
	if len(r) == 0 || !(r[0] > 0) {
		return nil
	}
	for lag := len(r) - 1; lag >= 0; lag-- {
		r[lag] /= r[0]
	}
	return r
}
