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
	parts     parts
	accepted  map[Bounds]*tally // by the newest window that holds them
	owed      map[Bounds]bool   // came out when already announced as final: a Final must follow
	lastID    uint64
}

// parts are the last revisions of the parts of each window.
type parts map[Bounds][]tally

// put takes a revision: the first one begins a part, each other one replaces what it says of the last part.
func (p parts) put(v Revision[tally]) {
	if v.State.Revision == 1 {
		p[v.Bounds] = append(p[v.Bounds], tally{})
	}
	last := &p[v.Bounds][len(p[v.Bounds])-1]
	last.n, last.digest = v.Acc.n, v.Acc.digest
}

// sums adds up the parts of each window.
func (p parts) sums() map[Bounds]string {
	sums := map[Bounds]string{}
	for b, all := range p {
		sum := &tally{}
		for i := range all {
			sum.Merge(&all[i])
		}
		sums[b] = sum.String()
	}
	return sums
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
		newest, _ := r.model.spec.place(at)
		if r.accepted[newest] == nil {
			r.accepted[newest] = &tally{}
		}
		r.accepted[newest].add(r.lastID)
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
	r.panes.Advance(&r.model.spec, watermark, r.watermark, through, r.pool, func(v Revision[tally]) {
		got = append(got, describe(v.Bounds, v.Timing, v.State.Revision, v.Acc, v.Before))
		want := State{Revision: v.State.Revision}
		if part := len(r.parts[v.Bounds]); want.Revision > 1 {
			want.FirstN, want.Emitted = uint64(part), r.parts[v.Bounds][part-1].n
		}
		if *v.State != want {
			r.t.Fatalf("%v has the state %+v, want %+v", v.Bounds, *v.State, want)
		}
		r.parts.put(v)
		r.owed[v.Bounds] = v.End <= through && v.Timing != Final
		v.State.FirstN, v.State.Emitted = uint64(len(r.parts[v.Bounds])), v.Acc.n
	})
	if want := r.model.advance(watermark, r.watermark, through); !slices.Equal(got, want) {
		r.t.Fatalf("Advance(%d, %d, %d):\n got %q\nwant %q", watermark, r.watermark, through, got, want)
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
// the last revisions of all parts of a window add up to the records accepted for it: nothing lost, nothing doubled.
func TestPanesEqualModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec := drawSpec(t)
		r := &rig{t: t, pool: NewPool[tally](10), model: newModel(spec), parts: parts{}, accepted: map[Bounds]*tally{}, owed: map[Bounds]bool{}}
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
		if got := r.parts.sums(); spec.hop() == spec.Size && fmt.Sprint(got) != fmt.Sprint(r.accepted) {
			t.Fatalf("the last revisions add up to %v, accepted were %v", got, r.accepted)
		}
		for b, owed := range r.owed {
			if owed {
				t.Fatalf("%v came out after it was announced as final, and no Final followed", b)
			}
		}
	})
}

// Silence decides when windows come out, and nothing else: whatever the records and the pauses between them, what is late
// is late by what the device has sent, and the parts of each window add up to all the rest.
func TestSilenceMakesNothingLate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec := drawSpec(t)
		spec.Hop, spec.Carry, spec.MaxOpen = 0, false, 1000
		sources := NewSources(Config{Disorder: 1, Idle: 1})
		id := sources.Add(0)
		pool := NewPool[tally](100)
		var panes Panes[tally]
		got, want := parts{}, map[Bounds]*tally{}
		now := int64(0)
		for _, r := range delayed(t, drawRecords(t), 40) {
			sources.Observe(id, r.t, now)
			judge := sources.DataWatermark(id)
			window, _ := spec.place(r.t)
			acc, ok := panes.Accept(&spec, r.t, judge, pool)
			if ok != (judge < window.End+spec.Lateness) {
				t.Fatalf("record at %d accepted: %v, at watermark %d", r.t, ok, judge)
			}
			if ok {
				acc.add(r.id)
				if want[window] == nil {
					want[window] = &tally{}
				}
				want[window].add(r.id)
			}
			now += max(0, rapid.Int64Range(-30, 30).Draw(t, "pause"))
			panes.Advance(&spec, sources.Watermark(id, now), judge, never, pool, got.put)
		}
		panes.Advance(&spec, forever, sources.DataWatermark(id), never, pool, got.put)
		if fmt.Sprint(got.sums()) != fmt.Sprint(want) {
			t.Fatalf("the parts add up to %v, accepted were %v", got.sums(), want)
		}
	})
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
		panes.Advance(&spec, watermark, watermark, never, pool, func(v Revision[tally]) { last[v.Bounds] = v.Acc.String() })
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
			panes.Advance(&spec, now-1, now-1, now-1-spec.Lateness, pool, emit)
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
		panes.Advance(&spec, forever, forever, forever, pool, func(v Revision[tally]) {
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
