package detect

import (
	"math"
	"math/rand/v2"
	"testing"
)

// everyday are ordinary series of things on which nothing is wrong: the value at a second of its life.
var everyday = map[string]func(r *rand.Rand) func(at float64) float64{
	"constant": func(*rand.Rand) func(float64) float64 {
		return func(float64) float64 { return 5 }
	},
	"set points": func(r *rand.Rand) func(float64) float64 {
		point := 20.0
		return func(float64) float64 {
			if r.IntN(360) == 0 {
				point = 18 + float64(r.IntN(8))/2
			}
			return point
		}
	},
	"switched by the clock": func(*rand.Rand) func(float64) float64 {
		return func(at float64) float64 {
			if h := hours(at); h > 8 && h < 17 {
				return 1
			}
			return 0
		}
	},
	"rare events": func(r *rand.Rand) func(float64) float64 {
		return func(float64) float64 {
			if r.IntN(60) == 0 {
				return 1
			}
			return 0
		}
	},
	"requests, many by day": func(r *rand.Rand) func(float64) float64 {
		return func(at float64) float64 {
			mean := math.Exp(3.5 + 1.5*math.Sin(hours(at)/12*math.Pi))
			return max(math.Round(mean+math.Sqrt(mean)*r.NormFloat64()), 0)
		}
	},
	"smooth": func(*rand.Rand) func(float64) float64 {
		return func(at float64) float64 { return 50 + 20*math.Sin(hours(at)/12*math.Pi) }
	},
	"saturated each night": func(r *rand.Rand) func(float64) float64 {
		return func(at float64) float64 {
			return min(math.Round(850+200*math.Sin(hours(at)/12*math.Pi)+5*r.NormFloat64())/10, 100)
		}
	},
	"two machines in turn": func(r *rand.Rand) func(float64) float64 {
		return func(at float64) float64 {
			if h := hours(at); h > 9 && h < 18 {
				return 80 + r.NormFloat64()
			}
			return 20 + r.NormFloat64()
		}
	},
}

// hours is the time of day.
func hours(at float64) float64 { return math.Mod(at, 86400) / 3600 }

// TestEveryday: what a series does each day is no news, and no finding stays open over it. Only the first two days, in
// which it is new, are not counted.
func TestEveryday(t *testing.T) {
	const days, warm, step = 14, 2, 60
	for name, makes := range everyday {
		flags, open := 0, 0
		const series = 4
		for n := range series {
			next := makes(rand.New(rand.NewPCG(uint64(n), 42)))
			d, err := New(Default, Config{})
			if err != nil {
				t.Fatal(err)
			}
			for at := step; at <= days*86400; at += step {
				v := d.Update(Sample{Time: int64(at) * second, Value: next(float64(at)), Completeness: 1})
				if at <= warm*86400 {
					continue
				}
				if v.Flag {
					flags++
				}
				if v.Open {
					open++
				}
			}
		}
		counted := series * (days - warm)
		perDay, share := float64(flags)/float64(counted), float64(open)*step/86400/float64(counted)
		t.Logf("%s: %.2f findings a day, open %.1f %% of the time", name, perDay, 100*share)
		if perDay > 0.2 || share > 0.1 {
			t.Errorf("%s: %.2f findings a day, wanted 0.2 at most, open %.1f %% of the time, wanted 10 %%", name, perDay, 100*share)
		}
	}
}

// TestNightlyZeroes: a run that is much longer than any that is known is still found where runs are long each night.
func TestNightlyZeroes(t *testing.T) {
	d, err := New(Default, Config{})
	if err != nil {
		t.Fatal(err)
	}
	next := everyday["saturated each night"](rand.New(rand.NewPCG(1, 42)))
	const days, step = 8, 60
	for at := step; at <= days*86400; at += step {
		d.Update(Sample{Time: int64(at) * second, Value: next(float64(at)), Completeness: 1})
	}
	for at := days*86400 + step; at <= (days+1)*86400; at += step {
		if d.Update(Sample{Time: int64(at) * second, Value: 77.7, Completeness: 1}).Flag {
			return
		}
	}
	t.Error("a day of the same value is not found")
}
