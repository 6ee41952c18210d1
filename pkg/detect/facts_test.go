package detect

import (
	"math"
	"slices"
	"testing"
)

// flagsAt plays values a second apart and lists which were flagged.
func flagsAt(t *testing.T, name string, c Config, at func(i int) (seconds, value float64), n int) (flags []int) {
	t.Helper()
	d, err := New(name, c)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		s, x := at(i)
		if d.Update(Sample{Time: int64(s * second), Value: x, Completeness: 1}).Flag {
			flags = append(flags, i)
		}
	}
	return flags
}

func TestFacts(t *testing.T) {
	f := func(name string, c Config, want []int, at func(i int) (float64, float64)) {
		t.Helper()
		if got := flagsAt(t, name, c, at, 200); !slices.Equal(got, want) {
			t.Errorf("%s is flagged at %v, want %v", name, got, want)
		}
	}
	noisy := func(i int) float64 { return 20 + math.Sin(float64(i)) }
	steady := func(i int) (float64, float64) { return float64(i + 1), noisy(i) }
	for _, name := range []string{"limits", "stuck", "rate", "missing", "facts"} {
		f(name, Config{Low: 0, High: 80, MaxRate: 10}, nil, steady)
	}
	f("limits", Config{Low: 0, High: 80}, []int{50, 60}, func(i int) (float64, float64) {
		if i >= 50 && i < 53 || i == 60 {
			return float64(i + 1), 81
		}
		return steady(i)
	})
	f("limits", Config{Low: math.Inf(-1), High: 20.5}, []int{1, 7, 14}, func(i int) (float64, float64) {
		return float64(i + 1), noisy(min(i, 16))
	})
	f("stuck", Config{Stuck: 30 * second}, []int{130}, func(i int) (float64, float64) {
		return float64(i + 1), noisy(min(i, 100))
	})
	f("rate", Config{MaxRate: 10}, []int{100}, func(i int) (float64, float64) {
		if i >= 100 {
			return float64(i + 1), noisy(i) + 15
		}
		return steady(i)
	})
	f("missing", Config{}, []int{100}, func(i int) (float64, float64) {
		if i >= 100 {
			return float64(i + 60), noisy(i)
		}
		return steady(i)
	})
}

func TestFactWords(t *testing.T) {
	d, _ := New("facts", Config{High: 80})
	d.Update(Sample{Time: second, Value: 91.5, Completeness: 1})
	all := d.Explain(nil)
	if len(all) != 1 || all[0].String() != "value 91.5 beyond the limit 80" {
		t.Errorf("says %v", all)
	}
}
