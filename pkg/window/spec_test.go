package window

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestAssign(t *testing.T) {
	f := func(s Spec, at int64, want ...Bounds) {
		t.Helper()
		if got := slices.Collect(s.Assign(at)); !slices.Equal(got, want) {
			t.Errorf("%+v holds %d in %v, want %v", s, at, got, want)
		}
	}
	tumbling, hopping, odd := Spec{Size: 10}, Spec{Size: 10, Hop: 5}, Spec{Size: 15, Hop: 10}
	f(tumbling, 0, Bounds{0, 10})
	f(tumbling, 9, Bounds{0, 10})
	f(tumbling, 10, Bounds{10, 20})
	f(tumbling, -1, Bounds{-10, 0})
	f(tumbling, -10, Bounds{-10, 0})
	f(tumbling, -11, Bounds{-20, -10})
	f(hopping, 0, Bounds{-5, 5}, Bounds{0, 10})
	f(hopping, 7, Bounds{0, 10}, Bounds{5, 15})
	f(hopping, -1, Bounds{-10, 0}, Bounds{-5, 5})
	f(odd, 12, Bounds{0, 15}, Bounds{10, 25})
	f(odd, 17, Bounds{10, 25})
	f(tumbling, never)
	f(tumbling, span)
}

// Assign gives exactly the windows that begin at a multiple of the hop and hold t, and each is a whole number of
// slices, one of which holds t.
func TestAssignAndSlicesEqualDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec := drawSpec(t)
		at := rapid.Int64Range(-1000, 1000).Draw(t, "at")
		got := slices.Collect(spec.Assign(at))
		if want := newModel(spec).holding(at); !slices.Equal(got, want) {
			t.Fatalf("%+v holds %d in %v, want %v", spec, at, got, want)
		}
		slice := spec.SliceOf(at)
		for _, b := range got {
			whole := b.Size()%slice.Size() == 0 && (slice.Start-b.Start)%slice.Size() == 0
			if !whole || slice.Start < b.Start || slice.End > b.End || !slice.Contains(at) {
				t.Fatalf("slice %v of %d does not fit into window %v", slice, at, b)
			}
		}
	})
}

func TestSpecValidate(t *testing.T) {
	f := func(s Spec, want string) {
		t.Helper()
		if err := s.Validate(); fmt.Sprint(err) != want {
			t.Errorf("%+v: %v, want %s", s, err, want)
		}
	}
	f(Spec{Size: 10e9}, "<nil>")
	f(Spec{Size: 60e9, Hop: 10e9, Lateness: 60e9, MaxOpen: 6}, "<nil>")
	f(Spec{}, "window size 0s: use 1ns to 36 years")
	f(Spec{Size: 1e9, Hop: 2e9, Lateness: -1, MaxOpen: -1}, "window hop 2s: use at most the size 1s, or 0 for tumbling windows\n"+
		"allowed lateness -1ns: use 0 to 36 years\n"+
		"open windows -1: use a positive number, or 0 for 32")
	f(Spec{Size: 60e9, Hop: 1e9}, "each record is in 60 windows, and 32 may be open: use a longer hop than 1s")
	f(Spec{Size: 10e9, Hop: 10e9 - 1}, "size 10s and hop 9.999999999s share slices of 1ns only: use a size with a larger common divisor")
}

func TestBoundsString(t *testing.T) {
	b := Bounds{1763760000_000000000, 1763760010_500000000}
	if got, want := b.String(), "[2025-11-21T21:20:00Z,2025-11-21T21:20:10.5Z)"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
