package sketch

import (
	"math"
	"slices"
	"testing"
)

// check fails if s breaks one of its invariants.
func check(t interface{ Fatalf(string, ...any) }, s *Sketch) {
	b := &s.bins
	total := uint64(0)
	for i := range b.keys {
		total += b.at(i)
		if i > 0 && b.keys[i-1] >= b.keys[i] || b.at(i) == 0 {
			t.Fatalf("bin %d: key %d after %v, count %d", i, b.keys[i], b.keys[:i], b.at(i))
		}
	}
	for key, high := range b.highs {
		if _, found := slices.BinarySearch(b.keys, key); !found || high == 0 {
			t.Fatalf("upper half %d of the count of key %d, which is not there", high, key)
		}
	}
	values := s.values[:min(s.count, ExactLimit)]
	switch {
	case len(b.keys) > MaxBins || s.count > MaxCount:
		t.Fatalf("%d bins, %d values", len(b.keys), s.count)
	case !s.chosen && s.count > 0:
		t.Fatalf("%d values and no scale", s.count)
	case s.Exact() && (s.count > ExactLimit || !slices.IsSorted(values)):
		t.Fatalf("exact values %v of %d", values, s.count)
	case !s.Exact() && (total != s.count || s.values != [ExactLimit]float64{}):
		t.Fatalf("%d values, %d in buckets, %v exact", s.count, total, s.values)
	case s.count > 0 && !(s.Min() <= s.Max()):
		t.Fatalf("min %v, max %v", s.Min(), s.Max())
	}
}

// facts are the bytes of s without its sum: what no order and no grouping may change.
func facts(s *Sketch) string {
	c := *s
	c.sum = 0
	b, _ := c.AppendBinary(nil)
	return string(b)
}

func encoded(s *Sketch) string {
	b, _ := s.AppendBinary(nil)
	return string(b)
}

func mustNew(scale int, zeroWidth float64) *Sketch {
	s, err := New(Config{Scale: scale, ZeroWidth: zeroWidth})
	if err != nil {
		panic(err)
	}
	return s
}

func TestZeroSketch(t *testing.T) {
	var s Sketch
	if s.Count() != 0 || s.Sum() != 0 || !s.Exact() || s.Bins() != 0 || s.Config() != DefaultConfig() {
		t.Errorf("a zero Sketch has count %d, sum %v, exact %v, %d bins, %v", s.Count(), s.Sum(), s.Exact(), s.Bins(), s.Config())
	}
	if s.Min() == s.Min() || s.Max() == s.Max() || s.Quantile(0.5) == s.Quantile(0.5) {
		t.Errorf("of nothing: min %v, max %v, median %v, want NaN", s.Min(), s.Max(), s.Quantile(0.5))
	}
	s.Add(7)
	if s.Count() != 1 || s.Min() != 7 || s.Max() != 7 || s.Quantile(0.5) != 7 || s.Scale() != DefaultScale {
		t.Errorf("after one value: %+v", s)
	}
}

func TestNewRefuses(t *testing.T) {
	for _, c := range []Config{
		{Scale: MinScale - 1}, {Scale: MaxScale + 1}, {ZeroWidth: -1}, {ZeroWidth: math.NaN()}, {ZeroWidth: math.Inf(1)},
	} {
		if _, err := New(c); err == nil {
			t.Errorf("%+v accepted", c)
		}
	}
	for _, c := range []Config{{Scale: MinScale}, {Scale: MaxScale, ZeroWidth: 3}, DefaultConfig()} {
		if s, err := New(c); err != nil || s.Config() != c {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if s := sketchOf([]float64{1}); s.Configure(DefaultConfig()) == nil {
		t.Error("a sketch with values was configured")
	}
}

func TestEightAreExactNineAreNot(t *testing.T) {
	var s Sketch
	for i, v := range []float64{5, 3, 9, 3, -1, 0, 8, 2} {
		s.Add(v)
		check(t, &s)
		if !s.Exact() || s.Bins() != 0 {
			t.Fatalf("%d values are not exact", i+1)
		}
	}
	for i, want := range []float64{-1, 0, 2, 3, 3, 5, 8, 9} {
		if got := s.Quantile((float64(i) + 0.5) / 8); got != want {
			t.Errorf("value %d of 8: %v, want %v", i+1, got, want)
		}
	}
	s.Add(4)
	check(t, &s)
	if s.Exact() || s.Bins() != 8 || s.Count() != 9 || s.Sum() != 33 || s.Min() != -1 || s.Max() != 9 {
		t.Errorf("nine values: exact %v, %d bins, count %d, sum %v, %v to %v", s.Exact(), s.Bins(), s.Count(), s.Sum(), s.Min(), s.Max())
	}
}

func TestRefusedValuesChangeNothing(t *testing.T) {
	for name, s := range map[string]*Sketch{"zero": new(Sketch), "exact": sketchOf(walk(3)), "buckets": sketchOf(walk(30))} {
		before := encoded(s)
		for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
			if s.Add(v) || s.AddN(v, 3) || s.AddN(v, 0) {
				t.Errorf("%s: %v accepted", name, v)
			}
		}
		if s.AddN(1, MaxCount+1) || s.AddN(1, math.MaxUint64) {
			t.Errorf("%s: more than MaxCount values accepted", name)
		}
		if encoded(s) != before {
			t.Errorf("%s: changed by refused values", name)
		}
	}
}

func TestCountStopsAtMaxCount(t *testing.T) {
	var s Sketch
	if !s.AddN(1.5, MaxCount-1) || !s.AddN(-1, 1) || s.Count() != MaxCount {
		t.Fatalf("count %d, want MaxCount", s.Count())
	}
	check(t, &s)
	before := encoded(&s)
	if s.Add(1) || s.AddN(1, 1) || s.Merge(sketchOf([]float64{1})) || s.Merge(&s) {
		t.Error("more than MaxCount values accepted")
	}
	if !s.AddN(1, 0) || !s.Merge(new(Sketch)) {
		t.Error("nothing more refused")
	}
	if encoded(&s) != before {
		t.Error("changed by refused values")
	}
}

func TestAddN(t *testing.T) {
	for _, n := range []uint64{0, 1, 3, 8, 9, 1000} {
		var once, often Sketch
		once.Add(2.5)
		often.Add(2.5)
		once.AddN(-3.25, n)
		for range n {
			often.Add(-3.25)
		}
		check(t, &once)
		if encoded(&once) != encoded(&often) {
			t.Errorf("AddN(v, %d) is not %d times Add(v)", n, n)
		}
	}
}

func TestZeroRegion(t *testing.T) {
	for _, c := range []struct {
		width float64
		v     float64
		zero  bool
	}{
		{1e-6, 0, true},
		{1e-6, 1e-6, true},
		{1e-6, -1e-6, true},
		{1e-6, math.Nextafter(1e-6, 1), false},
		{0, 0, true},
		{0, 1e-320, true},
		{0, -1e-320, true},
		{0, minNormal, false},
		{0, -minNormal, false},
		{2, 2, true},
		{2, 2.1, false},
	} {
		s := mustNew(DefaultScale, c.width)
		s.AddN(c.v, 20)
		if got := s.Exponential().ZeroCount; got != 20 && c.zero || got != 0 && !c.zero {
			t.Errorf("%v with zero width %v: %d of 20 are zero", c.v, c.width, got)
		}
		if s.Min() != c.v || s.Max() != c.v || s.Quantile(0.5) != c.v {
			t.Errorf("%v with zero width %v: %v to %v, median %v", c.v, c.width, s.Min(), s.Max(), s.Quantile(0.5))
		}
	}
}

func TestNegativeZeroIsZero(t *testing.T) {
	minus := math.Copysign(0, -1)
	exact, buckets := sketchOf([]float64{minus}), new(Sketch)
	buckets.AddN(minus, 9)
	later := sketchOf(make([]float64, 9))
	later.Add(minus)
	for _, s := range []*Sketch{exact, buckets, later, mustNew(6, minus)} {
		if math.Signbit(s.Min()) && s.Count() > 0 || math.Signbit(s.Max()) && s.Count() > 0 || math.Signbit(s.Config().ZeroWidth) {
			t.Errorf("a negative zero in %+v", s)
		}
	}
}

func TestSumStaysFinite(t *testing.T) {
	for name, s := range map[string]*Sketch{"exact": new(Sketch), "buckets": sketchOf(walk(20))} {
		s.Add(math.MaxFloat64)
		s.Add(math.MaxFloat64)
		if s.Sum() != math.MaxFloat64 {
			t.Errorf("%s: sum %v", name, s.Sum())
		}
		s.AddN(-math.MaxFloat64, 50)
		if s.Sum() != -math.MaxFloat64 || s.Max() != math.MaxFloat64 || s.Count() < 52 {
			t.Errorf("%s: sum %v, max %v, count %d", name, s.Sum(), s.Max(), s.Count())
		}
		check(t, s)
	}
}

// TestBomb adds what spreads widest: the bins stay bounded, nothing but resolution is lost.
func TestBomb(t *testing.T) {
	s := mustNew(MaxScale, 0)
	n := uint64(0)
	for exponent := -1074.0; exponent < 1024; exponent += 0.37 {
		s.Add(math.Exp2(exponent))
		s.Add(-math.Exp2(exponent))
		n += 2
	}
	check(t, s)
	if s.Count() != n || s.Max() < 1e308 || s.Min() > -1e308 || s.Scale() < MinScale || s.Bins() < 256 {
		t.Errorf("count %d of %d, %v to %v, scale %d, %d bins", s.Count(), n, s.Min(), s.Max(), s.Scale(), s.Bins())
	}
	if e := s.ExponentialWithin(160); len(e.Positive.Counts) > 160 || len(e.Negative.Counts) > 160 {
		t.Errorf("%d and %d entries, at most 160 wanted", len(e.Positive.Counts), len(e.Negative.Counts))
	}
}

func TestReset(t *testing.T) {
	for name, s := range map[string]*Sketch{
		"zero": new(Sketch), "exact": sketchOf(walk(5)), "small": sketchOf(walk(200)), "large": sketchOf(spread(5000, 900)),
	} {
		s.Reset()
		if encoded(s) != encoded(new(Sketch)) || s.Config() != DefaultConfig() {
			t.Errorf("%s: not a zero Sketch after Reset", name)
		}
		if s.MemoryBytes() > 8*keptBins+200 {
			t.Errorf("%s: keeps %d bytes", name, s.MemoryBytes())
		}
		for _, v := range signed(50) {
			s.Add(v)
		}
		if check(t, s); encoded(s) != encoded(sketchOf(signed(50))) {
			t.Errorf("%s: not as new after Reset", name)
		}
	}
}

func TestCopyFrom(t *testing.T) {
	huge := sketchOf(walk(50))
	huge.AddN(3, 1<<40)
	for name, o := range map[string]*Sketch{"zero": new(Sketch), "exact": sketchOf(walk(5)), "buckets": sketchOf(walk(200)), "huge": huge} {
		want := encoded(o)
		s := sketchOf(spread(2000, 90))
		s.CopyFrom(o)
		s.CopyFrom(s)
		if check(t, s); encoded(s) != want {
			t.Errorf("%s: the copy differs", name)
		}
		s.AddN(3, 1<<41)
		s.Downscale(2)
		if encoded(o) != want {
			t.Errorf("%s: changed through its copy", name)
		}
	}
}

func TestSteadyStateDoesNotAllocate(t *testing.T) {
	values, other := walk(1000), sketchOf(signed(60))
	data, _ := other.AppendBinary(nil)
	s, buffer := sketchOf(values), make([]byte, 0, 4096)
	s.Merge(other)
	for name, f := range map[string]func(){
		"Add": func() {
			s.Reset()
			for _, v := range values {
				s.Add(v)
			}
		},
		"Merge":        func() { s.Merge(other) },
		"CopyFrom":     func() { s.CopyFrom(other) },
		"AppendBinary": func() { buffer, _ = s.AppendBinary(buffer[:0]) },
		"Decode":       func() { _, _ = s.Decode(data) },
		"Quantile":     func() { s.Quantile(0.99) },
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// TestMemoryOfAHundredValues checks the budget of an open window, even if every value has a bucket of its own.
func TestMemoryOfAHundredValues(t *testing.T) {
	apart := make([]float64, 100)
	for i := range apart {
		apart[i] = math.Exp2(float64(i))
	}
	for name, values := range map[string][]float64{"walk": walk(100), "signed": signed(100), "apart": apart} {
		if s := sketchOf(values); s.MemoryBytes() > 1024 {
			t.Errorf("%s: 100 values take %d bytes in %d bins", name, s.MemoryBytes(), s.Bins())
		}
	}
}
