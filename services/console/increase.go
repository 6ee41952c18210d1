package console

import (
	"fmt"
	"slices"

	"weir/pkg/sketch"
)

// increase is what newer holds beyond older, an earlier revision of the same
// part: bucket by bucket, at the coarser of their scales. It is an error if older
// holds something that newer does not.
func increase(newer, older *sketch.Sketch) (*sketch.Sketch, error) {
	now, err := alike(newer, older)
	if err != nil {
		return nil, err
	}
	was, err := alike(older, newer)
	if err != nil {
		return nil, err
	}
	n, o := now.Native(), was.Native()
	if n.Count < o.Count || n.ZeroCount < o.ZeroCount {
		return nil, fmt.Errorf("revision of %d values after one of %d", n.Count, o.Count)
	}
	return sketch.FromNative(sketch.Native{
		Schema: n.Schema, Count: n.Count - o.Count, Sum: n.Sum - o.Sum,
		ZeroCount: n.ZeroCount - o.ZeroCount, ZeroThreshold: n.ZeroThreshold,
		Positive: subtract(n.Positive, o.Positive), Negative: subtract(n.Negative, o.Negative),
	})
}

// alike is a copy of s with the coarser scale and the wider zero width of s and o.
func alike(s, o *sketch.Sketch) (*sketch.Sketch, error) {
	empty, err := sketch.New(o.Config())
	if err != nil {
		return nil, err
	}
	empty.Merge(s)
	return empty, nil
}

// subtract is a − b; counts below zero stay, for the importer to refuse.
func subtract(a, b sketch.NativeBuckets) sketch.NativeBuckets {
	counts := a.Map()
	for index, n := range b.All() {
		if counts[int(index)] -= n; counts[int(index)] == 0 {
			delete(counts, int(index))
		}
	}
	return bucketsOf(counts)
}

// bucketsOf is the wire form of counts by index.
func bucketsOf(counts map[int]int64) sketch.NativeBuckets {
	indexes := make([]int, 0, len(counts))
	for i := range counts {
		indexes = append(indexes, i)
	}
	slices.Sort(indexes)
	var b sketch.NativeBuckets
	next, before := 0, int64(0)
	for _, i := range indexes {
		if len(b.Spans) == 0 || i != next {
			b.Spans = append(b.Spans, sketch.NativeSpan{Offset: int32(i - next)})
		}
		b.Spans[len(b.Spans)-1].Length++
		b.Deltas = append(b.Deltas, counts[i]-before)
		next, before = i+1, counts[i]
	}
	return b
}
