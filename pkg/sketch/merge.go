package sketch

import "math"

// Merge adds all values of o, which stays as it is, to s; o may be s. The result has the coarser of the two scales and
// the wider of the two zero widths. It is exact if both are and it has at most ExactLimit values. It returns false, and
// changes nothing, if there would be more than MaxCount values: only forged counts reach that.
//
// Merge commutes and associates bit for bit in everything but the last bits of the sum; see the package documentation.
func (s *Sketch) Merge(o *Sketch) bool {
	if o.count > MaxCount-s.count {
		return false
	}
	if !o.chosen {
		return true // nothing in it, nothing chosen: the identity
	}
	s.align(o)
	if o.Exact() {
		s.mergeValues(o.values, o.count, o.Sum())
	} else {
		s.mergeBins(o)
	}
	return true
}

// align gives s the coarser scale and the wider zero width of s and o.
func (s *Sketch) align(o *Sketch) {
	if !s.chosen {
		s.choose(o.Config())
		return
	}
	if o.zeroWidth > s.zeroWidth {
		s.bins.regroup(s.onto(o.zeroWidth, s.drop))
		s.zeroWidth = o.zeroWidth
	}
	if o.drop > s.drop {
		s.coarsen(o.drop)
	}
}

// onto returns how buckets of s move to a sketch of a zero width and a drop, neither of them less than those of s.
func (s *Sketch) onto(zeroWidth float64, drop uint8) regrouping {
	r := regrouping{drop: drop - s.drop}
	if zeroWidth > s.zeroWidth {
		r.zero = edge(zeroWidth, s.drop)
	}
	return r
}

// edge returns the least magnitude whose bucket reaches beyond the zero width.
func edge(zeroWidth float64, drop uint8) int32 {
	next := math.Nextafter(zeroWidth, math.Inf(1)) // a bucket that ends at the zero width lies inside
	return max(bucketOf(min(next, math.MaxFloat64), drop), 1)
}

// mergeValues adds exact values, given with their sum.
func (s *Sketch) mergeValues(values [ExactLimit]float64, n uint64, sum float64) {
	if s.Exact() && s.count+n <= ExactLimit {
		for _, v := range values[:n] {
			s.addExact(v, 1)
		}
		return
	}
	s.toBuckets()
	s.sum = plus(s.sum, sum)
	for _, v := range values[:n] {
		s.record(v, 1)
	}
}

// mergeBins adds the buckets of o.
func (s *Sketch) mergeBins(o *Sketch) {
	s.toBuckets()
	r := o.onto(s.zeroWidth, s.drop)
	union := s.bins.union(&o.bins, r)
	for union > MaxBins {
		s.coarsen(s.drop + 1)
		r.drop++
		union = s.bins.union(&o.bins, r)
	}
	s.bins.merge(&o.bins, r, union)
	s.count += o.count
	s.sum = plus(s.sum, o.sum)
	s.least, s.greatest = min(s.least, o.least), max(s.greatest, o.greatest)
}

// Downscale lowers the scale to the given one, or MinScale if that is above it, by merging bucket pairs: the result is
// that of direct insertion at the lower scale. A scale at or above the present one changes nothing.
func (s *Sketch) Downscale(to int) {
	s.settle()
	if drop := MaxScale - max(to, MinScale); drop > int(s.drop) {
		s.coarsen(uint8(drop))
	}
}

// coarsen lowers the scale to MaxScale-drop. MinScale has fewer than MaxBins buckets, so it is never passed.
func (s *Sketch) coarsen(drop uint8) {
	s.bins.regroup(regrouping{drop: drop - s.drop})
	s.drop = drop
}
