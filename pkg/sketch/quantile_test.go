package sketch

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// permille are the shares that accuracy is tested at. As integers they give ranks without rounding.
var permille = []uint64{0, 1, 10, 50, 70, 100, 250, 290, 500, 550, 750, 900, 950, 990, 999, 1000}

// rankOf returns ceil(q*n) for a share in permille, at least 1.
func rankOf(permille, n uint64) uint64 {
	return max(1, (permille*n+999)/1000)
}

// A distribution is given by its quantile function, which does not fall for u in (0, 1). So the value of every rank of a
// sample at known places u is known without sorting.
type distribution struct {
	name      string
	zeroWidth float64
	at        func(u float64) float64
}

func normal(u float64) float64 { return math.Sqrt2 * math.Erfinv(2*u-1) }

var distributions = []distribution{
	{"uniform", DefaultZeroWidth, func(u float64) float64 { return 100 * u }},
	{"normal, signed", DefaultZeroWidth, func(u float64) float64 { return 3 + 15*normal(u) }},
	{"lognormal", DefaultZeroWidth, func(u float64) float64 { return math.Exp(1 + 1.5*normal(u)) }},
	{"exponential", DefaultZeroWidth, func(u float64) float64 { return -20 * math.Log1p(-u) }},
	{"pareto", DefaultZeroWidth, func(u float64) float64 { return math.Pow(1-u, -1/1.1) }},
	{"bimodal, signed", DefaultZeroWidth, func(u float64) float64 {
		if u < 0.3 {
			return -40 + normal(u/0.3)
		}
		return 21 + normal((u-0.3)/0.7)
	}},
	{"constant", DefaultZeroWidth, func(float64) float64 { return 21.5 }},
	{"powers of two", DefaultZeroWidth, func(u float64) float64 { return math.Exp2(math.Floor(30*u) - 15) }},
	{"integers", DefaultZeroWidth, func(u float64) float64 { return math.Floor(2000*u) - 300 }},
	{"thermometer", DefaultZeroWidth, func(u float64) float64 { return math.Round(10*normal(u)) / 10 }},
	{"mostly zero", DefaultZeroWidth, func(u float64) float64 { return math.Max(0, u-0.8) }},
	{"tiny", 0, func(u float64) float64 { return 1e-300 * normal(u) }},
	{"huge", 0, func(u float64) float64 { return 1e300 * math.Exp(2*normal(u)) }},
	{"in the zero region", 0.5, func(u float64) float64 { return normal(u) }},
}

// checkQuantiles compares s with the truth: the value of each rank. See "Promises" in the package documentation, and
// for the claim itself the DDSketch paper, section 2.1: an alpha-accurate (q0, q1)-sketch.
func checkQuantiles(t *testing.T, s *Sketch, zeroWidth float64, valueOf func(rank uint64) float64) {
	t.Helper()
	n := s.Count()
	for _, p := range permille {
		rank := rankOf(p, n)
		got, want := s.Quantile(float64(p)/1000), valueOf(rank)
		allowed := Accuracy(s.Scale()) * math.Abs(want) * (1 + 1e-12)
		switch {
		case s.Exact() || rank == 1 || rank == n:
			allowed = 0
		case math.Abs(want) <= zeroWidth:
			allowed = zeroWidth
		}
		if !(math.Abs(got-want) <= allowed) {
			t.Errorf("n %d, q %v: %v, want %v ± %v", n, float64(p)/1000, got, want, allowed)
		}
	}
}

// TestRelativeAccuracyOfSamples draws random samples, sorts them and compares.
func TestRelativeAccuracyOfSamples(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	sizes := []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 100, 1000, 10_000}
	for _, d := range distributions {
		for _, scale := range []int{0, 5, DefaultScale, MaxScale} {
			t.Run(fmt.Sprintf("%s/scale=%d", d.name, scale), func(t *testing.T) {
				for _, n := range sizes {
					s, values := mustNew(scale, d.zeroWidth), make([]float64, n)
					for i := range values {
						values[i] = d.at(rng.Float64()*(1-1e-9) + 1e-10)
						s.Add(values[i])
					}
					slices.Sort(values)
					checkQuantiles(t, s, d.zeroWidth, func(rank uint64) float64 { return values[rank-1] })
				}
			})
		}
	}
}

// TestRelativeAccuracyOfMillions takes the values at n even places, in scattered order, so that nothing need be sorted.
func TestRelativeAccuracyOfMillions(t *testing.T) {
	for _, d := range distributions {
		t.Run(d.name, func(t *testing.T) {
			sizes := []uint64{100_000, 1_000_000}
			if d.name == "lognormal" && !testing.Short() {
				sizes = append(sizes, 10_000_000)
			}
			for _, n := range sizes {
				valueOf := func(rank uint64) float64 { return d.at((float64(rank) - 0.5) / float64(n)) }
				s := mustNew(DefaultScale, d.zeroWidth)
				for i := range n {
					s.Add(valueOf(i*7_368_787%n + 1)) // coprime to n: every rank once
				}
				checkQuantiles(t, s, d.zeroWidth, valueOf)
			}
		})
	}
}

// TestAccuracyAfterMerge: the guarantee does not wear off over tiers, and downscaling widens it as documented.
func TestAccuracyAfterMerge(t *testing.T) {
	values := signed(20_000)
	parts := make([]Sketch, 100)
	for i, v := range values {
		parts[i%len(parts)].Add(v)
	}
	var whole Sketch
	for i := range parts {
		whole.Merge(&parts[i])
	}
	slices.Sort(values)
	for scale := DefaultScale; scale >= MinScale; scale-- {
		whole.Downscale(scale)
		checkQuantiles(t, &whole, DefaultZeroWidth, func(rank uint64) float64 { return values[rank-1] })
	}
}

func TestQuantilesAscend(t *testing.T) {
	s := sketchOf(signed(1000))
	last := math.Inf(-1)
	for q := -0.1; q < 1.1; q += 0.001 {
		v := s.Quantile(q)
		if v < last || v < s.Min() || v > s.Max() {
			t.Fatalf("quantile %v is %v, after %v, in [%v, %v]", q, v, last, s.Min(), s.Max())
		}
		last = v
	}
}

func TestQuantileAtTheEnds(t *testing.T) {
	for name, s := range map[string]*Sketch{"exact": sketchOf(signed(7)), "buckets": sketchOf(signed(70))} {
		for _, q := range []float64{0, -1, math.Inf(-1), 1e-300} {
			if got := s.Quantile(q); got != s.Min() {
				t.Errorf("%s: quantile %v is %v, want the minimum %v", name, q, got, s.Min())
			}
		}
		for _, q := range []float64{1, 2, math.Inf(1)} {
			if got := s.Quantile(q); got != s.Max() {
				t.Errorf("%s: quantile %v is %v, want the maximum %v", name, q, got, s.Max())
			}
		}
		if got := s.Quantile(math.NaN()); got == got {
			t.Errorf("%s: quantile NaN is %v", name, got)
		}
	}
}

// TestRankIsNotShiftedByRounding: 0.07*100 is 7.000000000000001 in float64, yet the seventh of a hundred is meant.
func TestRankIsNotShiftedByRounding(t *testing.T) {
	for n := uint64(1); n <= 3000; n++ {
		for p := range uint64(1001) {
			if got, want := rank(float64(p)/1000, n), rankOf(p, n); got != want {
				t.Fatalf("rank(%v, %d) = %d, want %d", float64(p)/1000, n, got, want)
			}
		}
	}
	for _, n := range []uint64{1, 9, MaxCount} {
		if rank(1, n) != n || rank(0, n) != 1 {
			t.Errorf("ranks of %d values: %d to %d", n, rank(0, n), rank(1, n))
		}
	}
}
