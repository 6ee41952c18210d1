package sketch

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/DataDog/sketches-go/ddsketch"
	"github.com/DataDog/sketches-go/ddsketch/mapping"
	"github.com/DataDog/sketches-go/ddsketch/store"
)

// index returns v's OpenTelemetry bucket index at a scale. v is positive.
func index(v float64, scale int) int {
	return int(bucketOf(v, uint8(MaxScale-scale)) - origin(scale))
}

// TestBoundsAreNearest proves every bound of the table in integers: the true bound 2^(k/256) lies between the midpoints
// to the neighboring floats, that is, with m the 53-bit significand, (2m-1)^256 < 2^(k+256*53) < (2m+1)^256.
func TestBoundsAreNearest(t *testing.T) {
	power := func(m uint64) *big.Int { return new(big.Int).Exp(new(big.Int).SetUint64(m), big.NewInt(256), nil) }
	for k, mantissa := range mantissas[:256] {
		m := 1<<52 | mantissa
		bound := new(big.Int).Lsh(big.NewInt(1), uint(k+256*53))
		if power(2*m-1).Cmp(bound) >= 0 || power(2*m+1).Cmp(bound) <= 0 {
			t.Errorf("bound %d is not the float64 nearest to 2^(%d/256)", k, k)
		}
	}
	if mantissas[256] != 1<<52 {
		t.Errorf("the octave ends at %#x", mantissas[256])
	}
}

func TestPowersOfTwoEndTheirBucket(t *testing.T) {
	for scale := MinScale; scale <= MaxScale; scale++ {
		for exponent := -1022; exponent <= 1023; exponent++ {
			want := exponent - 1 // scale 0
			if scale >= 0 {
				want = exponent<<scale - 1
			} else {
				want >>= -scale
			}
			if got := index(math.Ldexp(1, exponent), scale); got != want {
				t.Fatalf("2^%d at scale %d: bucket %d, want %d", exponent, scale, got, want)
			}
		}
	}
}

func TestUpperBoundIsInside(t *testing.T) {
	for _, scale := range []int{-4, -1, 0, 3, 6, 8} {
		first := bucketOf(minNormal, uint8(MaxScale-scale))
		last := bucketOf(math.MaxFloat64, uint8(MaxScale-scale))
		for m := first + 1; m < last; m++ {
			bound := lower(m+1, scale)
			if got := bucketOf(bound, uint8(MaxScale-scale)); got != m {
				t.Fatalf("scale %d: upper bound %v of bucket %d is in %d", scale, bound, m, got)
			}
			if got := bucketOf(math.Nextafter(bound, math.Inf(1)), uint8(MaxScale-scale)); got != m+1 {
				t.Fatalf("scale %d: the float after bound %v is in bucket %d, want %d", scale, bound, got, m+1)
			}
		}
	}
}

func TestNegativeSideIsMirrored(t *testing.T) {
	for _, v := range []float64{minNormal, 0.1, 1, 1.5, 2, 21.5, math.MaxFloat64} {
		if bucketOf(-v, 2) != -bucketOf(v, 2) || middle(bucketOf(-v, 2), 6) != -middle(bucketOf(v, 2), 6) {
			t.Errorf("%v and its opposite are not mirrored", v)
		}
	}
}

// TestEveryMachineAgrees pins buckets as numbers: a change of grid would make old sketches wrong.
func TestEveryMachineAgrees(t *testing.T) {
	for _, c := range []struct {
		v     float64
		scale int
		want  int
	}{
		{1, 6, -1},
		{math.Nextafter(1, 2), 6, 0},
		{2, 6, 63},
		{21.5, 6, 283},
		{100, 6, 425},
		{1e-6, 6, -1276},
		{1e-6, 8, -5103},
		{21.5, 8, 1133},
		{21.5, 0, 4},
		{21.5, -4, 0},
		{math.MaxFloat64, 8, 262143},
		{minNormal, 8, -261633},
		{math.MaxFloat64, -4, 63},
		{minNormal, -4, -64},
	} {
		if got := index(c.v, c.scale); got != c.want {
			t.Errorf("%v at scale %d: bucket %d, want %d", c.v, c.scale, got, c.want)
		}
	}
}

func TestAccuracyOfScales(t *testing.T) {
	for scale := MinScale; scale <= MaxScale; scale++ {
		base := math.Exp2(math.Exp2(float64(-scale)))
		if got, want := Accuracy(scale), (base-1)/(base+1); math.Abs(got-want) > 1e-15 {
			t.Errorf("scale %d: alpha %v, want %v", scale, got, want)
		}
	}
	if got := Accuracy(DefaultScale); math.Abs(got-0.005415) > 1e-6 {
		t.Errorf("default alpha %v, documented as 0.5415 %%", got)
	}
}

// onGrid is sketches-go's logarithmic mapping with exact powers of two moved to where OpenTelemetry has them.
type onGrid struct {
	*mapping.LogarithmicMapping
	scale int
}

func newOnGrid(t *testing.T, scale int) onGrid {
	m, err := mapping.NewLogarithmicMappingWithGamma(math.Exp2(math.Exp2(float64(-scale))), 0)
	if err != nil {
		t.Fatal(err)
	}
	return onGrid{m, scale}
}

func (m onGrid) Index(v float64) int {
	if fraction, exponent := math.Frexp(v); fraction == 0.5 {
		return (exponent-1)<<m.scale - 1
	}
	return m.LogarithmicMapping.Index(v)
}

func (m onGrid) Equals(o mapping.IndexMapping) bool {
	other, ok := o.(onGrid)
	return ok && m.scale == other.scale
}

func TestBucketsOfSketchesGo(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for _, scale := range []int{0, 5, 6, 8} {
		m := newOnGrid(t, scale)
		for range 50_000 {
			v := math.Exp(1400 * (rng.Float64() - 0.5))
			if got, want := index(v, scale), m.Index(v); got != want {
				t.Fatalf("%v at scale %d: bucket %d, sketches-go has %d", v, scale, got, want)
			}
		}
	}
}

// TestSketchOfSketchesGo compares whole sketches, merged from two halves, bucket by bucket.
func TestSketchOfSketchesGo(t *testing.T) {
	m := newOnGrid(t, DefaultScale)
	newTheirs := func() *ddsketch.DDSketch {
		return ddsketch.NewDDSketch(m, store.NewSparseStore(), store.NewSparseStore())
	}
	ours, theirs := [2]Sketch{}, [2]*ddsketch.DDSketch{newTheirs(), newTheirs()}
	for i, v := range signed(10_000) {
		ours[i%2].Add(v)
		if err := theirs[i%2].Add(v); err != nil {
			t.Fatal(err)
		}
	}
	ours[0].Merge(&ours[1])
	if err := theirs[0].MergeWith(theirs[1]); err != nil {
		t.Fatal(err)
	}
	e := ours[0].Exponential()
	for name, side := range map[string]struct {
		ours   Buckets
		theirs store.Store
	}{
		"positive": {e.Positive, theirs[0].GetPositiveValueStore()},
		"negative": {e.Negative, theirs[0].GetNegativeValueStore()},
	} {
		total := 0.0
		side.theirs.ForEach(func(index int, n float64) bool {
			total += n
			if j := index - int(side.ours.Offset); j < 0 || j >= len(side.ours.Counts) || side.ours.Counts[j] != uint64(n) {
				t.Errorf("%s bucket %d: sketches-go counts %v, we do not", name, index, n)
			}
			return false
		})
		if sum := sumOf(side.ours.Counts); float64(sum) != total {
			t.Errorf("%s side: %d values, sketches-go has %v", name, sum, total)
		}
	}
}

// signed returns n numbers of both signs over two decades, in fewer buckets than MaxBins.
func signed(n int) []float64 {
	rng := rand.New(rand.NewPCG(7, 8))
	out := make([]float64, n)
	for i := range out {
		out[i] = math.Copysign(math.Exp(5*rng.Float64()-2.5), rng.Float64()-0.3)
	}
	return out
}

func sumOf(counts []uint64) (sum uint64) {
	for _, n := range counts {
		sum += n
	}
	return sum
}
