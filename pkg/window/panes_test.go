package window

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// drawSpec draws small windows of every shape: tumbling, hopping, with hops that do not divide the size.
func drawSpec(t *rapid.T) Spec {
	size := rapid.Int64Range(1, 12).Draw(t, "size")
	spec := Spec{
		Size:     size,
		Hop:      rapid.Int64Range(0, size).Draw(t, "hop"),
		Lateness: rapid.Int64Range(0, 20).Draw(t, "lateness"),
		Carry:    rapid.Bool().Draw(t, "carry"),
	}
	each := (size + spec.hop() - 1) / spec.hop()
	spec.MaxOpen = int(each + rapid.Int64Range(0, 8).Draw(t, "spare"))
	if err := spec.Validate(); err != nil {
		t.Fatal(err)
	}
	return spec
}

// rig runs Panes and model side by side.
type rig struct {
	t         *rapid.T
	panes     Panes[tally]
	pool      *Pool[tally]
	model     *model
	watermark int64 // judges lateness; never decreases
	through   int64 // final through; never decreases
	at        int64 // event time of the last record
	last      map[Bounds]uint64
	accepted  uint64
	lastID    uint64
}

// accept gives a record to both; now and then the watermark has moved without an Advance.
func (r *rig) accept() {
	r.watermark += max(0, rapid.Int64Range(-20, 20).Draw(r.t, "drift"))
	if !rapid.Bool().Draw(r.t, "same time") {
		r.at = r.watermark + rapid.Int64Range(-30, 30).Draw(r.t, "at")
	}
	at := r.at
	r.lastID++
	acc, ok := r.panes.Accept(&r.model.spec, at, r.watermark, r.pool)
	if want := r.model.accept(at, r.lastID, r.watermark); ok != want {
		r.t.Fatalf("Accept(%d) at watermark %d: %v, want %v", at, r.watermark, ok, want)
	}
	if ok {
		acc.add(r.lastID)
		r.accepted++
	}
}

// advance closes windows by a watermark that may run ahead of the one that judges records, and fall back again, as a
// device's does when it wakes up.
func (r *rig) advance() {
	r.watermark += rapid.Int64Range(0, 8).Draw(r.t, "moved")
	r.through = max(r.through, r.watermark+rapid.Int64Range(-40, 10).Draw(r.t, "through"))
	ahead := max(0, rapid.Int64Range(-10, 20).Draw(r.t, "ahead"))
	r.settle(r.watermark+ahead, r.through)
}

func (r *rig) settle(watermark, through int64) {
	var got []string
	r.panes.Advance(&r.model.spec, watermark, through, r.pool, func(v Revision[tally]) {
		got = append(got, describe(v.Bounds, v.Timing, v.State.Revision, v.Acc, v.Before))
		r.last[v.Bounds] = v.Acc.n
		if v.State.Revision > 1 && v.State.FirstN != uint64(v.Start)+1 {
			r.t.Fatalf("%v has lost the caller's state: %+v", v.Bounds, *v.State)
		}
		v.State.FirstN, v.State.Emitted = uint64(v.Start)+1, v.Acc.n
	})
	if want := r.model.advance(watermark, through); !slices.Equal(got, want) {
		r.t.Fatalf("Advance(%d, %d):\n got %q\nwant %q", watermark, through, got, want)
	}
}

// restart replaces the panes with what a checkpoint gives back.
func (r *rig) restart() {
	b := r.panes.AppendBinary([]byte("front"), appendTally)
	var back Panes[tally]
	rest, err := back.Decode(append(b[5:], "rest"...), r.pool, decodeTally)
	if err != nil || string(rest) != "rest" {
		r.t.Fatalf("Decode: rest %q, %v", rest, err)
	}
	if again := back.AppendBinary([]byte("front"), appendTally); !bytes.Equal(again, b) {
		r.t.Fatalf("state changed by a round trip:\n%x\n%x", b, again)
	}
	r.panes.Release(r.pool)
	r.panes = back
}

// check compares what Panes says about itself with the model.
func (r *rig) check() {
	p, m := &r.panes, r.model
	got := fmt.Sprintf("open %d due %d hold %d dirty %v final %d", p.Open(), p.Due(), p.HoldDue(), p.Dirty(), p.FinalEnd())
	want := fmt.Sprintf("open %d due %d hold %d dirty %v final %d", len(m.open), m.due(), m.holdDue(), m.dirty(), m.finalEnd)
	if got != want {
		r.t.Fatalf("\n got %s\nwant %s", got, want)
	}
	var windows []Bounds
	for b := range p.Each(&m.spec) {
		windows = append(windows, b)
	}
	if !slices.Equal(windows, m.sorted()) {
		r.t.Fatalf("open windows %v, want %v", windows, m.sorted())
	}
	for b, acc := range p.Slices(&m.spec) {
		if got, want := acc.String(), m.within(b).String(); got != want {
			r.t.Fatalf("slice %v holds %s, want %s", b, got, want)
		}
	}
}

// Whatever the order of records, watermarks and restarts, Panes does what the naive model does; and for tumbling windows
// the last revisions add up to the records accepted: nothing lost, nothing doubled.
func TestPanesEqualModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec := drawSpec(t)
		r := &rig{t: t, pool: NewPool[tally](10), model: newModel(spec), last: map[Bounds]uint64{}}
		r.through = never
		t.Repeat(map[string]func(*rapid.T){
			"accept":  func(*rapid.T) { r.accept() },
			"burst":   func(*rapid.T) { r.accept(); r.accept(); r.accept() },
			"advance": func(*rapid.T) { r.advance() },
			"restart": func(*rapid.T) { r.restart() },
			"":        func(*rapid.T) { r.check() },
		})
		r.settle(forever, forever)
		if r.panes.Open() != 0 || len(r.panes.slices) != 0 {
			t.Fatalf("%d windows and %d slices are still open at the end of time", r.panes.Open(), len(r.panes.slices))
		}
		if spec.hop() == spec.Size && sum(r.last) != r.accepted {
			t.Fatalf("last revisions hold %d records, %d were accepted", sum(r.last), r.accepted)
		}
	})
}

func sum(counts map[Bounds]uint64) (total uint64) {
	for _, n := range counts {
		total += n
	}
	return total
}

// A window's final value does not depend on the order, repetition (filtered by identity, as upstream does) and delay in
// which its records arrive, as long as they come within disorder and allowed lateness; nor on when Advance is called.
func TestAnyOrderGivesTheSameWindows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec := drawSpec(t)
		spec.MaxOpen = 1000
		disorder := rapid.Int64Range(1, 10).Draw(t, "disorder")
		records := drawRecords(t)
		want := naiveWindows(spec, records)
		arrivals := delayed(t, records, disorder+spec.Lateness-1)
		got := foldArrivals(t, spec, disorder, arrivals)
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("\n got %v\nwant %v", got, want)
		}
	})
}

// drawRecords draws event times in order, some equal, with gaps.
func drawRecords(t *rapid.T) []record {
	gaps := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) int64 {
		return max(0, rapid.Int64Range(-3, 3).Draw(t, "step")) + 40*(rapid.Int64Range(0, 20).Draw(t, "gap")/20)
	}), 1, 60).Draw(t, "gaps")
	records := make([]record, len(gaps))
	at := rapid.Int64Range(-50, 50).Draw(t, "begin")
	for i, gap := range gaps {
		at += gap
		records[i] = record{at, uint64(i + 1)}
	}
	return records
}

// delayed puts records into an order in which each is at most delay behind the newest before it, and repeats some.
func delayed(t *rapid.T, records []record, delay int64) []record {
	type arrival struct {
		record
		when int64
	}
	var arrivals []arrival
	for _, r := range records {
		for range rapid.IntRange(1, 2).Draw(t, "times") {
			arrivals = append(arrivals, arrival{r, r.t + rapid.Int64Range(0, delay).Draw(t, "delay")})
		}
	}
	slices.SortStableFunc(arrivals, func(a, b arrival) int { return int(a.when - b.when) })
	out := make([]record, len(arrivals))
	for i, a := range arrivals {
		out[i] = a.record
	}
	return out
}

// naiveWindows groups records by every window that holds them.
func naiveWindows(spec Spec, records []record) map[Bounds]string {
	m := newModel(spec)
	m.records = records
	windows := map[Bounds]string{}
	for _, r := range records {
		for _, b := range m.holding(r.t) {
			windows[b] = m.within(b).String()
		}
	}
	return windows
}

// foldArrivals runs one device through Sources and Panes, with Advance now and then, and gives the last revisions.
func foldArrivals(t *rapid.T, spec Spec, disorder int64, arrivals []record) map[Bounds]string {
	sources := NewSources(Config{Disorder: disorder})
	id := sources.Add(0)
	pool := NewPool[tally](100)
	var panes Panes[tally]
	last, seen := map[Bounds]string{}, map[uint64]bool{}
	advance := func(watermark int64) {
		panes.Advance(&spec, watermark, never, pool, func(v Revision[tally]) { last[v.Bounds] = v.Acc.String() })
	}
	for _, r := range arrivals {
		if seen[r.id] {
			continue
		}
		seen[r.id] = true
		sources.Observe(id, r.t, 0)
		acc, ok := panes.Accept(&spec, r.t, sources.DataWatermark(id), pool)
		if !ok {
			t.Fatalf("record %d at %d is late at watermark %d", r.id, r.t, sources.DataWatermark(id))
		}
		acc.add(r.id)
		if rapid.IntRange(0, 3).Draw(t, "advance") == 0 {
			advance(sources.DataWatermark(id))
		}
	}
	advance(forever)
	return last
}

// Steady state does not allocate: windows open, fill, close and open again from the pool.
func TestSteadyStateDoesNotAllocate(t *testing.T) {
	f := func(name string, spec Spec) {
		t.Helper()
		pool := NewPool[tally](64)
		var panes Panes[tally]
		var out uint64
		emit := func(v Revision[tally]) { out += v.Acc.n }
		now := int64(0)
		window := func() {
			for range 50 {
				now += spec.Size / 25
				acc, _ := panes.Accept(&spec, now, now-1, pool)
				acc.n++
			}
			panes.Advance(&spec, now-1, now-1-spec.Lateness, pool, emit)
		}
		for range 10 {
			window()
		}
		if n := testing.AllocsPerRun(100, window); n != 0 || out == 0 {
			t.Errorf("%s: %v allocations for two windows, %d records out", name, n, out)
		}
	}
	f("tumbling", Spec{Size: 1000, Lateness: 5000})
	f("hopping", Spec{Size: 1000, Hop: 250, Lateness: 2000})
}

// Times that windows are not made for are late instead of wrapping around.
func TestTimesOutsideAreLate(t *testing.T) {
	spec := Spec{Size: longest, Lateness: longest}
	pool := NewPool[tally](1)
	f := func(at int64, want bool) {
		t.Helper()
		var panes Panes[tally]
		if _, ok := panes.Accept(&spec, at, never, pool); ok != want {
			t.Errorf("Accept(%d) = %v", at, ok)
		}
		panes.Advance(&spec, forever, forever, pool, func(v Revision[tally]) {
			if !v.Contains(at) {
				t.Errorf("%d came out in %v", at, v.Bounds)
			}
		})
		if panes.Open() != 0 {
			t.Errorf("%d is in a window that never closes", at)
		}
	}
	f(never, false)
	f(-span-1, false)
	f(-span, true)
	f(0, true)
	f(span-1, true)
	f(span, false)
	f(forever, false)
}
