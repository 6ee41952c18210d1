package sketch

import (
	"maps"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// content returns b as a map.
func content(b *bins) map[int32]uint64 {
	m := map[int32]uint64{}
	for i, key := range b.keys {
		m[key] = b.at(i)
	}
	return m
}

// drawBins draws bins and a plain map of the same content. Counts cross 32 bits now and then.
func drawBins(t *rapid.T, name string) (*bins, map[int32]uint64) {
	b, m := new(bins), map[int32]uint64{}
	keys := rapid.SliceOfN(rapid.Int32Range(-40, 40), 0, 60).Draw(t, name+" keys")
	for _, key := range keys {
		n := rapid.SampledFrom([]uint64{1, 2, 1000, math.MaxUint32 - 1, math.MaxUint32, 1 << 32, 1 << 40}).Draw(t, name+" n")
		b.add(key, n)
		m[key] += n
	}
	return b, m
}

func checkBins(t *rapid.T, what string, b *bins, want map[int32]uint64) {
	if !slices.IsSorted(b.keys) || len(b.keys) != len(b.lows) || len(b.keys) != len(content(b)) {
		t.Fatalf("%s: keys %v with %d counts are not strictly ascending", what, b.keys, len(b.lows))
	}
	if got := content(b); !maps.Equal(got, want) {
		t.Fatalf("%s: %v, want %v", what, got, want)
	}
}

func drawRegrouping(t *rapid.T) regrouping {
	return regrouping{zero: rapid.Int32Range(0, 20).Draw(t, "zero"), drop: uint8(rapid.IntRange(0, 3).Draw(t, "drop"))}
}

// TestBinsAreAMap holds bins against a plain map: adding, regrouping, merging, the size of a union.
func TestBinsAreAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, wantA := drawBins(t, "a")
		b, wantB := drawBins(t, "b")
		checkBins(t, "added", a, wantA)

		r := drawRegrouping(t)
		union := maps.Clone(wantA)
		for key, n := range wantB {
			union[r.of(key)] += n
		}
		if got := a.union(b, r); got != len(union) {
			t.Fatalf("union of %d bins, want %d", got, len(union))
		}
		a.merge(b, r, len(union))
		checkBins(t, "merged", a, union)
		checkBins(t, "merged from", b, wantB)

		grouped := map[int32]uint64{}
		for key, n := range union {
			grouped[r.of(key)] += n
		}
		a.regroup(r)
		checkBins(t, "regrouped", a, grouped)

		a.merge(a, regrouping{}, len(a.keys))
		for key := range grouped {
			grouped[key] *= 2
		}
		checkBins(t, "merged with itself", a, grouped)
	})
}

func TestRegroupingKeepsOrder(t *testing.T) {
	r := regrouping{zero: 7, drop: 2}
	for key := int32(-100); key < 100; key++ {
		if r.of(key) > r.of(key+1) || r.of(-key) != -r.of(key) {
			t.Fatalf("keys %d, %d become %d, %d", key, key+1, r.of(key), r.of(key+1))
		}
	}
}

func TestBinsRefuseOneTooMany(t *testing.T) {
	var b bins
	for key := range int32(MaxBins) {
		if !b.add(2*key, 1) {
			t.Fatalf("bin %d refused", key)
		}
	}
	if b.add(1, 1) {
		t.Error("one bin more than MaxBins")
	}
	if !b.add(2, 1) || b.at(1) != 2 {
		t.Error("an occupied bin must always count")
	}
}

func TestRoomIsTight(t *testing.T) {
	for n := 1; n <= MaxBins; n++ {
		if room := roomFor(n); room < n || room > MaxBins || room > n+max(7, n/8) {
			t.Errorf("room for %d bins: %d", n, room)
		}
	}
}
