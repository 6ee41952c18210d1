package sketch

import (
	"math"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// drawAny draws a sketch of any kind of values, scale and form.
func drawAny(t *rapid.T) *Sketch {
	s := mustNew(rapid.IntRange(MinScale, MaxScale).Draw(t, "scale"), rapid.SampledFrom([]float64{0, 1e-6, 0.7}).Draw(t, "zero width"))
	for _, v := range rapid.SliceOfN(awkward, 0, 40).Draw(t, "values") {
		s.AddN(v, rapid.SampledFrom([]uint64{1, 2, 1 << 40}).Draw(t, "n"))
	}
	return s
}

// TestExponentialRoundTrip: over the standard's form and back, nothing changes but that exact values are in buckets now.
func TestExponentialRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawAny(t)
		e := s.Exponential()
		back, err := FromExponential(e)
		if err != nil {
			t.Fatalf("%+v of %+v: %v", e, s, err)
		}
		check(t, back)
		if want := s.bucketed(); s.Count() > 0 && encoded(back) != encoded(want) {
			t.Fatalf("%+v\ncomes back as %+v\nwant %+v", e, back, want)
		}
		if again := back.Exponential(); s.Count() > 0 && !reflect.DeepEqual(again, e) {
			t.Fatalf("%+v\ncomes back as %+v", e, again)
		}
	})
}

// TestExponentialOfValues counts by the standard's definition of a bucket.
func TestExponentialOfValues(t *testing.T) {
	s := sketchOf([]float64{-3, -2, 0, 1e-9, 1, 1, 2, 4})
	s.Downscale(0)
	e := s.Exponential()
	want := Exponential{
		Scale: 0, Count: 8, Sum: 3 + 1e-9, Min: -3, Max: 4, ZeroCount: 2, ZeroThreshold: 1e-6,
		Positive: Buckets{Offset: -1, Counts: []uint64{2, 1, 1}}, // (1/2,1] (1,2] (2,4]
		Negative: Buckets{Offset: 0, Counts: []uint64{1, 1}},     // [-2,-1) [-4,-2)
	}
	if !reflect.DeepEqual(e, want) {
		t.Errorf("%+v\nwant %+v", e, want)
	}
	if !s.Exact() {
		t.Error("exporting changed the sketch")
	}
}

func TestExponentialOfNothing(t *testing.T) {
	e := new(Sketch).Exponential()
	if e.Scale != DefaultScale || e.Count != 0 || e.Min == e.Min || e.Positive.Counts != nil || e.Negative.Counts != nil {
		t.Errorf("%+v", e)
	}
	if s, err := FromExponential(e); err != nil || s.Count() != 0 {
		t.Errorf("%+v, %v", s, err)
	}
}

// TestExponentialWithin: a receiver's limit costs resolution only.
func TestExponentialWithin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawAny(t)
		limit := rapid.IntRange(1, 2000).Draw(t, "limit")
		e := s.ExponentialWithin(limit)
		if longest := max(len(e.Positive.Counts), len(e.Negative.Counts)); longest > limit && e.Scale > MinScale {
			t.Fatalf("%d entries at scale %d, at most %d wanted", longest, e.Scale, limit)
		}
		s.Downscale(int(e.Scale))
		if !reflect.DeepEqual(e.Positive, s.Exponential().Positive) || e.Count != s.Count() {
			t.Fatalf("%+v is not the downscaled %+v", e, s.Exponential())
		}
	})
}

// TestFinerHistogramsAreDownscaled: SDKs start at scale 20.
func TestFinerHistogramsAreDownscaled(t *testing.T) {
	e := Exponential{
		Scale: 20, Count: 6, Sum: 6, Min: 1, Max: 2,
		Positive: Buckets{Offset: -1, Counts: []uint64{2, 1, 0, 3}},
	}
	s, err := FromExponential(e)
	if err != nil {
		t.Fatal(err)
	}
	check(t, s)
	want := Buckets{Offset: -1, Counts: []uint64{2, 4}}
	if got := s.Exponential(); got.Scale != MaxScale || !reflect.DeepEqual(got.Positive, want) {
		t.Errorf("scale %d, %+v, want %+v", got.Scale, got.Positive, want)
	}
}

// TestMoreBucketsThanFit: a foreign histogram may have more; it comes in at a lower scale with every count.
func TestMoreBucketsThanFit(t *testing.T) {
	e := Exponential{Scale: 8, Count: 3000, Sum: 3000, Min: 1, Max: 3000, Positive: Buckets{Counts: make([]uint64, 3000)}}
	for j := range e.Positive.Counts {
		e.Positive.Counts[j] = 1
	}
	s, err := FromExponential(e)
	if err != nil {
		t.Fatal(err)
	}
	if check(t, s); s.Count() != 3000 || s.Scale() != 6 || s.Bins() != 750 {
		t.Errorf("%d values in %d buckets at scale %d", s.Count(), s.Bins(), s.Scale())
	}
}

// TestUnknownEnds: without min and max, the bounds of the outermost buckets stand in.
func TestUnknownEnds(t *testing.T) {
	nan := math.NaN()
	s, err := FromExponential(Exponential{
		Scale: 0, Count: 4, Sum: 9, Min: nan, Max: nan,
		Positive: Buckets{Offset: 1, Counts: []uint64{3}}, // (2,4]
		Negative: Buckets{Offset: 0, Counts: []uint64{1}}, // [-2,-1)
	})
	if err != nil || s.Min() != -2 || s.Max() != 4 {
		t.Errorf("%v to %v, %v, want -2 to 4", s.Min(), s.Max(), err)
	}
	roundTrip(t, s)
	if s, err = FromExponential(Exponential{Count: 2, ZeroCount: 2, Min: nan, Max: nan}); err != nil || s.Min() != 0 || math.Signbit(s.Min()) {
		t.Errorf("zeros: min %v, %v", s.Min(), err)
	}
	roundTrip(t, s)
}

func TestEndsMoveIntoTheirBuckets(t *testing.T) {
	s, err := FromExponential(Exponential{Scale: 0, Count: 3, Sum: 9, Min: 0.5, Max: 100, Positive: Buckets{Offset: 1, Counts: []uint64{3}}})
	if err != nil || s.Min() != math.Nextafter(2, 3) || s.Max() != 4 {
		t.Errorf("%v to %v, %v, want just above 2 to 4", s.Min(), s.Max(), err)
	}
}

func TestFromExponentialRefuses(t *testing.T) {
	one := Buckets{Offset: 3, Counts: []uint64{1}}
	for name, c := range map[string]struct {
		e    Exponential
		word string
	}{
		"too coarse":            {Exponential{Scale: -5}, "scale -5"},
		"too fine":              {Exponential{Scale: 21}, "scale 21"},
		"NaN threshold":         {Exponential{ZeroThreshold: math.NaN()}, "zero width"},
		"no sum":                {Exponential{Count: 1, Sum: math.NaN(), Positive: one}, "sum"},
		"counts do not add up":  {Exponential{Count: 2, Positive: one}, "count 2"},
		"min above max":         {Exponential{Count: 1, Min: 3, Max: 2, Positive: one}, "min 3"},
		"inside the zero width": {Exponential{Count: 1, ZeroThreshold: 16, Positive: one}, "zero width"},
		"too large":             {Exponential{Count: 1, Positive: Buckets{Offset: 1024, Counts: []uint64{1}}}, "float64"},
		"far too large":         {Exponential{Scale: 8, Count: 1, Negative: Buckets{Offset: math.MaxInt32, Counts: []uint64{0, 1}}}, "float64"},
		"too small":             {Exponential{Count: 1, Positive: Buckets{Offset: -1024, Counts: []uint64{1}}}, "float64"},
		"far too small":         {Exponential{Count: 1, Scale: 20, Positive: Buckets{Offset: math.MinInt32, Counts: []uint64{1}}}, "float64"},
		"too many":              {Exponential{Count: MaxCount + 1, ZeroCount: MaxCount, Positive: one}, "at most"},
		"overflow":              {Exponential{Count: 0, ZeroCount: math.MaxUint64, Positive: one}, "at most"},
	} {
		if s, err := FromExponential(c.e); err == nil || s != nil || !strings.Contains(err.Error(), c.word) {
			t.Errorf("%s: error %v, want one about %q", name, err, c.word)
		}
	}
	e := Exponential{Count: 1, ZeroThreshold: 15.9, Sum: 16, Min: 16, Max: 16, Positive: one} // (8,16] reaches beyond
	if _, err := FromExponential(e); err != nil {
		t.Errorf("a bucket at the edge of the zero region: %v", err)
	}
}
