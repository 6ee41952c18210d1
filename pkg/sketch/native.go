package sketch

import (
	"fmt"
	"iter"
	"math"
)

// A Native is a Prometheus native histogram with exponential buckets, in the form of its wire formats: bucket j of the
// positive side holds (b^(j-1), b^j] with b = 2^(2^-Schema), so j is the OpenTelemetry index plus one.
type Native struct {
	Schema        int32
	Count         uint64
	Sum           float64
	ZeroCount     uint64
	ZeroThreshold float64
	Positive      NativeBuckets
	Negative      NativeBuckets // by absolute value
}

// NativeBuckets is one side of a Native. The spans name runs of buckets in ascending order; Deltas has an entry for each
// of these buckets: its count minus that of the bucket before it in the list, the first minus nothing.
type NativeBuckets struct {
	Spans  []NativeSpan
	Deltas []int64
}

// A NativeSpan is a run of Length buckets. Offset is the first one's index for the first span of a side, and the number
// of buckets left out since the end of the span before for the others.
type NativeSpan struct {
	Offset int32
	Length uint32
}

// All yields index and count of every bucket in ascending order of the index. The yield of an inconsistent side (Spans
// that are longer than Deltas together, or shorter) is cut at the end of the shorter one.
func (b NativeBuckets) All() iter.Seq2[int64, int64] {
	return func(yield func(int64, int64) bool) {
		next, count, deltas := int64(0), int64(0), b.Deltas
		for _, span := range b.Spans {
			next += int64(span.Offset)
			for range span.Length {
				if len(deltas) == 0 {
					return
				}
				count += deltas[0]
				if !yield(next, count) {
					return
				}
				next, deltas = next+1, deltas[1:]
			}
		}
	}
}

// Map returns the counts by index, as client_golang's NewConstNativeHistogram takes them. It leaves out empty buckets.
func (b NativeBuckets) Map() map[int]int64 {
	m := make(map[int]int64, len(b.Deltas))
	for index, n := range b.All() {
		if n != 0 {
			m[int(index)] = n
		}
	}
	return m
}

// Native returns s as a native histogram of its scale, bucket for bucket. Exact values are put into buckets.
func (s *Sketch) Native() Native {
	c := s.bucketed()
	return Native{
		Schema:        int32(c.Scale()),
		Count:         s.Count(),
		Sum:           s.Sum(),
		ZeroCount:     c.bins.zeros(),
		ZeroThreshold: c.zeroWidth,
		Positive:      spans(c.bins.positive(), c.Scale()),
		Negative:      spans(c.bins.negative(), c.Scale()),
	}
}

func spans(side iter.Seq2[int32, uint64], scale int) NativeBuckets {
	var b NativeBuckets
	next, before := int32(0), int64(0)
	for m, n := range side {
		index := m - origin(scale) + 1
		if len(b.Spans) == 0 || index != next {
			b.Spans = append(b.Spans, NativeSpan{Offset: index - next})
		}
		b.Spans[len(b.Spans)-1].Length++
		b.Deltas = append(b.Deltas, int64(n)-before)
		next, before = index+1, int64(n)
	}
	return b
}

// FromNative returns the sketch of a native histogram, in bucket form however few its values. Every bucket is taken as it
// is, so that FromNative(s.Native()).Native() equals s.Native(). A native histogram has neither min nor max: those of
// the sketch are the bounds of its outermost buckets. A histogram with custom bounds (schema -53), without a finite sum
// (it has seen NaN or Inf), with spans and deltas that do not fit, with counts that do not add up, with buckets inside
// its zero region or beyond the range of float64 is refused.
func FromNative(n Native) (*Sketch, error) {
	in := newImporter(int(n.Schema), MaxScale, n.ZeroThreshold)
	in.addZeros(n.ZeroCount)
	in.addNative(+1, n.Positive)
	in.addNative(-1, n.Negative)
	return in.finish(n.Count, n.Sum, math.NaN(), math.NaN())
}

func (in *importer) addNative(sign int32, b NativeBuckets) {
	if err := b.validate(); err != nil {
		in.fail("%w", err)
		return
	}
	for index, n := range b.All() {
		in.add(sign, index-1, uint64(n))
	}
}

// validate reports whether spans and deltas fit each other and counts are not negative.
func (b NativeBuckets) validate() error {
	length := uint64(0)
	for i, span := range b.Spans {
		if i > 0 && span.Offset < 0 {
			return fmt.Errorf("span %d begins %d before the end of the span before", i, -int64(span.Offset))
		}
		length += uint64(span.Length)
	}
	if length != uint64(len(b.Deltas)) {
		return fmt.Errorf("spans of %d buckets with %d deltas", length, len(b.Deltas))
	}
	for index, n := range b.All() {
		if n < 0 {
			return fmt.Errorf("native bucket %d has the count %d", index, n)
		}
	}
	return nil
}
