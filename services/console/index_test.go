package console

import (
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"weir/schemas"
)

// drawStream is an outbox of a few producers: revisions out of the order of time, runs of several entries, epochs that
// start over, views with windows of very different lengths, some too late.
func drawStream(t *rapid.T) []*schemas.Commit {
	type state struct {
		epoch     byte
		n, first  uint64
		through   int64
		parts     map[string]uint64 // first_n
		revisions map[string]uint32
		inRun     bool
	}
	states := map[string]*state{}
	var out []*schemas.Commit
	for range rapid.IntRange(1, 60).Draw(t, "entries") {
		name := rapid.SampledFrom([]string{"r0/0", "r0/1", "r0/2"}).Draw(t, "producer")
		s := states[name]
		if s == nil || !s.inRun && rapid.IntRange(0, 9).Draw(t, "epoch") == 0 {
			next := &state{parts: map[string]uint64{}, revisions: map[string]uint32{}, through: math.MinInt64}
			if s != nil {
				next.epoch = s.epoch + 1
			}
			states[name], s = next, next
		}
		s.n++
		if !s.inRun {
			s.first = s.n
		}
		c := entry(name, s.n)
		c.Epoch, c.RunFirst, c.End = schemas.Epoch{s.epoch}, s.first, rapid.IntRange(0, 3).Draw(t, "end") > 0
		s.inRun = !c.End
		for range rapid.IntRange(0, 3).Draw(t, "windows") {
			view := rapid.SampledFrom([]string{"device", "day", schemas.LateView("device")}).Draw(t, "view")
			size := map[string]int64{"device": 10, "day": 24 * 3600}[view] * second
			if size == 0 {
				size = 3600 * second
			}
			w := window(view, deviceDims, []string{"a", "d", "temp"}, rapid.Int64Range(0, 50).Draw(t, "at")*size, 1, schemas.OnTime, float64(len(out)))
			w.End = w.Start + size
			id := fmt.Sprint(view, w.Start)
			if s.parts[id] == 0 {
				s.parts[id] = s.n
			}
			s.revisions[id]++
			w.Contributor, w.Epoch, w.FirstN, w.Revision = name, c.Epoch, s.parts[id], s.revisions[id]
			if rapid.IntRange(0, 4).Draw(t, "kind") == 0 {
				w.Timing = schemas.FinalTiming
			}
			c.Local = append(c.Local, w)
		}
		if c.End {
			s.through = max(s.through, rapid.Int64Range(0, 1000).Draw(t, "through")*second)
			c.Views = []schemas.Progress{{View: "device", FinalThrough: s.through}, {View: "day", FinalThrough: s.through}}
		}
		out = append(out, &c)
	}
	return out
}

// TestIndexFindsAll: whatever is in the outbox, however the index was made, and however coarse it is, its slices
// hold the answer that reading everything gives, each window once and in order, and as final as it is.
func TestIndexFindsAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		stream := drawStream(t)
		removed := rapid.IntRange(0, len(stream)).Draw(t, "removed") / 3
		last := uint64(len(stream))
		x := newIndex(last + 1)
		for x.from > 1 { // back in several steps
			earlier := newIndex(uint64(rapid.IntRange(1, int(x.from)-1).Draw(t, "from")))
			earlier.most, earlier.apart = rapid.IntRange(1, 60).Draw(t, "most"), uint64(rapid.IntRange(1, 5).Draw(t, "apart"))
			for ; earlier.to < x.from; earlier.to++ {
				earlier.add(earlier.to, stream[earlier.to-1])
			}
			earlier.join(x)
			x = earlier
		}
		x.cut(uint64(removed) + 1)
		q := Query{
			Late: rapid.Bool().Draw(t, "late"), View: rapid.SampledFrom([]string{"", "device"}).Draw(t, "view"),
			From: rapid.Int64Range(-10, 700).Draw(t, "from") * second, To: rapid.SampledFrom([]int64{100 * second, 600 * second, math.MaxInt64}).Draw(t, "to"),
		}
		there := false
		whole := newWindows(func(w *schemas.Window) bool { return there && q.wants(w) }, followerRoom)
		for i, c := range stream {
			there = i >= removed
			if err := whole.apply(c); err != nil {
				t.Fatal(err)
			}
		}
		var want, got []string
		say := func(s *windows, id windowID) string {
			w := s.merged(id)
			return fmt.Sprint(id.view, id.start, w.Revisions, w.Sum, w.Timing)
		}
		for _, id := range whole.all() {
			want = append(want, say(whole, id))
		}
		after := int64(math.MinInt64)
		for _, s := range x.slices(&q, rapid.IntRange(1, 20).Draw(t, "revisions")) {
			if s.after != after {
				t.Fatalf("a slice from %d behind one to %d", s.after, after)
			}
			after = s.through
			set := newWindows(func(w *schemas.Window) bool { return w.End > s.after && w.End <= s.through && q.wants(w) }, questionRoom)
			for _, p := range s.spans {
				for seq := max(p.first, uint64(removed)+1); seq <= p.last; seq++ {
					if err := set.apply(stream[seq-1]); err != nil {
						t.Fatal(err)
					}
				}
			}
			set.settle(x.finals)
			for _, id := range set.all() {
				got = append(got, say(set, id))
			}
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Fatalf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
}

// TestIndexStaysSmall: a year of windows, and then ones of any time in any order, stay within the bound.
func TestIndexStaysSmall(t *testing.T) {
	x := newIndex(1)
	x.most = 100
	for n := range uint64(20_000) {
		at := int64(n) * 1600 * second
		if n > 10_000 {
			at = int64(n*7919%10_000) * 1600 * second
		}
		c := entry("r0/0", n+1, window("device", deviceDims, []string{"a", "d", "temp"}, at, 1, schemas.OnTime, 1))
		x.add(1+n*1000, &c)
		spans := 0
		for _, t := range x.tracks {
			for _, s := range t.slots {
				spans += len(s.spans)
			}
		}
		if spans > x.most || spans != x.spans {
			t.Fatalf("after %d entries %d spans, counted as %d; want at most %d", n+1, spans, x.spans, x.most)
		}
	}
}

// TestAmendedLongAfter: a revision that comes long after its window is in the answer to a narrow question, which was
// asked before, and does not make that question read what lies between.
func TestAmendedLongAfter(t *testing.T) {
	r := newRig(t)
	out := schemas.GatewayOutbox("r0", 0, schemas.KindCommit)
	w := func(start int64, revision uint32, values ...float64) schemas.Window {
		return window("device", deviceDims, []string{"a", "d", "temp"}, start, revision, schemas.LateTiming, values...)
	}
	first := r.now - 7200*second
	r.commit(out, entry("r0/0", 1, w(first, 1, 1)))
	for n := uint64(2); n < 700; n++ {
		r.commit(out, entry("r0/0", n, w(first+int64(n)*10*second, 1, 2)))
	}
	path := fmt.Sprintf("/api/v1/windows?view=device&from=%d&to=%d", first, first+10*second)
	if rows := r.rows(path); len(rows) != 1 || rows[0].Sum != 1 {
		t.Fatalf("before: %+v", rows)
	}
	r.commit(out, entry("r0/0", 700, w(first, 2, 1, 4)))
	if rows := r.rows(path); len(rows) != 1 || rows[0].Sum != 5 {
		t.Fatalf("after: %+v", rows)
	}
	v := r.service.catalog.volumes[schemas.StreamRegionOutbox]
	found, err := v.look(t.Context(), &Query{Tier: schemas.TierRegion, View: "device", From: first, To: first + 10*second})
	if err != nil {
		t.Fatal(err)
	}
	read := uint64(0)
	for _, s := range found.slices {
		for _, p := range s.spans {
			read += p.last - p.first + 1
		}
	}
	if read > 200 {
		t.Errorf("the question reads %d of 700 messages: %+v", read, found.slices)
	}
}

// TestAnotherStream: a server that has lost the end of its store, and writes other messages in its place, or has
// another stream of the same name, is not asked by what was there before.
func TestAnotherStream(t *testing.T) {
	r := newRig(t)
	out := schemas.GatewayOutbox("r0", 0, schemas.KindCommit)
	w := func(n uint64, start int64) schemas.Commit {
		return entry("r0/0", n, window("device", deviceDims, []string{"a", "d", "temp"}, start, 1, schemas.OnTime, float64(n)))
	}
	for n := uint64(1); n <= 3; n++ {
		r.commit(out, w(n, r.now-int64(n)*10*second))
	}
	if rows := r.rows("/api/v1/windows?view=device"); len(rows) != 3 {
		t.Fatalf("%+v", rows)
	}
	v := r.service.catalog.volumes[schemas.StreamRegionOutbox]
	before := v.index
	r.bus.Halt()
	if err := r.bus.Resume(); err != nil {
		t.Fatal(err)
	}
	status, body := r.get("/api/v1/windows?view=device")
	deadline := time.Now().Add(time.Minute)
	for again := time.Tick(10 * time.Millisecond); status != http.StatusOK && time.Now().Before(deadline); <-again { // the connection comes back
		status, body = r.get("/api/v1/windows?view=device")
	}
	if rows := strings.Count(body, "\n"); rows != 3 || v.index == before {
		t.Errorf("after a restart of the server %d %s; the index is kept: %v", status, body, v.index == before)
	}
	before = v.index
	if err := r.bus.Compact(t.Context(), schemas.StreamRegionOutbox, 3); err != nil {
		t.Fatal(err)
	}
	if rows := r.rows("/api/v1/windows?view=device"); len(rows) != 1 || v.index != before || v.index.from != 3 {
		t.Errorf("after a removal %+v, index from %d, kept: %v", rows, v.index.from, v.index == before)
	}
}
