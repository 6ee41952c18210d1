package aggregator

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

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

// metered counts what all meters of a class, of a site, and of a device went up by.
func metered([]byte) (*Settings, error) {
	s := DefaultSettings()
	for _, dims := range [][]string{{"class", "metric"}, {"attrs.site", "metric"}, {"device"}} {
		s.Views = append(s.Views, View{
			Name: "by " + dims[0], Dims: dims, Counter: true, Uplink: schemas.TierCenter,
			Spec: window.Spec{Size: 10e9, Lateness: 60e9}, Sketch: sketch.DefaultConfig(),
		})
	}
	return s, nil
}

// told is one reading of a counter.
type told struct {
	counter string // device, metric and attributes
	device  string
	site    string
	at      int64
	value   float64
	id      uint64
}

// meterScript is a journal of meters that send in and out of order, start again at zero and
// pause, and what they said.
func meterScript(t *rapid.T) (*script, []told) {
	s := &script{}
	now := int64(1_760_000_000_000 * ms)
	s.b.Frame().Config = &schemas.Config{Revision: 1, From: -1 << 63, Document: []byte("{}")}
	s.cut(now)
	var all []told
	seq := map[string]uint64{}
	for range rapid.IntRange(5, 80).Draw(t, "frames") {
		now += rapid.SampledFrom([]int64{100, 250, 1000, 9000, 25000}).Draw(t, "step") * ms
		for range rapid.IntRange(0, 5).Draw(t, "readings") {
			one := told{
				device: fmt.Sprintf("m%d", rapid.IntRange(1, 3).Draw(t, "device")),
				site:   rapid.SampledFrom([]string{"", "x", "y"}).Draw(t, "site"),
				at:     now - rapid.Int64Range(0, 400).Draw(t, "back")*ms,
				value:  float64(rapid.IntRange(0, 50).Draw(t, "value")),
			}
			phase := rapid.SampledFrom([]string{"", "l1", "l2"}).Draw(t, "phase") // no view looks at it
			r := schemas.Reading{Boot: "b", Seq: seq[one.device], Numbered: true, EventTime: one.at, IngestTime: now}
			r.Values = []schemas.Value{{Metric: "kwh", Value: one.value}}
			for _, a := range []schemas.Attr{{Key: "phase", Value: phase}, {Key: "site", Value: one.site}} {
				if a.Value != "" {
					r.Attrs = append(r.Attrs, a)
				}
			}
			one.counter = one.device + "/" + phase + "/" + one.site
			one.id = schemas.NumberedIdentity(schemas.SeriesIdentity("acme", one.device, "b", "kwh"), seq[one.device])
			seq[one.device]++
			all = append(all, one)
			s.b.Add("acme", one.device, &r)
			s.b.AddFlow("acme", schemas.Metrics, "", "", 1)
		}
		s.cut(now)
	}
	for range 10 {
		now += 20_000 * ms
		s.cut(now)
	}
	return s, all
}

// increases adds up by hand what each counter went up by, by the key that of gives and the window
// in which each step ends.
func increases(all []told, of func(told) string) map[string]float64 {
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b told) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.id, b.id)) })
	last, up := map[string]float64{}, map[string]float64{}
	for _, r := range all {
		was, known := last[r.counter]
		last[r.counter] = r.value
		step := r.value - was
		switch {
		case !known:
			step = 0
		case step < 0:
			step = r.value
		}
		up[fmt.Sprint(of(r), " ", r.at-r.at%10e9)] += step
	}
	return up
}

// TestCounterViewsAddCounters: a window over several counters holds the sum of what each of them
// went up by, whatever the order, over resets, pauses and a checkpoint; readings of one device that
// differ in any attribute are of different counters.
func TestCounterViewsAddCounters(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s, all := meterScript(rt)
		cut := rapid.IntRange(0, len(s.frames)).Draw(rt, "checkpoint")
		f, at := NewFold("a001", metered), &position{}
		commits := play(t, f, s.frames[:cut], 0, at)
		g, state := NewFold("a001", metered), f.Append(nil)
		if err := g.Restore(state); err != nil {
			rt.Fatal(err)
		}
		if again := g.Append(nil); !bytes.Equal(state, again) {
			rt.Fatal("the restored state is written as other bytes")
		}
		commits = append(commits, play(t, g, s.frames, cut, at)...)
		got := map[string]map[string]float64{"by class": {}, "by attrs.site": {}, "by device": {}}
		for _, w := range newest(t, commits) {
			if view := got[w.View]; view != nil {
				view[fmt.Sprint(w.Key.Values[0], " ", w.Start)] += w.Sum
			}
		}
		for view, of := range map[string]func(told) string{
			"by class":      func(told) string { return "default" },
			"by attrs.site": func(r told) string { return r.site },
			"by device":     func(r told) string { return r.device },
		} {
			for key, want := range increases(all, of) {
				if got[view][key] != want {
					rt.Fatalf("view %s, window %s: went up by %v, want %v", view, key, got[view][key], want)
				}
			}
		}
	})
}
