package window

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

// meters is the accumulator of a view over several counters.
type meters struct{ Counters }

func (a *meters) Merge(from *meters)   { a.Counters.Merge(&from.Counters) }
func (a *meters) Succeed(from *meters) { a.Counters.Succeed(&from.Counters) }

func appendMeters(b []byte, a *meters) []byte { return a.AppendBinary(b) }

func decodeMeters(a *meters, b []byte) ([]byte, error) { return a.Decode(b) }

// Through Panes, in any order within the permitted delay: each window holds the sum of the naive increases of all
// series, whatever gaps each of them has, and over a round trip of the state.
func TestCountersWindowsEqualDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec := drawSpec(t)
		spec.Carry, spec.MaxOpen = true, 1000
		disorder := rapid.Int64Range(1, 10).Draw(t, "disorder")
		of, values := map[uint64]uint64{}, map[uint64]float64{}
		readings := map[uint64][]reading{}
		records := drawRecords(t)
		for _, r := range records {
			series := rapid.Uint64Range(0, 3).Draw(t, "series") << 40
			of[r.id], values[r.id] = series, float64(rapid.IntRange(0, 6).Draw(t, "value"))
			readings[series] = append(readings[series], reading{r.t, values[r.id], r.id})
		}
		arrivals := delayed(t, records, disorder+spec.Lateness-1)
		for b, got := range foldMeters(t, spec, disorder, arrivals, of, values) {
			want := 0.0
			for _, all := range readings {
				one, _ := naiveIncrease(all, b)
				want += one
			}
			if got != want {
				t.Fatalf("window %v: increase %v, want %v", b, got, want)
			}
		}
	})
}

// foldMeters gives the increases in the last revisions.
func foldMeters(t *rapid.T, spec Spec, disorder int64, arrivals []record, of map[uint64]uint64, values map[uint64]float64) map[Bounds]float64 {
	pool := NewPool[meters](100)
	var panes Panes[meters]
	last, seen, newest := map[Bounds]float64{}, map[uint64]bool{}, int64(never)
	emit := func(v Revision[meters]) {
		var before *Counters
		if v.Before != nil {
			before = &v.Before.Counters
		}
		sum := 0.0
		for _, up := range v.Acc.Increases(before) {
			sum += up
		}
		last[v.Bounds] = sum
	}
	for _, r := range arrivals {
		newest = max(newest, r.t)
		acc, ok := panes.Accept(&spec, r.t, newest-disorder, pool)
		if !ok {
			t.Fatalf("record at %d is late", r.t)
		}
		if !seen[r.id] {
			seen[r.id] = true
			acc.Of(of[r.id]).Add(r.t, values[r.id], r.id, newest-disorder)
			panes.Follow(&spec, r.t, func(a *meters) bool { return a.Has(of[r.id]) })
		}
		switch rapid.IntRange(0, 6).Draw(t, "advance") {
		case 0, 1:
			panes.Advance(&spec, newest-disorder, newest-disorder, never, pool, emit)
		case 2:
			state := panes.AppendBinary(nil, appendMeters)
			if _, err := panes.Decode(state, pool, decodeMeters); err != nil {
				t.Fatal(err)
			}
			if again := panes.AppendBinary(nil, appendMeters); !bytes.Equal(state, again) {
				t.Fatalf("state changed by a round trip:\n%x\n%x", state, again)
			}
		}
	}
	panes.Advance(&spec, forever, forever, never, pool, emit)
	return last
}

// A late sample changes the window of the counter's next one, though windows without the counter lie between.
func TestFollowFindsTheNextSample(t *testing.T) {
	spec := Spec{Size: 10, Lateness: 100, Carry: true}
	pool := NewPool[meters](4)
	var p Panes[meters]
	add := func(series uint64, at int64, value float64, watermark int64) {
		acc, ok := p.Accept(&spec, at, watermark, pool)
		if !ok {
			t.Fatal(at)
		}
		acc.Of(series).Add(at, value, uint64(at), watermark)
		p.Follow(&spec, at, func(a *meters) bool { return a.Has(series) })
	}
	add(1, 5, 100, 0)
	add(2, 15, 1, 0)
	add(2, 25, 2, 0)
	add(1, 35, 110, 0)
	var out []int64
	advance := func() {
		out = nil
		p.Advance(&spec, 50, 50, never, pool, func(r Revision[meters]) { out = append(out, r.Start) })
	}
	if advance(); len(out) != 4 {
		t.Fatalf("windows %v came out", out)
	}
	add(1, 8, 3, 50) // a reset that nobody had seen
	if advance(); len(out) != 3 || out[0] != 0 || out[1] != 10 || out[2] != 30 {
		t.Errorf("after a late sample windows %v came out again, want those from 0, 10 (the next) and 30 (the next sample)", out)
	}
}
