package otlp

import (
	"fmt"
	"math"

	"go.opentelemetry.io/collector/pdata/pmetric"

	"weir/pkg/sketch"
	"weir/schemas"
)

// exponential keeps a point bucket for bucket.
func (p *points) exponential(name string, kind schemas.RecordKind, d pmetric.ExponentialHistogramDataPoint) {
	e := sketch.Exponential{
		Scale: d.Scale(), Count: d.Count(), Sum: d.Sum(), Min: math.NaN(), Max: math.NaN(),
		ZeroCount: d.ZeroCount(), ZeroThreshold: d.ZeroThreshold(),
		Positive: sketch.Buckets{Offset: d.Positive().Offset(), Counts: d.Positive().BucketCounts().AsRaw()},
		Negative: sketch.Buckets{Offset: d.Negative().Offset(), Counts: d.Negative().BucketCounts().AsRaw()},
	}
	if d.HasMin() && d.HasMax() {
		e.Min, e.Max = d.Min(), d.Max()
	}
	p.distribution(name, kind, d, e)
}

// distribution takes a point as a sketch.
func (p *points) distribution(name string, kind schemas.RecordKind, d point, e sketch.Exponential) {
	s, err := sketch.FromExponential(e)
	var b []byte
	if err == nil {
		b, err = s.MarshalBinary()
	}
	if err != nil {
		p.refuse(p.device, schemas.BadValue, 1, "%s: %v", name, err)
		return
	}
	p.put(d, schemas.Value{Metric: name, Kind: kind, Value: e.Sum, Sketch: b})
}

// histogram puts the values of each explicit bucket at its middle.
func (p *points) histogram(name string, kind schemas.RecordKind, d pmetric.HistogramDataPoint) {
	bounds, counts := d.ExplicitBounds().AsRaw(), d.BucketCounts().AsRaw()
	if len(counts) == 0 && d.Count() > 0 {
		bounds, counts = nil, []uint64{d.Count()} // a point without buckets is one bucket
	}
	if len(counts) > 0 && len(counts) != len(bounds)+1 {
		p.refuse(p.device, schemas.BadValue, 1, "%s has %d buckets for %d bounds", name, len(counts), len(bounds))
		return
	}
	var s sketch.Sketch
	if err := spread(&s, d, bounds, counts); err != nil {
		p.refuse(p.device, schemas.BadValue, 1, "%s: %v", name, err)
		return
	}
	e := s.Exponential()
	e.Sum, e.Count = d.Sum(), d.Count()
	if d.HasMin() && d.HasMax() {
		e.Min, e.Max = d.Min(), d.Max()
	}
	p.distribution(name, kind, d, e)
}

// spread adds the values of explicit buckets to a sketch. Of those that are known,
// the least and the greatest, one each is where it was.
func spread(s *sketch.Sketch, d pmetric.HistogramDataPoint, bounds []float64, counts []uint64) error {
	ends := ends{least: math.Inf(-1), greatest: math.Inf(1)}
	left := d.Count()
	switch {
	case d.HasMin() && d.HasMax() && left > 0:
		ends.least, ends.greatest = d.Min(), d.Max()
	case len(counts) == 1:
		ends.least, ends.greatest = mean(d), mean(d)
	}
	first := true
	for i, n := range counts {
		if n == 0 {
			continue
		}
		if n > left {
			return fmt.Errorf("buckets hold more than the count, %d", d.Count())
		}
		left -= n
		if first && d.HasMin() && d.HasMax() {
			n -= one(s, d.Min())
		}
		if first = false; left == 0 && n > 0 && d.HasMin() && d.HasMax() {
			n -= one(s, d.Max())
		}
		if !s.AddN(ends.middle(bounds, i), n) {
			return fmt.Errorf("bucket %d of %d values cannot be kept", i, n)
		}
	}
	return nil
}

// one adds one value and says how many were added.
func one(s *sketch.Sketch, v float64) uint64 {
	if s.Add(v) {
		return 1
	}
	return 0
}

func mean(d pmetric.HistogramDataPoint) float64 { return d.Sum() / float64(max(d.Count(), 1)) }

// ends are the least and the greatest value of a histogram, infinite where unknown.
type ends struct{ least, greatest float64 }

// middle stands for the values of bucket i: the middle of what is known of it, by
// ratio where all of it is positive. A bucket without an end is as wide as its one
// end tells: half of it and more, or up to the end itself.
func (e ends) middle(bounds []float64, i int) float64 {
	low, high := e.least, e.greatest
	if i > 0 {
		low = max(low, bounds[i-1])
	}
	if i < len(bounds) {
		high = min(high, bounds[i])
	}
	switch {
	case math.IsInf(low, 0) && math.IsInf(high, 0):
		return 0
	case math.IsInf(low, 0):
		return min(high, high/2)
	case math.IsInf(high, 0):
		return low
	case low > 0:
		return math.Sqrt(low) * math.Sqrt(high)
	}
	return low/2 + high/2
}
