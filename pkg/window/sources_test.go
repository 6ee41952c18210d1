package window

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// naiveSources is Sources from its definitions, by sorting.
type naiveSources struct {
	Config
	event, seen map[int]int64
	mark, asked map[int64]int64 // by lateness
}

func (n *naiveSources) watermark(id int, now int64) int64 {
	event, ok := n.event[id]
	if !ok {
		return never
	}
	return event - n.Disorder + max(0, now-n.seen[id]-n.Idle)
}

// standing is of a device among those that count.
func (n *naiveSources) standing(id int, counts []int, lateness int64) Standing {
	if !slices.Contains(counts, id) {
		return Idle
	}
	var events []int64
	for _, c := range counts {
		events = append(events, n.event[c])
	}
	slices.Sort(events)
	median := events[(len(events)-1)/2]
	switch {
	case n.event[id] < median-lateness:
		return Behind
	case n.event[id] > median+lateness:
		return Ahead
	}
	return Active
}

// awake lists the devices with a record that are not idle.
func (n *naiveSources) awake(now int64) (ids []int) {
	for id := range n.event {
		if now-n.seen[id] < n.Idle {
			ids = append(ids, id)
		}
	}
	return ids
}

// heardLast lists the devices with a record that were heard last, and when.
func (n *naiveSources) heardLast() (ids []int, seen int64) {
	seen = never
	for id := range n.event {
		seen = max(seen, n.seen[id])
	}
	for id := range n.event {
		if n.seen[id] == seen {
			ids = append(ids, id)
		}
	}
	return ids, seen
}

func (n *naiveSources) low(now, lateness int64) int64 {
	mark, known := n.mark[lateness]
	if !known {
		mark = never
	}
	counts := n.awake(now)
	if len(counts) == 0 && len(n.event) > 0 {
		last, seen := n.heardLast()
		counts = last
		if mark != never {
			mark += now - max(n.asked[lateness], seen+n.Idle)
		}
	}
	least := int64(forever)
	for _, id := range counts {
		if n.standing(id, counts, lateness) == Active {
			least = min(least, n.watermark(id, now))
		}
	}
	if len(counts) > 0 {
		mark = max(mark, least)
	}
	n.mark[lateness], n.asked[lateness] = mark, now
	return mark
}

// Watermarks, standings and the agent watermark follow their definitions, never go back where that is promised, and
// survive checkpoints.
func TestSourcesEqualDefinitions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		config := Config{Disorder: rapid.Int64Range(1, 20).Draw(t, "disorder"), Idle: 20, Grace: 50}
		s := NewSources(config)
		n := &naiveSources{config, map[int]int64{}, map[int]int64{}, map[int64]int64{}, map[int64]int64{}}
		now := int64(1000)
		data := map[int]int64{}
		latenesses := []int64{0, 10, 60}
		t.Repeat(map[string]func(*rapid.T){
			"add": func(*rapid.T) { s.Add(now) },
			"observe": func(t *rapid.T) {
				for range min(s.Len(), rapid.IntRange(1, 5).Draw(t, "records")) {
					id := rapid.IntRange(0, s.Len()-1).Draw(t, "id")
					event := now + rapid.Int64Range(-100, 100).Draw(t, "event")
					s.Observe(id, event, now)
					if old, ok := n.event[id]; ok {
						event = max(event, old)
					}
					n.event[id], n.seen[id] = event, now
				}
			},
			"wait":    func(t *rapid.T) { now += rapid.Int64Range(1, 30).Draw(t, "wait") },
			"restart": func(*rapid.T) { s.Restart(now); restartAll(n, now) },
			"checkpoint": func(t *rapid.T) {
				b := s.AppendBinary(nil)
				s = &Sources{}
				if rest, err := s.Decode(b); err != nil || len(rest) != 0 {
					t.Fatalf("Decode: %v, %d bytes left", err, len(rest))
				}
				if !bytes.Equal(s.AppendBinary(nil), b) {
					t.Fatal("state changed by a round trip")
				}
			},
			"low": func(t *rapid.T) {
				lateness := rapid.SampledFrom(latenesses).Draw(t, "lateness")
				before, asked := n.mark[lateness]
				got := s.Low(now, lateness)
				if want := n.low(now, lateness); got != want {
					t.Fatalf("Low(%d, %d) = %d, want %d", now, lateness, got, want)
				}
				if asked && got < before {
					t.Fatalf("Low went back from %d to %d", before, got)
				}
			},
			"": func(t *rapid.T) {
				for id := range s.Len() {
					if got, want := s.Watermark(id, now), n.watermark(id, now); got != want {
						t.Fatalf("Watermark(%d, %d) = %d, want %d", id, now, got, want)
					}
					if old, ok := data[id]; ok && s.DataWatermark(id) < old {
						t.Fatalf("DataWatermark(%d) went back", id)
					}
					data[id] = s.DataWatermark(id)
				}
				checkLeftOut(t, s, n, now, rapid.SampledFrom(latenesses).Draw(t, "left out for"))
			},
		})
	})
}

func restartAll(n *naiveSources, now int64) {
	for id := range n.seen {
		n.seen[id] = now + n.Grace
	}
}

func checkLeftOut(t *rapid.T, s *Sources, n *naiveSources, now, lateness int64) {
	got := maps.Collect(s.LeftOut(now, lateness))
	awake := n.awake(now)
	for id := range s.Len() {
		if want := n.standing(id, awake, lateness); got[id] != want {
			t.Fatalf("device %d is %v at %d for lateness %d, want %v", id, got[id], now, lateness, want)
		}
		if s.IsIdle(id, now) != (got[id] == Idle) {
			t.Fatalf("device %d: IsIdle %v, standing %v", id, s.IsIdle(id, now), got[id])
		}
	}
}

// One device with a broken clock neither holds nor pushes the watermark of the others.
func TestLowIgnoresBrokenClocks(t *testing.T) {
	const day = int64(86400e9)
	for _, off := range []int64{day, -day, 3650 * day, -3650 * day} {
		s := NewSources(Config{})
		for range 11 {
			s.Add(0)
		}
		s.Observe(0, off, 0)
		for id := 1; id < 11; id++ {
			s.Observe(id, int64(id)*1e9, 0)
		}
		if got := s.Low(1, 60e9); got != 1e9-DefaultDisorder {
			t.Errorf("with one device %d s off the watermark is %d", off/1e9, got)
		}
		standing := Ahead
		if off < 0 {
			standing = Behind
		}
		if got := maps.Collect(s.LeftOut(1, 60e9)); fmt.Sprint(got) != fmt.Sprint(map[int]Standing{0: standing}) {
			t.Errorf("with one device %d s off these are left out: %v", off/1e9, got)
		}
	}
}

// A silent device nobody waits for: Low moves with agent time, whether it was asked often or seldom.
func TestLowWhenAllAreIdle(t *testing.T) {
	often, seldom := NewSources(Config{}), NewSources(Config{})
	for _, s := range []*Sources{often, seldom} {
		s.Observe(s.Add(0), 100e9, 0)
		s.Low(0, 60e9)
	}
	for now := int64(0); now <= 3600e9; now += 250e6 {
		often.Low(now, 60e9)
	}
	want := int64(100e9 - 500e6 + 3600e9 - 2e9)
	if a, b := often.Low(3600e9, 60e9), seldom.Low(3600e9, 60e9); a != want || b != want {
		t.Errorf("after an hour of silence: %d asked often, %d asked seldom, want %d", a, b, want)
	}
}

// A lateness that nobody asks for is forgotten, so that edited policies do not pile up.
func TestLowForgetsUnusedLateness(t *testing.T) {
	s := NewSources(Config{})
	for i := range int64(1000) {
		s.Low(i*unasked/10, i)
	}
	if len(s.lows) > 12 {
		t.Errorf("%d agent watermarks are kept", len(s.lows))
	}
}

func TestLowDoesNotAllocate(t *testing.T) {
	s := NewSources(Config{})
	for i := range int64(1000) {
		s.Observe(s.Add(0), i*1e9, 0)
	}
	if n := testing.AllocsPerRun(100, func() { s.Low(1, 10e9) }); n != 0 {
		t.Errorf("Low allocates %v times", n)
	}
}

func TestKthEqualsSorting(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		times := rapid.SliceOfN(rapid.OneOf(rapid.Int64(), rapid.Int64Range(-3, 3), rapid.SampledFrom([]int64{never, forever})), 1, 300).Draw(t, "times")
		sorted := slices.Sorted(slices.Values(times))
		k := rapid.IntRange(0, len(times)-1).Draw(t, "k")
		if got := kth(times, k, sorted[0], sorted[len(sorted)-1]); got != sorted[k] {
			t.Fatalf("kth %d is %d, want %d", k, got, sorted[k])
		}
	})
}

func TestConfigValidate(t *testing.T) {
	f := func(c Config, want string) {
		t.Helper()
		if err := c.Validate(); fmt.Sprint(err) != want {
			t.Errorf("%+v: %v, want %s", c, err, want)
		}
	}
	f(Config{}, "<nil>")
	f(Config{Disorder: 1, Idle: 1, Grace: 1}, "<nil>")
	f(Config{Idle: -1, Grace: longest + 1}, "idle -1ns: use 1ns to 36 years, or 0 for the default\n"+
		"grace 320255h58m24.606846977s: use 1ns to 36 years, or 0 for the default")
}
