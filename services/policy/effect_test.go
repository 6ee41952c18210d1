package policy

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"weir/pkg/window"
)

const second = int64(time.Second)

func TestTakesEffect(t *testing.T) {
	now := 1_000_000*second + 1
	const hash = 0xef46db3751d8e999 // of the empty document
	for _, c := range []struct {
		name    string
		last    *Reported
		lengths []int64
		wanted  int64
		want    int64
	}{
		{"the first one", nil, []int64{10 * second}, 0, 0},
		{"the one it has", &Reported{Revision: 7, Hash: hash, From: 5}, []int64{10 * second}, 0, 5},
		{"another of that number", &Reported{Revision: 7, Hash: 2, Lengths: []int64{second}}, []int64{second}, 0, 1_000_036 * second},
		{"same size", &Reported{Revision: 6, Lengths: []int64{10 * second}}, []int64{10 * second}, 0, 1_000_040 * second},
		{"boundary of both", &Reported{Revision: 6, Lengths: []int64{7 * second}}, []int64{10 * second}, 0, 1_000_090 * second},
		{"not before the change before", &Reported{Revision: 6, From: 2_000_000 * second, Lengths: []int64{second}}, []int64{second}, 0, 2_000_001 * second},
		{"when it is wanted", &Reported{Revision: 6, Lengths: []int64{second}}, []int64{10 * second}, 1_000_101 * second, 1_000_110 * second},
		{"too soon", &Reported{Revision: 6, Lengths: []int64{second}}, []int64{second}, 999_999 * second, 1_000_036 * second},
		{"no boundary within a day", &Reported{Revision: 6, Lengths: []int64{86_399 * second}}, []int64{10 * second}, 0, 1_000_040 * second},
	} {
		if got := takesEffect(now, c.last, effective{7, Whole{Lengths: c.lengths, NotUntil: c.wanted}}); got != c.want {
			t.Errorf("%s: got %d s, want %d s", c.name, got/second, c.want/second)
		}
	}
}

// TestChangesCutNoWindow checks against the rules of pkg/window.
func TestChangesCutNoWindow(t *testing.T) {
	sizes := rapid.SampledFrom([]int64{1, 2, 5, 7, 10, 15, 60, 300, 3600})
	rapid.Check(t, func(t *rapid.T) {
		now := rapid.Int64Range(0, math.MaxInt64/4).Draw(t, "now")
		size, next := sizes.Draw(t, "size")*second, sizes.Draw(t, "next")*second
		last := &Reported{Revision: 1, From: now - rapid.Int64Range(-3600*second, now).Draw(t, "ago"), Lengths: []int64{size}}
		from := takesEffect(now, last, effective{2, Whole{Lengths: []int64{next}}})
		if from <= last.From {
			t.Errorf("from %d is not after %d", from, last.From)
		}
		if err := window.ValidateChange(window.Spec{Size: size}, window.Spec{Size: next}, from, now); err != nil {
			t.Error(err)
		}
	})
}
