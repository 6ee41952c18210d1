package gateway

import (
	"fmt"
	"math"
	"testing"

	"weir/pkg/sketch"
	"weir/schemas"
	"weir/services/internal/fold"
)

// BenchmarkMerge reports ns and allocations per window that comes from below,
// from an entry's bytes to the results of its run. device is a region of ten
// agents with a window for each of 100 devices and one of their fleet; fleet is
// a tier where each window is the sum of ten parts.
func BenchmarkMerge(b *testing.B) {
	b.Run("device", func(b *testing.B) { benchmarkMerge(b, 100, 1) })
	b.Run("fleet", func(b *testing.B) { benchmarkMerge(b, 0, 100) })
}

func benchmarkMerge(b *testing.B, devices, classes int) {
	const rounds = 24 // of 10 s; in the second half windows become final as others open
	entries := steadyOutbox(10, devices, classes, rounds)
	b.ReportAllocs()
	b.ResetTimer()
	merged := 0
	for merged < b.N {
		b.StopTimer()
		f := NewFold("r01/0", schemas.TierRegion)
		for i, m := range entries {
			if i == len(entries)/2 {
				b.StartTimer()
			}
			r, err := f.Apply(m)
			if err != nil {
				b.Fatal(err)
			}
			if r != nil {
				commit(r, m.Seq)
			}
		}
		if want := 8 * (10*devices + classes); len(f.windows) > want {
			b.Fatalf("%d windows are open, at most %d should be", len(f.windows), want)
		}
		merged += len(entries) / 2 * (devices + classes)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(merged), "ns/window")
}

// commit tells the fold that its results are in entry n, as the shell does.
func commit(r *fold.Results, n uint64) {
	for i := range r.Outputs {
		if r.Outputs[i].Window.FirstN == 0 {
			r.Assign(i, n)
		}
	}
}

// steadyOutbox is what agents commit in rounds of 10 s: in each one window per
// device and class, final seven rounds later.
func steadyOutbox(agents, devices, classes, rounds int) (entries []fold.Message) {
	var enc schemas.CommitEncoder
	device, fleet := fullWindow("device", 50), fullWindow("fleet", 5000)
	for round := range rounds {
		for a := range agents {
			c := emptyRound(fmt.Sprintf("a%03d", a+1), round)
			for d := range devices {
				c.Windows = append(c.Windows, inRound(device, c, fmt.Sprintf("%s-d%03d", c.Producer, d)))
			}
			for k := range classes {
				c.Windows = append(c.Windows, inRound(fleet, c, fmt.Sprintf("c%03d", k)))
			}
			entries = append(entries, fold.Message{
				Subject: schemas.AgentOutbox(c.Producer, schemas.KindCommit), Seq: uint64(len(entries) + 1), Data: enc.Append(nil, c),
			})
		}
	}
	return entries
}

// emptyRound is a commit cut a second after the end of its round's windows.
func emptyRound(agent string, round int) *schemas.Commit {
	end := int64(1_760_000_000+10*round) * second
	n := uint64(round + 1)
	c := &schemas.Commit{Producer: agent, Epoch: schemas.Epoch{1}, N: n, RunFirst: n, End: true, Time: end + second, Wall: end + second}
	for _, v := range []struct {
		view string
		tier schemas.Tier
	}{{"device", schemas.TierRegion}, {"fleet", schemas.TierCenter}} {
		c.Views = append(c.Views, schemas.Progress{View: v.view, Size: 10 * second, Uplink: v.tier, OnTimeThrough: end, FinalThrough: end - 60*second})
	}
	return c
}

// inRound is the window of a key in the round of a commit.
func inRound(w schemas.Window, c *schemas.Commit, key string) schemas.Window {
	w.Key = schemas.Key{Tenant: "t", Values: []string{key, "temp"}}
	w.Start, w.End, w.FirstN = c.Time-11*second, c.Time-second, c.N
	w.First, w.Last = schemas.Point{Time: w.Start, Value: 21.5, ID: 1}, schemas.Point{Time: w.End - second, Value: 21.5, ID: 2}
	return w
}

// fullWindow is an on-time window of records around 21.5.
func fullWindow(view string, records int) schemas.Window {
	var s sketch.Sketch
	for i := range records {
		s.Add(21.5 + math.Sin(float64(i)))
	}
	w := schemas.Window{
		View: view, Dims: []string{view, "metric"}, Revision: 1, Timing: schemas.OnTime,
		Count: s.Count(), Sum: s.Sum(), Min: s.Min(), Max: s.Max(), Digest: 0x9e3779b97f4a7c15,
	}
	w.Sketch, _ = s.AppendBinary(nil)
	return w
}
