package sketch

import (
	"iter"
	"math"
)

// An Exponential is an OpenTelemetry exponential histogram data point, field by field. See the OpenTelemetry metrics
// data model, "ExponentialHistogram".
type Exponential struct {
	Scale         int32
	Count         uint64
	Sum           float64
	Min, Max      float64 // NaN if unknown or if there are no values
	ZeroCount     uint64
	ZeroThreshold float64 // values in the closed interval ±ZeroThreshold are counted in ZeroCount
	Positive      Buckets
	Negative      Buckets // by absolute value
}

// Buckets is one side of an Exponential: Counts[j] values are in bucket Offset+j, (b^i, b^(i+1)] with b = 2^(2^-Scale).
type Buckets struct {
	Offset int32
	Counts []uint64
}

// Exponential returns s as an exponential histogram of its scale, bucket for bucket. Exact values are put into buckets.
// The arrays are as long as the values are wide apart, at worst 523,000 entries for a side at MaxScale; where input is
// not trusted or a receiver has a limit, use ExponentialWithin.
func (s *Sketch) Exponential() Exponential {
	return s.ExponentialWithin(math.MaxInt)
}

// ExponentialWithin returns s as an exponential histogram of the finest scale, not above its own, at which no side needs
// more than limit entries. Receivers have such limits (the OpenTelemetry SDKs' default is 160). A limit of less than
// 131 may be passed at MinScale.
func (s *Sketch) ExponentialWithin(limit int) Exponential {
	c := s.bucketed()
	for c.Scale() > MinScale && max(span(c.bins.positive()), span(c.bins.negative())) > limit {
		c.coarsen(c.drop + 1)
	}
	return Exponential{
		Scale:         int32(c.Scale()),
		Count:         s.Count(),
		Sum:           s.Sum(),
		Min:           s.Min(),
		Max:           s.Max(),
		ZeroCount:     c.bins.zeros(),
		ZeroThreshold: c.zeroWidth,
		Positive:      dense(c.bins.positive(), c.Scale()),
		Negative:      dense(c.bins.negative(), c.Scale()),
	}
}

// bucketed returns a copy of s in bucket form.
func (s *Sketch) bucketed() *Sketch {
	c := new(Sketch)
	c.CopyFrom(s)
	c.settle()
	c.toBuckets()
	return c
}

// span returns the length of the dense array of one side.
func span(side iter.Seq2[int32, uint64]) int {
	first, last := int32(0), int32(-1)
	for m := range side {
		if last < 0 {
			first = m
		}
		last = m
	}
	return int(last-first) + 1
}

func dense(side iter.Seq2[int32, uint64], scale int) Buckets {
	var b Buckets
	for m, n := range side {
		index := m - origin(scale)
		if b.Counts == nil {
			b = Buckets{Offset: index, Counts: make([]uint64, 0, span(side))}
		}
		b.Counts = b.Counts[:index-b.Offset+1]
		b.Counts[index-b.Offset] = n
	}
	return b
}

// FromExponential returns the sketch of an exponential histogram, in bucket form however few its values. The conversion
// is exact up to MaxScale, so that FromExponential(s.Exponential()) equals s in bucket form; a finer histogram is
// downscaled. Min and Max are moved into the outermost buckets if they are outside, or unknown: then they are those
// buckets' bounds. A histogram without a finite sum, with counts that do not add up, with buckets inside its zero region
// or beyond the range of float64 is refused.
func FromExponential(e Exponential) (*Sketch, error) {
	in := newImporter(int(e.Scale), finestImport, e.ZeroThreshold)
	in.addZeros(e.ZeroCount)
	for j, n := range e.Positive.Counts {
		in.add(+1, int64(e.Positive.Offset)+int64(j), n)
	}
	for j, n := range e.Negative.Counts {
		in.add(-1, int64(e.Negative.Offset)+int64(j), n)
	}
	return in.finish(e.Count, e.Sum, e.Min, e.Max)
}
