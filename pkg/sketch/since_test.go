package sketch

import (
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

// What came since has the buckets of the values that came since, whatever the scales.
func TestSince(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := func(label string) []float64 {
			return rapid.SliceOfN(rapid.Float64Range(-1e6, 1e6), 0, 40).Draw(t, label)
		}
		var s, more Sketch
		for _, v := range values("before") {
			s.Add(v)
		}
		var older Sketch
		older.CopyFrom(&s)
		for _, v := range values("since") {
			s.Add(v)
			more.Add(v)
		}
		if rapid.Bool().Draw(t, "coarser") {
			s.Downscale(s.Scale() - 2)
		}
		got, err := s.Since(&older)
		if err != nil {
			t.Fatal(err)
		}
		g, want := got.Native(), more.alike(&s).Native()
		if diff := g.Sum - want.Sum; diff > 1e-3 || diff < -1e-3 {
			t.Fatalf("sum %v, want %v", g.Sum, want.Sum)
		}
		if g.Sum = want.Sum; !reflect.DeepEqual(g, want) {
			t.Fatalf("got %+v, want %+v", g, want)
		}
		if s.Count() > older.Count() {
			if _, err := older.Since(&s); err == nil {
				t.Fatal("less after more")
			}
		}
	})
}
