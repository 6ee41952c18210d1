package nab_test

import (
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"weir/lab/eval/corpus"
	"weir/lab/eval/nab"
)

// half is the development half of NAB.
func half(t *testing.T) []corpus.Series {
	t.Helper()
	all, err := corpus.Read(os.DirFS("../../testdata/nab"))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// judge scores one series.
type judge func(values []float64) []float64

// sheet holds the scores of one judge for all series.
func sheet(t *testing.T, all []corpus.Series, j judge) *nab.Sheet {
	t.Helper()
	var files []nab.File
	var scores [][]float64
	for _, s := range all {
		files, scores = append(files, s.File()), append(scores, j(s.Values))
	}
	s, err := nab.NewSheet(files, scores)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// ewma is an exponentially weighted mean and variance, gain 0.2, compared before the update.
func ewma(values []float64) []float64 {
	z := make([]float64, len(values))
	mean, variance := values[0], 0.0
	for i, x := range values[1:] {
		e := x - mean
		if math.Sqrt(variance) > 1e-12 && i+1 > 10 {
			z[i+1] = math.Abs(e) / math.Sqrt(variance)
		}
		mean += 0.2 * e
		variance = 0.8 * (variance + 0.2*e*e)
	}
	return z
}

// z60 compares with the mean and the deviation of the 60 values before.
func z60(values []float64) []float64 {
	z := make([]float64, len(values))
	for i := 60; i < len(values); i++ {
		before := values[i-60 : i]
		var mean, squares float64
		for _, x := range before {
			mean += x
		}
		mean /= 60
		for _, x := range before {
			squares += (x - mean) * (x - mean)
		}
		off := math.Abs(values[i] - mean)
		switch deviation := math.Sqrt(squares / 60); {
		case deviation > 1e-12:
			z[i] = off / deviation
		case off > 0:
			z[i] = 100
		}
	}
	return z
}

// either is the greater of both.
func either(values []float64) []float64 {
	z := ewma(values)
	for i, other := range z60(values) {
		z[i] = max(z[i], other)
	}
	return z
}

// novelty is how far a value lies outside the range so far, in widths of that range.
func novelty(values []float64) []float64 {
	scores := make([]float64, len(values))
	low, high := values[0], values[0]
	for i, x := range values {
		if high > low {
			scores[i] = max(0, (x-high)/(high-low), (low-x)/(high-low))
		}
		low, high = min(low, x), max(high, x)
	}
	return scores
}

// above turns scores into flags: 1 where the score is greater than the threshold.
func above(j judge, threshold float64) judge {
	return func(values []float64) []float64 {
		scores := j(values)
		for i, s := range scores {
			scores[i] = 0
			if s > threshold {
				scores[i] = 1
			}
		}
		return scores
	}
}

func silent(values []float64) []float64 { return make([]float64, len(values)) }

// TestPublishedScores checks the scorer against figures that NAB's own program gives for simple detectors on the
// development half: the three profiles in order, and hits and false rows at the threshold of the standard one.
func TestPublishedScores(t *testing.T) {
	all := half(t)
	const best = -1
	cases := []struct {
		name           string
		judge          judge
		thresholds     [3]float64
		scores         [3]float64
		hit, falseRows int
	}{
		{"nothing fires", silent, [3]float64{1, 1, 1}, [3]float64{0, 0, 0}, 0, 0},
		{"EWMA as fired", above(ewma, 3), [3]float64{1, 1, 1}, [3]float64{-296.09, -685.46, -165.14}, 60, 4516},
		// One row lies on 3 sigma exactly, and the order of summation decides whether it fires: −202.37 with 3,382 rows is as right.
		{"z60 as fired", above(z60, 3), [3]float64{1, 1, 1}, [3]float64{-202.285, -492.023, -104.749}, 56, 3381},
		{"any of both as fired", above(either, 3), [3]float64{1, 1, 1}, [3]float64{-420.48, -935.52, -248.06}, 60, 5986},
		{"greater of both", either, [3]float64{best, best, best}, [3]float64{21.50, 4.35, 36.38}, 41, 479},
		{"range novelty", novelty, [3]float64{best, best, best}, [3]float64{55.74, 53.41, 58.13}, 39, 34},
	}
	for _, c := range cases {
		s := sheet(t, all, c.judge)
		for i, p := range nab.Profiles() {
			threshold := c.thresholds[i]
			if threshold == best {
				threshold, _ = s.Best(p, nil)
			}
			tally := nab.Sum(s.At(p, threshold))
			if got := p.Score(tally); math.Abs(got-c.scores[i]) > 0.01 {
				t.Errorf("%s, %s at %v: score %.3f, wanted %.2f", c.name, p.Name, threshold, got, c.scores[i])
			}
			if i == 0 && (tally.Hit != c.hit || tally.FalseRows != c.falseRows || tally.Windows != 62) {
				t.Errorf("%s: %d of %d windows and %d false rows, wanted %d of 62 and %d",
					c.name, tally.Hit, tally.Windows, tally.FalseRows, c.hit, c.falseRows)
			}
		}
	}
}

// TestPublishedThresholds checks that the sweep finds the thresholds themselves.
func TestPublishedThresholds(t *testing.T) {
	all := half(t)
	cases := []struct {
		name  string
		judge judge
		want  []float64 // per profile, to the digits that are known
	}{
		{"greater of both", either, []float64{14.931, 121.04, 14.931}},
		{"range novelty", novelty, []float64{0.0049519}},
	}
	for _, c := range cases {
		s := sheet(t, all, c.judge)
		for i, want := range c.want {
			if got, _ := s.Best(nab.Profiles()[i], nil); math.Abs(got-want)/want > 1e-4 {
				t.Errorf("%s: best threshold of profile %d is %v, wanted %v", c.name, i, got, want)
			}
		}
	}
}

// TestSpreadIsSeeded: the same seed gives the same spread, and the score lies within it.
func TestSpreadIsSeeded(t *testing.T) {
	s := sheet(t, half(t), novelty)
	p := nab.Profiles()[0]
	threshold, total := s.Best(p, nil)
	spread := func(seed uint64) [4]float64 {
		chance := rand.New(rand.NewPCG(seed, 1))
		low, high := nab.Bootstrap(p, s.At(p, threshold), 1000, chance)
		mean, deviation := s.Transfer(p, 50, chance)
		return [4]float64{low, high, mean, deviation}
	}
	a, b := spread(1), spread(1)
	if a != b {
		t.Errorf("one seed gives %v and %v", a, b)
	}
	if score := p.Score(total); score <= a[0] || score >= a[1] || a[2] > score || a[3] <= 0 {
		t.Errorf("score %.1f, bootstrap [%.1f, %.1f], transfer %.1f ± %.1f", score, a[0], a[1], a[2], a[3])
	}
	t.Logf("bootstrap [%.1f, %.1f], transfer %.1f ± %.1f", a[0], a[1], a[2], a[3])
}
