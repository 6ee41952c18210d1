package sketch

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// dyadic draws readings whose sums are exact in any order: multiples of 2^-10 below 2^20.
var dyadic = rapid.Map(rapid.Int32Range(-1<<30, 1<<30), func(n int32) float64 { return float64(n) / 1024 })

// awkward draws finite numbers where mistakes hide: powers of two, their neighbors, zeros, both ends of the range.
var awkward = rapid.OneOf(
	dyadic,
	rapid.Float64(),
	rapid.Map(rapid.IntRange(-1074, 1023), func(e int) float64 { return math.Ldexp(1, e) }),
	rapid.Map(rapid.IntRange(-300, 300), func(e int) float64 { return -math.Nextafter(math.Ldexp(1, e), 0) }),
	rapid.Float64Range(-2e-6, 2e-6),
	rapid.SampledFrom([]float64{0, math.Copysign(0, -1), 1e-6, -1e-6, math.MaxFloat64, -math.MaxFloat64, 5e-324, minNormal}),
)

// wide draws a run of values in neighboring or spaced buckets, enough of which pass MaxBins.
var wide = rapid.Custom(func(t *rapid.T) []float64 {
	start, step := rapid.Float64Range(-300, 300).Draw(t, "start"), rapid.SampledFrom([]float64{1. / 256, 1. / 64, 0.3}).Draw(t, "step")
	sign := rapid.SampledFrom([]float64{1, -1}).Draw(t, "sign")
	out := make([]float64, rapid.SampledFrom([]int{20, 600, 1100}).Draw(t, "run"))
	for i := range out {
		out[i] = sign * math.Exp2(start+float64(i)*step)
	}
	return out
})

// drawValues draws a multiset: a few values around the exact limit, dozens, or thousands in more buckets than fit.
func drawValues(t *rapid.T, kind *rapid.Generator[float64]) []float64 {
	limit := rapid.SampledFrom([]int{10, 80}).Draw(t, "limit")
	values := rapid.SliceOfN(kind, 0, limit).Draw(t, "values")
	for range rapid.SampledFrom([]int{0, 0, 1, 3}).Draw(t, "runs") {
		values = append(values, wide.Draw(t, "run")...)
	}
	return values
}

// drawParts draws sketches of one zero width and any scales whose values are, all together, these.
func drawParts(t *rapid.T, values []float64, zeroWidth float64) (parts []*Sketch, coarsest int) {
	coarsest = MaxScale
	for range rapid.IntRange(1, 6).Draw(t, "parts") {
		scale := rapid.SampledFrom([]int{2, 5, 6, 7, 8}).Draw(t, "scale")
		coarsest = min(coarsest, scale)
		parts = append(parts, mustNew(scale, zeroWidth))
	}
	for _, v := range values {
		parts[rapid.IntRange(0, len(parts)-1).Draw(t, "part")].Add(v)
	}
	return parts, coarsest
}

// mergeAnyhow merges parts, two at a time and in any order, until one is left.
func mergeAnyhow(t *rapid.T, parts []*Sketch) *Sketch {
	for len(parts) > 1 {
		i := rapid.IntRange(0, len(parts)-2).Draw(t, "left")
		j := rapid.IntRange(i+1, len(parts)-1).Draw(t, "right")
		into, from := parts[i], parts[j]
		if rapid.Bool().Draw(t, "swap") {
			into, from = from, into
		}
		before := encoded(from)
		into.Merge(from)
		if encoded(from) != before {
			t.Fatalf("Merge changed its argument")
		}
		parts[i] = into
		parts = append(parts[:j], parts[j+1:]...)
	}
	return parts[0]
}

// TestAnyPartitionIsTheWhole is the merge law: commutative, associative and the same as adding everything to one sketch,
// for every multiset, every split, every scale of the parts, every order.
func TestAnyPartitionIsTheWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		zeroWidth := rapid.SampledFrom([]float64{0, DefaultZeroWidth, 0.5}).Draw(t, "zero width")
		values := drawValues(t, awkward)
		parts, coarsest := drawParts(t, values, zeroWidth)
		whole := mustNew(coarsest, zeroWidth)
		for _, v := range values {
			whole.Add(v)
		}
		merged := mergeAnyhow(t, parts)
		check(t, merged)
		if facts(merged) != facts(whole) {
			t.Fatalf("merged %+v\nis not the whole %+v", merged, whole)
		}
	})
}

// TestSumsOfDyadicsAreExact repeats the law with sums, bit for bit.
func TestSumsOfDyadicsAreExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(dyadic, 0, 100).Draw(t, "values")
		parts, coarsest := drawParts(t, values, DefaultZeroWidth)
		whole := mustNew(coarsest, DefaultZeroWidth)
		for _, v := range values {
			whole.Add(v)
		}
		if merged := mergeAnyhow(t, parts); encoded(merged) != encoded(whole) {
			t.Fatalf("merged %+v\nis not the whole %+v", merged, whole)
		}
	})
}

func TestOrderDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := drawValues(t, awkward)
		if forth, back := sketchOf(values), sketchOf(rapid.Permutation(values).Draw(t, "order")); facts(forth) != facts(back) {
			t.Fatalf("%+v\nin another order %+v", forth, back)
		}
	})
}

func TestDownscaleIsDirectInsertion(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := drawValues(t, awkward)
		from, to := rapid.IntRange(MinScale, MaxScale).Draw(t, "from"), rapid.IntRange(MinScale-2, MaxScale).Draw(t, "to")
		s, direct := mustNew(from, 0), mustNew(max(MinScale, min(from, to)), 0)
		for _, v := range values {
			s.Add(v)
			direct.Add(v)
		}
		s.Downscale(to)
		check(t, s)
		if encoded(s) != encoded(direct) {
			t.Fatalf("downscaled %+v\ndirect %+v", s, direct)
		}
	})
}

func TestZeroSketchIsTheIdentity(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := mustNew(rapid.IntRange(MinScale, MaxScale).Draw(t, "scale"), rapid.Float64Range(0, 1).Draw(t, "zero width"))
		for _, v := range drawValues(t, awkward) {
			s.Add(v)
		}
		var left Sketch
		left.Merge(s)
		before := encoded(s)
		s.Merge(new(Sketch))
		if encoded(&left) != before || encoded(s) != before {
			t.Fatalf("%+v is neither %+v", s, left)
		}
	})
}

func TestMergeWithItselfDoubles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := drawValues(t, dyadic)
		s, twice := sketchOf(values), sketchOf(values)
		s.Merge(s)
		for _, v := range values {
			twice.Add(v)
		}
		if check(t, s); facts(s) != facts(twice) {
			t.Fatalf("%+v\nis not %+v", s, twice)
		}
	})
}

// TestDifferentZeroWidths: the wider one wins, from either side, and no value is lost.
func TestDifferentZeroWidths(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kind := rapid.OneOf(awkward, rapid.Float64Range(-3, 3))
		widths := rapid.SampledFrom([]float64{0, 1e-6, 0.5, 0.7, 1, 2.5, math.MaxFloat64})
		a := mustNew(rapid.IntRange(-2, MaxScale).Draw(t, "a"), widths.Draw(t, "zero width of a"))
		b := mustNew(rapid.IntRange(-2, MaxScale).Draw(t, "b"), widths.Draw(t, "zero width of b"))
		for _, v := range drawValues(t, kind) {
			a.Add(v)
		}
		for _, v := range drawValues(t, kind) {
			b.Add(v)
		}
		n, least := a.Count()+b.Count(), math.Min(orInf(a.Min()), orInf(b.Min()))
		var ab Sketch
		ab.CopyFrom(a)
		ab.Merge(b)
		b.Merge(a)
		check(t, &ab)
		if encoded(&ab) != encoded(b) || ab.Count() != n || orInf(ab.Min()) != least {
			t.Fatalf("a+b %+v\nb+a %+v", ab, b)
		}
		roundTrip(t, b)
	})
}

func orInf(v float64) float64 {
	if math.IsNaN(v) {
		return math.Inf(1)
	}
	return v
}

// TestMergeUsesEveryBin: 1,024 buckets fit, one more costs a step of scale.
func TestMergeUsesEveryBin(t *testing.T) {
	for extra, scale := range []int{DefaultScale, DefaultScale - 1} {
		var low, high Sketch
		for i := range MaxBins/2 + 1 {
			low.Add(math.Exp2((float64(i) + 0.5) / 64))
			high.Add(math.Exp2((float64(i+MaxBins/2-1+extra) + 0.5) / 64)) // the last two or the last one of low, and new ones
		}
		low.Merge(&high)
		if check(t, &low); low.Scale() != scale {
			t.Errorf("%d buckets at scale %d, want scale %d", low.Bins(), low.Scale(), scale)
		}
	}
}
