package parts

import (
	"math"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"weir/pkg/sketch"
	"weir/schemas"
)

// holding is a part of that contributor with these records; times are their
// places.
func holding(contributor string, points ...schemas.Point) schemas.Window {
	w := schemas.Window{
		View: "v", Dims: []string{"class"}, Key: schemas.Key{Tenant: "t", Values: []string{"c"}}, End: 10,
		Contributor: contributor, FirstN: 1, Revision: 1, Timing: schemas.OnTime, Expected: 2, Seen: 1, ClockError: 5,
	}
	var s sketch.Sketch
	for i, p := range points {
		if i == 0 {
			w.First, w.Last = p, p
		}
		if schemas.Before(p.Time, p.ID, w.First.Time, w.First.ID) {
			w.First = p
		}
		if schemas.Before(w.Last.Time, w.Last.ID, p.Time, p.ID) {
			w.Last = p
		}
		s.Add(p.Value)
		w.Digest += p.ID
		w.Exemplars = w.Exemplars.Add(schemas.Exemplar{Time: p.Time, Value: p.Value, TraceID: schemas.TraceID{Trace: [16]byte{byte(p.ID % 16)}, Span: [8]byte{byte(p.ID)}}})
	}
	w.Count, w.Sum, w.Min, w.Max = s.Count(), s.Sum(), s.Min(), s.Max()
	w.Sketch, _ = s.AppendBinary(nil)
	return w
}

func sumOf(windows ...schemas.Window) *Sum {
	s := new(Sum)
	for i := range windows {
		s.Add(&windows[i])
	}
	return s
}

func drawPoints(t *rapid.T, name string) []schemas.Point {
	identity := func(p schemas.Point) uint64 { return p.ID } // no two records have the same
	return rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) schemas.Point {
		return schemas.Point{Time: rapid.Int64Range(0, 9).Draw(t, "time"), Value: float64(rapid.IntRange(-50, 50).Draw(t, "value")), ID: rapid.Uint64().Draw(t, "id")}
	}), 1, 30, identity).Draw(t, name)
}

// TestAnyPartitionIsTheWhole: records dealt to parts in any way, and the parts
// added in any order, are the window that holds all records.
func TestAnyPartitionIsTheWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		points := drawPoints(t, "points")
		want := holding("a", points...)
		var all []schemas.Window
		for from := 0; from < len(points); {
			to := rapid.IntRange(from+1, len(points)).Draw(t, "to")
			all = append(all, holding("a", points[from:to]...))
			from = to
		}
		all = rapid.Permutation(all).Draw(t, "order")
		s := sumOf(all...)
		got, _ := s.Whole(nil)
		got.Expected, got.Seen = want.Expected, want.Seen // these are of devices, not of records
		if !reflect.DeepEqual(got, want) || s.Revisions != uint64(len(all)) {
			t.Fatalf("%d parts, %d revisions:\n got %+v\nwant %+v", len(all), s.Revisions, got, want)
		}
	})
}

// TestOrderOfCompare: parts in the order of Compare give one sum, to the bit,
// though float addition is not associative.
func TestOrderOfCompare(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all []schemas.Window
		for range rapid.IntRange(1, 8).Draw(t, "parts") {
			w := holding("a", schemas.Point{Value: rapid.Float64Range(-1e9, 1e9).Draw(t, "value")})
			w.Contributor = rapid.SampledFrom([]string{"a", "b", "r/0"}).Draw(t, "contributor")
			w.Epoch[0], w.FirstN = rapid.Byte().Draw(t, "epoch"), rapid.Uint64().Draw(t, "first_n")
			if !slices.ContainsFunc(all, func(o schemas.Window) bool { return Compare(&o, &w) == 0 }) {
				all = append(all, w)
			}
		}
		order := func(a, b schemas.Window) int { return Compare(&a, &b) }
		slices.SortFunc(all, order)
		shuffled := rapid.Permutation(all).Draw(t, "order")
		slices.SortFunc(shuffled, order)
		one, _ := sumOf(all...).Whole(nil)
		other, _ := sumOf(shuffled...).Whole([]byte("before"))
		if !reflect.DeepEqual(one, other) {
			t.Fatalf("got  %+v\nwant %+v", other, one)
		}
	})
}

// TestUnknown: what one part does not know, the sum does not know, wherever the
// part stands.
func TestUnknown(t *testing.T) {
	whole := func(name string) schemas.Window { return holding(name, schemas.Point{Value: 4}) }
	for name, change := range map[string]func(w *schemas.Window){
		"nothing":            func(*schemas.Window) {},
		"expected devices":   func(w *schemas.Window) { w.Expected = 0 },
		"the clock error":    func(w *schemas.Window) { w.ClockError = 0 },
		"values":             func(w *schemas.Window) { w.Sketch = nil },
		"values, unreadable": func(w *schemas.Window) { w.Sketch = []byte("\xff") },
	} {
		for at := range 3 {
			all := []schemas.Window{whole("a"), whole("b"), whole("c")}
			change(&all[at])
			s := sumOf(all...)
			w, _ := s.Whole(nil)
			got := [...]bool{w.Expected == 0, w.ClockError == 0, s.Values() == nil, len(w.Sketch) == 0, s.Quantile(0.5) == nil}
			unknown := all[at].Sketch == nil || all[at].Sketch[0] == 0xff
			want := [...]bool{all[at].Expected == 0, all[at].ClockError == 0, unknown, unknown, unknown}
			if got != want || w.Count != 3 || w.Sum != 12 || w.Seen != 3 {
				t.Errorf("part %d does not know %s: unknown in the sum: %v, want %v; %+v", at, name, got, want, w)
			}
		}
	}
}

func TestLeast(t *testing.T) {
	a, b := holding("a", schemas.Point{Value: 1}), holding("b", schemas.Point{Value: 2})
	a.Timing, b.Timing = schemas.FinalTiming, schemas.LateTiming
	a.ClockError, a.ConfigRev, b.ConfigRev = 7, 3, 9
	a.Missing = slices.Repeat([]string{"x"}, schemas.MaxMissing-1)
	b.Missing = []string{"y", "z"}
	s := sumOf(a, b)
	if s.Timing != schemas.LateTiming || s.ClockError != 7 || s.ConfigRev != 9 || len(s.Missing) != schemas.MaxMissing || s.Missing[schemas.MaxMissing-1] != "y" {
		t.Errorf("%+v", s.Window)
	}
	if len(a.Missing) != schemas.MaxMissing-1 || len(b.Missing) != 2 || len(a.Exemplars) != 1 {
		t.Error("adding has changed a part")
	}
}

// TestSumsStayFinite: two devices may send 1.7e308 each, and the commit must
// still be readable.
func TestSumsStayFinite(t *testing.T) {
	big := schemas.Point{Value: 1.7e308}
	if s := sumOf(holding("a", big), holding("b", big)); s.Sum != math.MaxFloat64 {
		t.Errorf("the sum is %v", s.Sum)
	}
	big.Value = -big.Value
	if s := sumOf(holding("a", big), holding("b", big)); s.Sum != -math.MaxFloat64 {
		t.Errorf("the sum is %v", s.Sum)
	}
}
