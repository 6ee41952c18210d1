package synth

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func luck(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 7)) }

// TestNoiseHasItsSigma: the deviation of the noise around its level is what the family says. AR(1) 60 s and t3 have
// few effective samples and heavy tails, hence the margins.
func TestNoiseHasItsSigma(t *testing.T) {
	for _, f := range Families() {
		const n = 400_000
		step := 10 * time.Second
		source := f.NewSource(luck(1), step)
		var squares, sum float64
		for i := range n {
			r := source(time.Duration(i)*step, 1)
			squares += (r.Value - r.Level) * (r.Value - r.Level)
			sum += r.Value - r.Level
		}
		if sigma := math.Sqrt(squares / n); math.Abs(sigma-f.Sigma)/f.Sigma > 0.06 || math.Abs(sum/n) > 0.03*f.Sigma {
			t.Errorf("%s: deviation %.4f around %.4f, wanted %.4f around 0", f.Name, sigma, sum/n, f.Sigma)
		}
	}
}

// TestSameChanceSameSeries, and another chance another one.
func TestSameChanceSameSeries(t *testing.T) {
	for _, f := range Families() {
		a, b, c := f.NewSource(luck(1), time.Second), f.NewSource(luck(1), time.Second), f.NewSource(luck(2), time.Second)
		same := 0
		for i := range 100 {
			at := time.Duration(i) * time.Second
			x := a(at, 1)
			if x != b(at, 1) {
				t.Fatalf("%s: sample %d differs for the same chance", f.Name, i)
			}
			if x == c(at, 1) {
				same++
			}
		}
		if same > 60 { // quantized values are often equal
			t.Errorf("%s: %d of 100 samples are the same for another chance", f.Name, same)
		}
	}
}

// TestDensities: the mean likelihood ratio of grown noise to healthy noise is 1 on healthy noise, and their logarithm
// is larger on average where the noise has grown.
func TestDensities(t *testing.T) {
	for _, f := range Families() {
		if f.fresh.draw == nil {
			continue
		}
		const n = 200_000
		const gain = 1.2
		chance := luck(3)
		var mean, healthy, grown float64
		for range n {
			x, y := f.fresh.draw(chance), gain*f.fresh.draw(chance)
			if f.Name == "quantized" {
				x, y = math.Round(x), math.Round(y)
			}
			r := f.fresh.density(x, gain) - f.fresh.density(x, 1)
			mean += math.Exp(r) / n
			healthy += r / n
			grown += (f.fresh.density(y, gain) - f.fresh.density(y, 1)) / n
		}
		if math.Abs(mean-1) > 0.01 || healthy >= 0 || grown <= 0 {
			t.Errorf("%s: mean ratio %v, mean logarithm %v healthy and %v grown", f.Name, mean, healthy, grown)
		}
	}
}

// TestPossible: what the oracle finds at one false sample in a million.
func TestPossible(t *testing.T) {
	want := map[string][4]float64{ // least and most of spikes, of 360 samples of three times the variance
		"Gaussian": {0.99, 1, 0.99, 1}, "Laplace": {0.03, 0.06, 0.99, 1}, "Student t3": {0, 0.02, 0.9, 1}, "quantized": {1, 1, 0.99, 1},
	}
	for _, f := range Families() {
		w, ok := want[f.Name]
		if !ok {
			continue
		}
		for i, name := range []string{"spike 8σ", "variance ×3"} {
			j := slices.IndexFunc(Faults(), func(f Fault) bool { return f.Name == name })
			if got := f.Possible(Faults()[j], 360, 1e-6, luck(8)); got < w[2*i] || got > w[2*i+1] {
				t.Errorf("%s on %s: %v possible, wanted %v to %v", name, f.Name, got, w[2*i], w[2*i+1])
			}
		}
	}
}

// still is a series without noise, except for the gain that it is asked for.
func still(at time.Duration, gain float64) Reading {
	return Reading{daily(at) + gain - 1, daily(at)}
}

// TestFaults: each changes what it should, from its onset until it is over, and nothing else.
func TestFaults(t *testing.T) {
	const sigma, onset = 2, 6 * time.Hour // the daily cycle is at its top
	healthy := func(at time.Duration) float64 { return still(at, 1).Value }
	want := map[string]func(at time.Duration) float64{ // how far from healthy, either side
		"spike 8σ":     func(time.Duration) float64 { return 16 },
		"flat line":    func(at time.Duration) float64 { return math.Abs(healthy(onset-time.Second) - healthy(at)) },
		"flat for 1 h": func(at time.Duration) float64 { return math.Abs(healthy(onset-time.Second) - healthy(at)) },
		"missing":      func(time.Duration) float64 { return math.NaN() },
		"step 3σ":      func(time.Duration) float64 { return 6 },
		"variance ×3":  func(time.Duration) float64 { return math.Sqrt(3) - 1 },
		"drift 1σ/h":   func(at time.Duration) float64 { return 2 * (at - onset).Hours() },
		"seasonal break": func(at time.Duration) float64 {
			return math.Abs(healthy(onset-time.Second) - healthy(at))
		},
	}
	for _, f := range Faults() {
		series := f.Break(still, sigma, onset, luck(4))
		changed := 0
		for at := onset - time.Minute; at < onset+f.Lasts+time.Minute; at += time.Second {
			value, there := series(at)
			abnormal := at >= onset && at < onset+max(f.Lasts, 1)
			off := math.Abs(value - healthy(at))
			switch expected := want[f.Name](at); {
			case !abnormal && (off != 0 || !there):
				t.Fatalf("%s: at %v, when nothing is wrong, it is off by %v", f.Name, at-onset, off)
			case abnormal && there == math.IsNaN(expected), abnormal && there && math.Abs(off-expected) > 1e-9:
				t.Fatalf("%s: at %v it is off by %v (there: %v), wanted %v", f.Name, at-onset, off, there, expected)
			}
			if abnormal {
				changed++
			}
		}
		if wantRows := int(max(f.Lasts, time.Second) / time.Second); changed != wantRows {
			t.Errorf("%s: %d abnormal samples, wanted %d", f.Name, changed, wantRows)
		}
	}
}

// TestSeasonal: a cycle of its own sigma is laid over a family, and one that has a cycle stays.
func TestSeasonal(t *testing.T) {
	for _, f := range Families() {
		cyclic := f.Seasonal()
		a, b := f.NewSource(luck(5), time.Hour), cyclic.NewSource(luck(5), time.Hour)
		plain, lifted := a(6*time.Hour, 1), b(6*time.Hour, 1)
		want := cycle * f.Sigma
		if f.Name == "diurnal" {
			want = 0
		}
		if math.Abs(lifted.Value-plain.Value-want) > 1e-9 || math.Abs(lifted.Level-plain.Level-want) > 1e-9 {
			t.Errorf("%s: at the top of the day %+v became %+v", f.Name, plain, lifted)
		}
	}
}
