package sketch

import (
	"fmt"
	"slices"
)

// Since returns what s holds beyond older, an earlier state of the same sketch: bucket by bucket, at the coarser of their
// scales and the wider of their zero widths. Minimum and maximum are the ends of its own buckets. It is an error if older
// holds something that s does not.
func (s *Sketch) Since(older *Sketch) (*Sketch, error) {
	now, was := s.alike(older).Native(), older.alike(s).Native()
	if now.Count < was.Count || now.ZeroCount < was.ZeroCount {
		return nil, fmt.Errorf("%d values, %d of them near zero, after %d and %d", now.Count, now.ZeroCount, was.Count, was.ZeroCount)
	}
	return FromNative(Native{
		Schema: now.Schema, Count: now.Count - was.Count, Sum: now.Sum - was.Sum,
		ZeroCount: now.ZeroCount - was.ZeroCount, ZeroThreshold: now.ZeroThreshold,
		Positive: now.Positive.minus(was.Positive), Negative: now.Negative.minus(was.Negative),
	})
}

// alike is a copy of s with the coarser scale and the wider zero width of s and o.
func (s *Sketch) alike(o *Sketch) *Sketch {
	c := new(Sketch)
	c.choose(o.Config())
	c.Merge(s) // it has no more values than s
	return c
}

// minus is what b has beyond o. Counts below zero stay, for the importer to refuse.
func (b NativeBuckets) minus(o NativeBuckets) NativeBuckets {
	counts := b.Map()
	for index, n := range o.All() {
		if counts[int(index)] -= n; counts[int(index)] == 0 {
			delete(counts, int(index))
		}
	}
	return nativeOf(counts)
}

// nativeOf is the wire form of counts by index.
func nativeOf(counts map[int]int64) (b NativeBuckets) {
	indexes := make([]int, 0, len(counts))
	for i := range counts {
		indexes = append(indexes, i)
	}
	slices.Sort(indexes)
	next, before := 0, int64(0)
	for _, i := range indexes {
		if len(b.Spans) == 0 || i != next {
			b.Spans = append(b.Spans, NativeSpan{Offset: int32(i - next)})
		}
		b.Spans[len(b.Spans)-1].Length++
		b.Deltas = append(b.Deltas, counts[i]-before)
		next, before = i+1, counts[i]
	}
	return b
}
