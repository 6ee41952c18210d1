package aggregator

import (
	"testing"

	"weir/pkg/sketch"
	"weir/pkg/window"
	"weir/schemas"
)

// counterSettings add a counter view of 10 s to the defaults.
func counterSettings([]byte) (*Settings, error) {
	s := DefaultSettings()
	s.Views = append(s.Views, View{
		Name: "energy", Dims: []string{"device", "metric"}, Counter: true, Uplink: schemas.TierRegion,
		Spec: window.Spec{Size: 10e9, Lateness: 60e9}, Sketch: sketch.DefaultConfig(),
	})
	return s, nil
}

// TestCounterViewHoldsTheIncrease: the windows of a counter view add up to what
// the counter went up by, over a reset, out of order, and over a checkpoint.
func TestCounterViewHoldsTheIncrease(t *testing.T) {
	s := &script{}
	start := int64(1_760_000_000_000 * ms)
	s.b.Frame().Config = &schemas.Config{Revision: 1, From: -1 << 63, Document: []byte("{}")}
	s.cut(start)
	// 100 → 130 in 30 s, a reset to 0, then 0 → 20: an increase of 29 + 20.
	for i := range 50 {
		v := float64(100 + i)
		if i >= 30 {
			v = float64(i - 30)
		}
		at := start + int64(i)*1000*ms
		if i%2 == 0 { // every other reading comes after the next one
			at += 1000 * ms
			v++
			if i == 28 {
				v = 129
			}
		} else {
			at -= 1000 * ms
			v--
		}
		s.reading("meter", uint64(i), at, start+int64(i)*1000*ms, schemas.Value{Metric: "kwh", Value: v})
		s.cut(start + int64(i)*1000*ms)
	}
	for i := range 60 {
		s.cut(start + 50_000*ms + int64(i)*2000*ms)
	}
	for _, cut := range []int{0, 20, 45} {
		f, at := NewFold("a001", counterSettings), &position{}
		commits := play(t, f, s.frames[:cut], 0, at)
		g := NewFold("a001", counterSettings)
		if err := g.Restore(f.Append(nil)); err != nil {
			t.Fatal(err)
		}
		commits = append(commits, play(t, g, s.frames, cut, at)...)
		if sum, n := increaseIn(t, commits); sum != 29+19 || n != 50 {
			t.Errorf("checkpoint after %d: increase %v of %d records, want 48 of 50", cut, sum, n)
		}
	}
}

func increaseIn(t *testing.T, commits [][]byte) (sum float64, n uint64) {
	t.Helper()
	latest := map[[2]int64]schemas.Window{}
	for _, b := range commits {
		c, err := new(schemas.CommitDecoder).Decode(b, schemas.WithWindows)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range c.Windows {
			if w.View == "energy" {
				latest[[2]int64{w.Start, int64(w.FirstN)}] = w
			}
		}
	}
	for _, w := range latest {
		sum += w.Sum
		n += w.Count
	}
	return sum, n
}
