package sketch

import (
	"maps"
	"math"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestNativeRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := drawAny(t).Native()
		s, err := FromNative(n)
		if err != nil {
			t.Fatalf("%+v: %v", n, err)
		}
		check(t, s)
		if again := s.Native(); s.Count() > 0 && !reflect.DeepEqual(again, n) {
			t.Fatalf("%+v\ncomes back as %+v", n, again)
		}
	})
}

// TestNativeIsExponentialPlusOne: the two standards number the same buckets one apart.
func TestNativeIsExponentialPlusOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawAny(t)
		e, n := s.Exponential(), s.Native()
		sides := func(b Buckets) map[int]int64 {
			m := map[int]int64{}
			for j, count := range b.Counts {
				if count > 0 {
					m[int(b.Offset)+j+1] = int64(count)
				}
			}
			return m
		}
		if !maps.Equal(sides(e.Positive), n.Positive.Map()) || !maps.Equal(sides(e.Negative), n.Negative.Map()) {
			t.Fatalf("%+v\nis not %+v", e, n)
		}
		if n.Schema != e.Scale || n.Count != e.Count || n.ZeroCount != e.ZeroCount || n.Sum != e.Sum || n.ZeroThreshold != e.ZeroThreshold {
			t.Fatalf("%+v\nis not %+v", e, n)
		}
	})
}

// TestNativeSpans reads and writes spans and deltas with known counts: buckets 4, 7, 8, 9 with 10, 20, 5 and 2 values.
func TestNativeSpans(t *testing.T) {
	side := NativeBuckets{Spans: []NativeSpan{{4, 1}, {2, 3}}, Deltas: []int64{10, 10, -15, -3}}
	if got, want := side.Map(), (map[int]int64{4: 10, 7: 20, 8: 5, 9: 2}); !maps.Equal(got, want) {
		t.Fatalf("%v, want %v", got, want)
	}
	n := Native{Schema: 3, Count: 37 + 37 + 5, Sum: 12.5, ZeroCount: 5, ZeroThreshold: 0.001, Positive: side, Negative: side}
	s, err := FromNative(n)
	if err != nil {
		t.Fatal(err)
	}
	check(t, s)
	if again := s.Native(); !reflect.DeepEqual(again, n) {
		t.Errorf("%+v\ncomes back as %+v", n, again)
	}
	if got, want := s.Exponential().Positive, (Buckets{Offset: 3, Counts: []uint64{10, 0, 0, 20, 5, 2}}); !reflect.DeepEqual(got, want) {
		t.Errorf("as exponential buckets %+v, want %+v", got, want)
	}
	if s.Min() != -s.Max() || s.Max() != math.Exp2(9./8) {
		t.Errorf("%v to %v, want the bounds ±2^(9/8)", s.Min(), s.Max())
	}
}

// TestNativeWithEmptyBuckets: Prometheus writes short gaps as empty buckets; they come back as gaps.
func TestNativeWithEmptyBuckets(t *testing.T) {
	filled := NativeBuckets{Spans: []NativeSpan{{-2, 4}, {0, 1}}, Deltas: []int64{3, -3, 0, 5, -1}}
	s, err := FromNative(Native{Schema: 6, Count: 12, Positive: filled})
	if err != nil {
		t.Fatal(err)
	}
	want := NativeBuckets{Spans: []NativeSpan{{-2, 1}, {2, 2}}, Deltas: []int64{3, 2, -1}}
	if got := s.Native().Positive; !reflect.DeepEqual(got, want) || !maps.Equal(got.Map(), filled.Map()) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestFromNativeRefuses(t *testing.T) {
	spans := func(deltas []int64, spans ...NativeSpan) NativeBuckets { return NativeBuckets{spans, deltas} }
	for name, c := range map[string]struct {
		n    Native
		word string
	}{
		"custom bounds":        {Native{Schema: -53}, "scale -53"},
		"too fine":             {Native{Schema: 9}, "scale 9"},
		"NaN seen":             {Native{Count: 1, ZeroCount: 1, Sum: math.NaN()}, "sum"},
		"a delta too few":      {Native{Positive: spans([]int64{1}, NativeSpan{0, 2})}, "spans of 2"},
		"a delta too many":     {Native{Negative: spans([]int64{1, 1}, NativeSpan{0, 1})}, "spans of 1"},
		"a span of 2^32":       {Native{Positive: spans([]int64{1}, NativeSpan{0, math.MaxUint32})}, "spans of"},
		"a negative count":     {Native{Count: 1, Positive: spans([]int64{2, -3}, NativeSpan{0, 2})}, "count -1"},
		"a wrapped count":      {Native{Count: 1, Positive: spans([]int64{math.MaxInt64, 2}, NativeSpan{0, 2})}, "count -"},
		"spans overlap":        {Native{Count: 2, Positive: spans([]int64{1, 0}, NativeSpan{0, 1}, NativeSpan{-1, 1})}, "span 1"},
		"counts do not add up": {Native{Count: 2, Positive: spans([]int64{1}, NativeSpan{0, 1})}, "count 2"},
		"beyond float64":       {Native{Count: 1, Positive: spans([]int64{1}, NativeSpan{1025, 1})}, "float64"},
		"far beyond float64": {
			Native{Count: 2, Positive: spans([]int64{1, 0}, NativeSpan{math.MaxInt32, 1}, NativeSpan{math.MaxInt32, 1})}, "float64",
		},
		"inside the zero width": {Native{Count: 1, ZeroThreshold: 1, Positive: spans([]int64{1}, NativeSpan{0, 1})}, "zero width"},
	} {
		if s, err := FromNative(c.n); err == nil || s != nil || !strings.Contains(err.Error(), c.word) {
			t.Errorf("%s: error %v, want one about %q", name, err, c.word)
		}
	}
	if _, err := FromNative(Native{Count: 1, Positive: spans([]int64{1}, NativeSpan{1024, 1})}); err != nil {
		t.Errorf("the last bucket: %v", err)
	}
}
