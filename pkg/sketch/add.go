package sketch

import "math"

// Add counts a value. It returns false, and changes nothing, if v is NaN or infinite (or the sketch has MaxCount values).
func (s *Sketch) Add(v float64) bool {
	if v-v != 0 || s.count >= MaxCount {
		return false
	}
	if len(s.bins.keys) == 0 && s.addExact(v, 1) {
		return true
	}
	s.addBucketed(v, 1, v)
	return true
}

// AddN counts a value n times, in constant time; its sum grows by the rounded product v*n. It returns false, and changes
// nothing, if v is NaN or infinite, or if there would be more than MaxCount values.
func (s *Sketch) AddN(v float64, n uint64) bool {
	if v-v != 0 || n > MaxCount-s.count {
		return false
	}
	if n == 0 || len(s.bins.keys) == 0 && s.addExact(v, n) {
		return true
	}
	s.addBucketed(v, n, float64(v*float64(n))) // the conversion keeps it from being fused with the addition
	return true
}

// addBucketed counts n values v, whose sum is product, in the bucket form.
func (s *Sketch) addBucketed(v float64, n uint64, product float64) {
	s.sum = plus(s.sum, product)
	s.record(v+0, n) // not -0
}

// record counts n values v in the bucket form, in everything but the sum.
func (s *Sketch) record(v float64, n uint64) {
	s.count += n
	if v < s.least {
		s.least = v
	}
	if v > s.greatest {
		s.greatest = v
	}
	s.tally(s.finest(v), n)
}

// finest returns the key, at MaxScale, that v counts for: zero in the zero region.
func (s *Sketch) finest(v float64) int32 {
	if math.Abs(v) <= s.zeroWidth {
		return 0
	}
	return bucketOf(v, 0)
}

// tally counts n values in the bucket of a key of MaxScale, and lowers the scale if there are too many buckets.
func (s *Sketch) tally(finest int32, n uint64) {
	for !s.bins.add(coarser(finest, s.drop), n) {
		s.coarsen(s.drop + 1)
	}
}

// addExact keeps n more values v in their place, if there is room for them. If not, it moves those it has into buckets
// and returns false.
func (s *Sketch) addExact(v float64, n uint64) bool {
	s.settle()
	if n > ExactLimit-s.count {
		s.toBuckets()
		return false
	}
	v += 0 // not -0
	for range n {
		i := s.count
		for ; i > 0 && s.values[i-1] > v; i-- {
			s.values[i] = s.values[i-1]
		}
		s.values[i] = v
		s.count++
	}
	return true
}

// toBuckets moves exact values into buckets. An empty sketch is given bounds that any value replaces.
func (s *Sketch) toBuckets() {
	if !s.Exact() {
		return
	}
	s.sum = s.Sum()
	s.least, s.greatest = math.Inf(1), math.Inf(-1)
	values := s.values[:s.count]
	s.count = 0
	for _, v := range values {
		s.record(v, 1)
	}
	s.values = [ExactLimit]float64{}
}
