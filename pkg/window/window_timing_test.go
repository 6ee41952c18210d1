package window

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// One record of the slice of the record before: what nearly every record costs.
func BenchmarkAccept(b *testing.B) {
	spec := Spec{Size: 10e9, Lateness: 60e9}
	f := func(name string, spec Spec, times []int64) {
		b.Run(name, func(b *testing.B) {
			pool := NewPool[tally](64)
			var panes Panes[tally]
			b.ReportAllocs()
			for i := range b.N {
				acc, ok := panes.Accept(&spec, times[i&1023], 0, pool)
				if !ok {
					b.Fatal("late")
				}
				acc.n++
			}
		})
	}
	same, random, hopping := make([]int64, 1024), make([]int64, 1024), make([]int64, 1024)
	for i := range same {
		same[i] = int64(i) * 9e6
		random[i] = rand.Int64N(80e9)
		hopping[i] = int64(i/100) * 5e9
	}
	f("same-slice", spec, same)
	f("random-of-8-windows", spec, random)
	f("hopping-size-60s-hop-10s", Spec{Size: 60e9, Hop: 10e9, Lateness: 60e9}, hopping)
}

// A whole life of windows of ten records each, from the first record to final.
func BenchmarkWindowLife(b *testing.B) {
	spec := Spec{Size: 10e9, Lateness: 60e9}
	pool := NewPool[tally](64)
	var panes Panes[tally]
	var out uint64
	emit := func(r Revision[tally]) { out += r.Acc.n }
	b.ReportAllocs()
	for i := range b.N {
		start := int64(i) * spec.Size
		for n := range int64(10) {
			acc, _ := panes.Accept(&spec, start+n*1e9, start-5e8, pool)
			acc.n++
		}
		panes.Advance(&spec, start+9e9, start+9e9, start-60e9, pool, emit)
	}
	b.ReportMetric(float64(out)/float64(b.N), "records/window")
}

// What a tick costs for each key when nothing is due: asking, and an Advance all the same.
func BenchmarkAdvanceIdle(b *testing.B) {
	const keys = 10_000
	spec := Spec{Size: 10e9, Lateness: 60e9}
	pool := NewPool[tally](64)
	panes := make([]Panes[tally], keys)
	for i := range panes {
		for at := int64(0); at < 80e9; at += 10e9 {
			panes[i].Accept(&spec, at, 0, pool)
		}
		panes[i].Advance(&spec, 65e9, 65e9, 0, pool, func(Revision[tally]) {})
	}
	emit := func(Revision[tally]) { b.Fatal("something came out") }
	b.Run("Due", func(b *testing.B) {
		due := 0
		for i := range b.N {
			if p := &panes[i%keys]; p.Due() <= 66e9 || p.Dirty() {
				due++
			}
		}
		if due > 0 {
			b.Fatal("something is due")
		}
	})
	b.Run("Advance", func(b *testing.B) {
		b.ReportAllocs()
		for i := range b.N {
			panes[i%keys].Advance(&spec, 66e9, 66e9, 0, pool, emit)
		}
	})
}

func BenchmarkObserve(b *testing.B) {
	s := NewSources(Config{})
	for range 1000 {
		s.Add(0)
	}
	b.ReportAllocs()
	for i := range b.N {
		s.Observe(i%1000, int64(i), int64(i))
	}
}

// The agent watermark, once per tick: when all devices are close together, and when one is far away, so that the median
// has to be found.
func BenchmarkLow(b *testing.B) {
	for _, n := range []int{1e2, 1e4} {
		for _, shape := range []string{"together", "one-behind", "all-idle"} {
			b.Run(fmt.Sprintf("devices=%d/%s", n, shape), func(b *testing.B) {
				s := NewSources(Config{})
				for range n {
					s.Observe(s.Add(0), 1763760000e9+rand.Int64N(2e9), rand.Int64N(1e9))
				}
				if shape == "one-behind" {
					s.devices[n/2].event -= 3600e9
				}
				now := int64(1e9)
				if shape == "all-idle" {
					now = 60e9
				}
				b.ReportAllocs()
				for b.Loop() {
					s.Low(now, 60e9)
				}
			})
		}
	}
}

func BenchmarkCounterAdd(b *testing.B) {
	var c Counter
	b.ReportAllocs()
	for i := range b.N {
		c.Add(int64(i), float64(i), uint64(i), int64(i)-10)
	}
}

func BenchmarkCheckpoint(b *testing.B) {
	s := NewSources(Config{})
	for i := range int64(10_000) {
		s.Observe(s.Add(0), 1763760000e9+rand.Int64N(2e9), i*1e5)
	}
	state := s.AppendBinary(nil)
	b.Run("sources=10000", func(b *testing.B) {
		b.SetBytes(int64(len(state)))
		for b.Loop() {
			state = s.AppendBinary(state[:0])
		}
	})
	panes := seedPanes()
	state = panes.AppendBinary(nil, appendTally)
	b.Run("panes", func(b *testing.B) {
		b.SetBytes(int64(len(state)))
		for b.Loop() {
			state = panes.AppendBinary(state[:0], appendTally)
		}
	})
}
