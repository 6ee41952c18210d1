package sketch

import (
	"fmt"
	"math"
)

// finestImport is the finest scale that OpenTelemetry SDKs use.
const finestImport = 20

// An importer builds a sketch from the buckets of a histogram, given in any order. Its first error sticks.
type importer struct {
	sketch *Sketch
	scale  int // of the bucket indices it is given
	err    error
}

// newImporter begins a sketch for buckets of a scale, which is MinScale to finest.
func newImporter(scale, finest int, zeroWidth float64) *importer {
	in := &importer{sketch: new(Sketch), scale: scale}
	if scale > finest {
		in.fail("scale %d: at most %d is supported", scale, finest)
	}
	if err := in.sketch.Configure(Config{Scale: min(scale, MaxScale), ZeroWidth: zeroWidth}); err != nil {
		in.fail("%w", err)
	}
	return in
}

func (in *importer) fail(format string, args ...any) {
	if in.err == nil {
		in.err = fmt.Errorf("import histogram: "+format, args...)
	}
}

// add counts n values in the bucket of an OpenTelemetry index; sign is +1 or -1. Empty buckets mean nothing.
func (in *importer) add(sign int32, index int64, n uint64) {
	if n == 0 || in.err != nil {
		return
	}
	scale := min(in.scale, MaxScale)
	drop := uint8(MaxScale - scale)
	magnitude := index>>(in.scale-scale) + int64(origin(scale))
	switch {
	case magnitude < int64(bucketOf(minNormal, drop)) || magnitude > int64(bucketOf(math.MaxFloat64, drop)):
		in.fail("bucket %d of scale %d is beyond the range of float64", index, in.scale)
	case magnitude < int64(edge(in.sketch.zeroWidth, drop)):
		in.fail("bucket %d of scale %d lies inside the zero width %v", index, in.scale, in.sketch.zeroWidth)
	default:
		in.tally(sign*int32(magnitude<<drop), n)
	}
}

// addZeros counts n values in the zero bucket.
func (in *importer) addZeros(n uint64) {
	if n > 0 && in.err == nil {
		in.tally(0, n)
	}
}

func (in *importer) tally(finest int32, n uint64) {
	s := in.sketch
	if n > MaxCount-s.count {
		in.fail("%d values after %d: at most %d are supported", n, s.count, uint64(MaxCount))
		return
	}
	s.count += n
	s.tally(finest, n)
}

// finish checks the histogram's own account of itself against its buckets.
func (in *importer) finish(count uint64, sum, least, greatest float64) (*Sketch, error) {
	s := in.sketch
	if s.count != count {
		in.fail("count %d, but its buckets hold %d", count, s.count)
	}
	if sum-sum != 0 {
		in.fail("sum %v: a sketch needs a finite one", sum)
	}
	if least > greatest {
		in.fail("min %v above max %v", least, greatest)
	}
	if in.err != nil {
		return nil, in.err
	}
	if count > 0 {
		s.sum = sum
		keys := s.bins.keys
		s.least = s.within(keys[0], least, math.Inf(-1))
		s.greatest = s.within(keys[len(keys)-1], greatest, math.Inf(1))
	}
	return s, nil
}

// within moves v into the bucket of key. An unknown v becomes the end of the bucket on the side of standIn.
func (s *Sketch) within(key int32, v, standIn float64) float64 {
	switch {
	case v == v:
	case key == 0:
		v = math.Copysign(s.zeroWidth, standIn)
	default:
		v = standIn
	}
	low, high := s.ends(key)
	return min(max(v, low), high) + 0 // not -0
}

// ends returns the least and the greatest value that can count for a key.
func (s *Sketch) ends(key int32) (low, high float64) {
	switch scale := s.Scale(); {
	case key < 0:
		low, high = s.ends(-key)
		return -high, -low
	case key == 0:
		high = max(s.zeroWidth, math.Nextafter(minNormal, 0))
		return -high, high
	default:
		low = math.Nextafter(lower(key, scale), math.Inf(1))
		return max(low, minNormal), min(lower(key+1, scale), math.MaxFloat64)
	}
}
