package sketch

import "math"

// Quantile returns the value of rank ceil(q*n) among the n values in ascending order (the nearest-rank definition: the
// least value with at least the share q of all values at or below it). It is exact while s is, and for the first and
// the last rank; otherwise it is within Accuracy(s.Scale()) of that value, relative to it, and 0 for the zero region.
// It lies in [Min, Max]. The share q is cut to [0, 1]. No values, or a NaN for q, give NaN.
func (s *Sketch) Quantile(q float64) float64 {
	if s.count == 0 || q != q {
		return math.NaN()
	}
	rank := rank(q, s.count)
	switch {
	case s.Exact():
		return s.values[rank-1]
	case rank == 1:
		return s.least
	case rank == s.count:
		return s.greatest
	default:
		v := middle(s.bins.keys[s.bins.holding(rank)], MaxScale-int(s.drop))
		return min(max(v, s.least), s.greatest)
	}
}

// rank returns ceil(q*n), at least 1 and at most n. A product is taken to be the integer it misses by rounding only:
// rank(0.07, 100) is 7 although the nearest float64 to 0.07 times 100 is a little more.
func rank(q float64, n uint64) uint64 {
	const rounding = 1 - 0x1p-50
	switch r := math.Ceil(q * float64(n) * rounding); {
	case r < 1:
		return 1
	case q >= 1 || r >= float64(n):
		return n
	default:
		return uint64(r)
	}
}

// holding returns the bin that holds the value of a rank, which is from 1 to the count of all bins.
func (b *bins) holding(rank uint64) int {
	i := 0
	for n := b.at(0); n < rank; n += b.at(i) {
		i++
	}
	return i
}
