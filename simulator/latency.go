package simulator

import (
	"math/bits"
	"sync/atomic"
)

// latency counts how long acknowledgements took, in buckets of an eighth of a
// power of two: a quantile is up to 12 % too high, never too low. Any number of
// goroutines may add.
type latency struct{ n [64 * 8]atomic.Int64 }

func (l *latency) add(ns int64) {
	l.n[bucket(ns)].Add(1)
}

// bucket keeps the highest bit and the three behind it.
func bucket(ns int64) int {
	v := uint64(max(ns, 8))
	high := bits.Len64(v) - 1
	return high*8 + int(v>>(high-3)&7)
}

// quantile is the upper bound of the bucket in which the share q of all lies, in
// ms; 0 where nothing was added.
func (l *latency) quantile(q float64) float64 {
	var counts [64 * 8]int64
	total := int64(0)
	for i := range counts {
		counts[i] = l.n[i].Load()
		total += counts[i]
	}
	rank := int64(q * float64(total))
	for i, n := range counts {
		if rank -= n; rank < 0 {
			return float64(uint64(9+i%8)<<(i/8-3)) / 1e6
		}
	}
	return 0
}
